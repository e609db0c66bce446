// SPDX-License-Identifier: Apache-2.0
#include "sim/datapath/controller.hpp"

namespace prelude::sim {

Controller::Controller(const sc_core::sc_module_name& name, Run& run) : sc_module(name), run_(run) {
    command_in.register_b_transport(this, &Controller::transport);
}

void Controller::attach(Unit& unit) {
    units_.push_back(&unit);
    unit.command_out.bind(command_in);
    unit.done = [this](Cycle at) {
        last_ = std::max(last_, at);
        if (--num_running_ == 0) drained_.notify(sc_core::SC_ZERO_TIME);
    };
}

Cycle Controller::run_segment() {
    const auto begin = run_.begin = now();
    next_ = {};
    last_ = begin;
    num_running_ = units_.size();
    for (auto* unit : units_) unit->start.notify(sc_core::SC_ZERO_TIME);
    wait(drained_);
    if (last_ > now()) wait(ticks(last_ - now()));
    return now() - begin;
}

void Controller::transport(int, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    const auto unit = static_cast<std::size_t>(payload.get_address());
    const auto& stream = run_.program->streams[unit];
    const Command* command = next_[unit] < stream.size() ? &stream[next_[unit]++] : nullptr;
    *reinterpret_cast<const Command**>(payload.get_data_ptr()) = command;
    if (command) delay += ticks(1);
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

}  // namespace prelude::sim
