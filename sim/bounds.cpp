// SPDX-License-Identifier: Apache-2.0
#include "sim/bounds.hpp"

#include <fmt/format.h>

#include <cmath>

#include "sim/mapping/build_program.hpp"

namespace prelude::sim {

namespace {

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) noexcept {
    return (a + b - 1) / b;
}

}  // namespace

Bounds bounds(const Hardware& hardware, const models::Graph& graph, const Program& program, const SegmentStats& stats,
              Cycle activation_unit_cycles) {
    Bounds result;
    const auto& pe = hardware.pe;
    const auto outputs = std::int64_t{pe.rows} * pe.cols;
    double compute = 0;
    for (const auto& use : program.products) {
        const auto macs = models::num_macs(graph, graph.node(use.node));
        compute += static_cast<double>(macs) / static_cast<double>(outputs) *
                   streams(pe, use.form, use.swap).combine([](const Stream& s) { return s.passes / static_cast<double>(s.positions); });
    }
    result.compute = static_cast<Cycle>(std::ceil(compute));

    const auto& dram = stats.dram;
    const auto channel_bytes = hardware.channels * hardware.dram_bytes_numerator;
    const auto port_bytes = std::int64_t{hardware.ports} * hardware.port_bytes;
    result.memory = std::max({ceil_div(dram.bus_bytes * hardware.dram_bytes_denominator, channel_bytes),
                              ceil_div(dram.bytes_read, port_bytes), ceil_div(dram.bytes_written, port_bytes)});

    std::int64_t post = 0, norm = 0, softmax = 0;
    for (const auto& [key, count] : stats.operations) {
        if (key.kind == "rescale") post += count;
        if (key.kind == "layer_norm") norm += count;
        if (key.kind == "softmax") softmax += count;
    }
    const auto words = program.rows * program.cols;
    if (program.segment.kind == SegmentKind::elementwise) post = words;
    if (program.segment.kind == SegmentKind::resize) post = words * kResizeCyclesPerElement;
    if (program.segment.kind == SegmentKind::prompt) post = words * kPromptCyclesPerElement;
    result.vector = std::max({ceil_div(post, pe.post_lanes()), ceil_div(norm, hardware.layernorm_lanes), ceil_div(softmax, hardware.softmax_lanes),
                              activation_unit_cycles});
    return result;
}

Cycle roofline_cycles(const Hardware& hardware, const SegmentStats& stats) {
    const auto memory = static_cast<Cycle>(std::ceil(static_cast<double>(stats.compulsory_bytes) / hardware.peak_bytes_per_cycle()));
    return std::max(stats.bounds.compute, memory);
}

std::string broken_invariant(const Program& program, const SegmentStats& stats) {
    if (stats.macs.useful != program.useful_macs) {
        return fmt::format("useful MACs {} differ from the graph's {}", stats.macs.useful, program.useful_macs);
    }
    if (stats.dram.bytes_written != stats.bytes_produced) {
        return fmt::format("{} bytes written, {} produced", stats.dram.bytes_written, stats.bytes_produced);
    }
    if (stats.cycles < stats.bounds.largest()) {
        return fmt::format("{} cycles beat the {} bound of {}", stats.cycles,
                           kBoundNames[static_cast<std::size_t>(stats.bounds.limiting())], stats.bounds.largest());
    }
    const auto& m = stats.macs;
    bool negative = std::min({m.useful, m.padding, m.recompute, m.idle, stats.cycles}) < 0;
    for (const auto& unit : stats.units) {
        negative |= unit.busy_cycles < 0 || unit.busy_cycles > stats.cycles;
        for (auto stall : unit.stall_cycles) negative |= stall < 0 || stall > stats.cycles;
    }
    const auto& d = stats.dram;
    negative |= std::min({d.bytes_read, d.bytes_written, d.bus_bytes, d.bursts, d.beats, d.row_hits, d.row_misses}) < 0;
    for (const auto& buffer : stats.buffers)
        negative |= std::min({buffer.bits_read, buffer.bits_written, buffer.read_accesses, buffer.write_accesses}) < 0;
    for (const auto& [key, count] : stats.operations) negative |= count < 0;
    if (negative) return "a counter is negative or larger than the run";
    if (d.row_hits + d.row_misses != d.bursts)
        return fmt::format("{} row hits and misses of {} bursts", d.row_hits + d.row_misses, d.bursts);
    return {};
}

}  // namespace prelude::sim
