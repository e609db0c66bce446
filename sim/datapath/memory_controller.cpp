// SPDX-License-Identifier: Apache-2.0
#include "sim/datapath/memory_controller.hpp"

#include "sim/datapath/local_time.hpp"

namespace prelude::sim {

MemoryController::MemoryController(const sc_core::sc_module_name& name, const Hardware& hardware)
    : sc_module(name), hardware_(hardware), ports_(static_cast<std::size_t>(hardware.ports)) {
    burst_in.register_b_transport(this, &MemoryController::transport);
}

void MemoryController::reset() {
    for (auto& port : ports_) port = {};
    stats_ = {};
    next_port_ = 0;
}

void MemoryController::transport(int, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    const auto address = static_cast<std::int64_t>(payload.get_address()), length = static_cast<std::int64_t>(payload.get_data_length());
    const auto stripe = address / hardware_.burst_bytes;
    const bool write = payload.is_write();
    auto& port = ports_[next_port_++ % ports_.size()];
    auto& channel = write ? port.write : port.read;

    LocalTime own;
    auto* time = payload.get_extension<LocalTime>();
    if (!time) own.start(), time = &own;
    const auto retire = [&] {
        while (!channel.outstanding.empty() && channel.outstanding.front() <= time->now()) channel.outstanding.pop_front();
    };
    retire();
    while (channel.outstanding.size() >= static_cast<std::size_t>(hardware_.outstanding)) {
        time->wait_until(channel.outstanding.front());
        retire();
    }
    if (time == &own) own.synchronise();

    const auto beats = (address + length + hardware_.port_bytes - 1) / hardware_.port_bytes - address / hardware_.port_bytes;
    ++stats_.bursts;
    stats_.beats += beats;
    (write ? stats_.bytes_written : stats_.bytes_read) += length;

    // Write data passes the port before it reaches the channel, read data from the cycle on in which it begins to leave it.
    auto at = time->now();
    if (write) at = channel.free = std::max(channel.free, at) + beats;
    delay = ticks(at - time->kernel());
    payload.set_address(static_cast<sc_dt::uint64>(stripe / hardware_.channels * hardware_.burst_bytes + address % hardware_.burst_bytes));
    access_out[static_cast<unsigned>(stripe % hardware_.channels)]->b_transport(payload, delay);
    auto completion = time->kernel() + static_cast<Cycle>(delay.value());
    if (!write) {
        const auto transfer = (length * hardware_.dram_bytes_denominator + hardware_.dram_bytes_numerator - 1) / hardware_.dram_bytes_numerator;
        completion = channel.free = std::max(completion, std::max(channel.free, completion - transfer) + beats);
    }
    if (!channel.outstanding.empty()) completion = std::max(completion, channel.outstanding.back());
    channel.outstanding.push_back(completion);
    delay = ticks(completion - time->kernel());
}

}  // namespace prelude::sim
