// SPDX-License-Identifier: Apache-2.0
#include "sim/stats.hpp"

namespace prelude::sim {

void ToggleStats::add(const ToggleStats& other, std::int64_t times) {
    activation_toggles += times * other.activation_toggles;
    activation_bits += times * other.activation_bits;
    weight_toggles += times * other.weight_toggles;
    weight_bits += times * other.weight_bits;
    zero_codes += times * other.zero_codes;
    codes += times * other.codes;
}

std::optional<double> ToggleStats::rate() const {
    const auto bits = activation_bits + weight_bits;
    if (bits == 0) return std::nullopt;
    return static_cast<double>(activation_toggles + weight_toggles) / static_cast<double>(bits);
}

void Totals::add(const SegmentStats& s) {
    const auto times = s.repeats;
    cycles += times * s.cycles;
    roofline_cycles += times * s.roofline_cycles;
    macs.useful += times * s.macs.useful;
    macs.padding += times * s.macs.padding;
    macs.recompute += times * s.macs.recompute;
    macs.idle += times * s.macs.idle;
    dram.bytes_read += times * s.dram.bytes_read;
    dram.bytes_written += times * s.dram.bytes_written;
    dram.bus_bytes += times * s.dram.bus_bytes;
    dram.bursts += times * s.dram.bursts;
    dram.beats += times * s.dram.beats;
    dram.row_hits += times * s.dram.row_hits;
    dram.row_misses += times * s.dram.row_misses;
    dram.turnarounds += times * s.dram.turnarounds;
    dram.refreshes += times * s.dram.refreshes;
    for (std::size_t u = 0; u < kNumUnits; ++u) {
        units[u].busy_cycles += times * s.units[u].busy_cycles;
        units[u].num_commands += times * s.units[u].num_commands;
        for (std::size_t c = 0; c < kNumStallCauses; ++c) units[u].stall_cycles[c] += times * s.units[u].stall_cycles[c];
    }
    for (std::size_t b = 0; b < kNumBuffers; ++b) {
        buffers[b].bits_read += times * s.buffers[b].bits_read;
        buffers[b].bits_written += times * s.buffers[b].bits_written;
        buffers[b].read_accesses += times * s.buffers[b].read_accesses;
        buffers[b].write_accesses += times * s.buffers[b].write_accesses;
    }
    for (const auto& [key, count] : s.operations) operations[key] += times * count;
    toggles.add(s.toggles, times);
    overflows += times * s.overflows;
}

}  // namespace prelude::sim
