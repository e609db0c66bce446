// SPDX-License-Identifier: Apache-2.0
#include "sim/datapath/unit.hpp"

namespace prelude::sim {

Unit::Unit(const sc_core::sc_module_name& name, UnitId id, Run& run) : sc_module(name), run_(run), id_(id) {
    payload_.set_extension(&extension_);
    SC_HAS_PROCESS(Unit);
    SC_THREAD(work);
}

void Unit::work() {
    for (;;) {
        wait(start);
        last_ = now();
        while (const auto* command = fetch()) {
            ++stats_.num_commands;
            for (auto id : command->acquire) {
                auto& token = run_.tokens[static_cast<std::size_t>(id)];
                waits_for_ = id;
                const auto waited = token.take();
                waits_for_ = kNothing;
                stats_.stall_cycles[static_cast<std::size_t>(token.cause())] += waited;
                if (waited > 0) record(true, static_cast<std::uint8_t>(token.cause()), now() - waited);
            }
            const auto begin = now();
            ++num_open_;
            const auto ready = execute(*command);
            stats_.busy_cycles += now() - begin;
            record(false, static_cast<std::uint8_t>(command->opcode), begin);
            if (ready != kLater) finish(*command, ready);
        }
        draining_ = true;
        while (num_open_ > 0) wait(finished_);
        draining_ = false;
        done(last_);
    }
}

void Unit::record(bool waits, std::uint8_t what, Cycle begin) {
    if (run_.trace) run_.trace->push_back({.unit = id_, .waits = waits, .what = what, .begin = begin - run_.begin, .end = now() - run_.begin});
}

void Unit::finish(const Command& command, Cycle at) {
    for (auto id : command.release) run_.tokens[static_cast<std::size_t>(id)].give(at);
    last_ = std::max(last_, at);
    --num_open_;
    if (draining_) finished_.notify(sc_core::SC_ZERO_TIME);
}

const Command* Unit::fetch() {
    const Command* command = nullptr;
    auto delay = sc_core::SC_ZERO_TIME;
    fetch_payload_.set_command(tlm::TLM_READ_COMMAND);
    fetch_payload_.set_address(static_cast<sc_dt::uint64>(id_));
    fetch_payload_.set_data_ptr(reinterpret_cast<unsigned char*>(&command));
    fetch_payload_.set_data_length(sizeof command);
    command_out->b_transport(fetch_payload_, delay);
    if (command && delay != sc_core::SC_ZERO_TIME) wait(delay);
    return command;
}

Cycle Unit::access(const Slot& slot, bool write, std::int64_t bits, Tile** tile) {
    auto& socket = slot.buffer == BufferId::weight       ? weight_out
                   : slot.buffer == BufferId::activation ? activation_out
                   : slot.buffer == BufferId::score      ? score_out
                                                         : partial_sum_out;
    payload_.set_command(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
    payload_.set_address(static_cast<sc_dt::uint64>(slot.index));
    extension_.bits = bits;
    auto delay = sc_core::SC_ZERO_TIME;
    socket->b_transport(payload_, delay);
    if (tile) *tile = extension_.tile;
    return now() + static_cast<Cycle>(delay.value());
}

Cycle Unit::occupy(Cycle cycles, Cycle end) {
    const auto until = std::max(now() + cycles, end);
    if (until > now()) wait(ticks(until - now()));
    return now();
}

}  // namespace prelude::sim
