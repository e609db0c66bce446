// SPDX-License-Identifier: Apache-2.0
#include "sim/datapath/dram.hpp"

#include <algorithm>

namespace prelude::sim {

DramChannel::DramChannel(const sc_core::sc_module_name& name, const Hardware& hardware)
    : sc_module(name), hardware_(hardware), unit_(hardware.dram_bytes_numerator), banks_(static_cast<std::size_t>(hardware.num_banks)) {
    access_in.register_b_transport(this, &DramChannel::transport);
    reset();
}

void DramChannel::reset() {
    std::ranges::fill(banks_, Bank{-1, now() * unit_});
    last_activations_.fill(kLongAgo);
    refreshed_ = 0;
    bus_free_ = now() * unit_;
    next_refresh_ = (now() + hardware_.refresh_interval) * unit_;
    last_was_write_ = false;
    idle_ = true;
    changes_ = 0;
    stats_ = {};
}

std::int64_t DramChannel::activation(const Bank& bank, std::int64_t arrival) const noexcept {
    auto at = std::max(arrival, bank.free);
    if (bank.open_row >= 0) at = std::max(at, bank.activated + hardware_.row_active_cycles * unit_) + hardware_.precharge_cycles * unit_;
    at = std::max(at, last_activations_.back() + hardware_.activate_gap_cycles * unit_);
    return std::max(at, last_activations_.front() + hardware_.four_activates_cycles * unit_);
}

void DramChannel::transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    const auto arrival = (now() + static_cast<Cycle>(delay.value())) * unit_;
    const auto address = static_cast<std::int64_t>(payload.get_address()), length = static_cast<std::int64_t>(payload.get_data_length());
    const auto granule = hardware_.granule_bytes;
    const auto bytes = ((address + length + granule - 1) / granule - address / granule) * granule;
    const bool write = payload.is_write();

    auto start = std::max(arrival, bus_free_);
    if (hardware_.refresh_interval > 0) {
        while (start >= next_refresh_) {
            // All banks precharge once the bus is free, and nothing is activated before it ends.
            refreshed_ = std::max(next_refresh_, bus_free_) + (hardware_.precharge_cycles + hardware_.refresh_cycles) * unit_;
            start = std::max(start, refreshed_);
            next_refresh_ += hardware_.refresh_interval * unit_;
            for (auto& bank : banks_) bank.open_row = -1;
            ++stats_.refreshes;
        }
    }
    const auto page = address / hardware_.row_bytes, row = page / hardware_.num_banks;
    auto& bank = banks_[static_cast<std::size_t>(page % hardware_.num_banks)];
    if (bank.open_row == row) {
        ++stats_.row_hits;
    } else {
        ++stats_.row_misses;
        bank.activated = activation(bank, std::max(arrival, refreshed_));
        start = std::max(start, bank.activated + hardware_.activate_cycles * unit_);
        bank.open_row = row;
        std::ranges::rotate(last_activations_, last_activations_.begin() + 1);
        last_activations_.back() = bank.activated;
    }
    if (!idle_ && write != last_was_write_ && ++changes_ == kWriteBatch) {
        changes_ = 0;
        ++stats_.turnarounds;
        start = std::max(start, bus_free_ + hardware_.turnaround_cycles * unit_);
    }
    idle_ = false;
    last_was_write_ = write;
    bus_free_ = start + bytes * hardware_.dram_bytes_denominator;
    bank.free = bus_free_;
    stats_.bus_bytes += bytes;
    const auto end = (bus_free_ + unit_ - 1) / unit_ + hardware_.latency_cycles;
    delay = ticks(end - now());
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

}  // namespace prelude::sim
