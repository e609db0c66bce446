// SPDX-License-Identifier: Apache-2.0
#include "sim/mapping/hardware.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "models/error.hpp"
#include "sim/mapping/dram_timing.hpp"

namespace prelude::sim {

namespace {

constexpr double kLatencyNs = 100.0;
constexpr std::int64_t kBitsPerKib = 8192;
constexpr std::int64_t kSoftmaxStages = 3;

}  // namespace

double Hardware::peak_bytes_per_cycle() const noexcept {
    const double dram =
        static_cast<double>(channels) * static_cast<double>(dram_bytes_numerator) / static_cast<double>(dram_bytes_denominator);
    return std::min(dram, static_cast<double>(ports) * port_bytes);
}

std::int64_t buffer_width_bits(const Hardware& hardware, BufferId buffer) noexcept {
    const auto& pe = hardware.pe;
    const std::int64_t score_bits = pe.float_bits > 0 ? pe.float_bits : 16, probability_bits = pe.float_bits > 0 ? pe.float_bits : 8;
    switch (buffer) {
        case BufferId::weight: return std::int64_t{pe.cols} * pe.depth * pe.weight_bits;
        case BufferId::activation:
            return std::max<std::int64_t>(std::int64_t{pe.rows} * pe.depth * pe.activation_bits, std::int64_t{hardware.layernorm_lanes} * 32);
        case BufferId::partial_sum: return pe.post_lanes() * hardware.sum_bits;
        case BufferId::score:
            return std::max<std::int64_t>({pe.post_lanes() * score_bits, hardware.softmax_lanes * kSoftmaxStages * score_bits,
                                           std::int64_t{pe.rows} * pe.depth * probability_bits});
    }
    return 1;
}

Hardware resolve(const Design& design, const quant::FormatPlan& plan) {
    Hardware hardware;
    const double clock_mhz = design.clock_mhz > 0 ? design.clock_mhz : design.device.fmax_mhz.value;
    const double gb_per_s = design.dram.gb_per_s > 0 ? design.dram.gb_per_s : design.device.dram_gb_per_s.value;
    models::check(clock_mhz > 0 && gb_per_s > 0, "design: clock and DRAM bandwidth must be known before a simulation");

    auto& pe = hardware.pe;
    pe = {.rows = design.pe.rows,
          .cols = design.pe.cols,
          .depth = design.pe.depth,
          .weight_bits = design.pe.weight_bits,
          .activation_bits = design.pe.activation_bits,
          .shift_lanes = design.pe.multiplier == Multiplier::lut ? design.pe.depth : design.pe.shift_lanes,
          .drain_rows = std::min(design.pe.drain_rows, design.pe.rows),
          .precision = design.pe.precision,
          .zero_point = design.pe.zero_point,
          .multiplier = design.pe.multiplier,
          .packing = design.pe.precision == PePrecision::fixed ? DspPacking{} : design.packing};
    int widest_left = 2, widest_right = 2;
    for (const auto& [name, contraction] : plan.contractions) {
        hardware.sum_bits = std::max(hardware.sum_bits, contraction.accumulator_bits);
        widest_left = std::max(widest_left, contraction.factor_bits);
        widest_right = std::max(widest_right, contraction.right_bits);
    }
    if (plan.is_floating()) pe.weight_bits = pe.activation_bits = pe.float_bits = plan.float_bits;  // elements are as wide as their numbers
    if (pe.activation_bits == 0) pe.activation_bits = std::min(widest_left, kMaxPortBits);
    if (pe.weight_bits == 0) pe.weight_bits = std::min(widest_right, kMaxPortBits);

    hardware.weight_bits = design.buffers.weight_kib * kBitsPerKib;
    hardware.activation_bits = design.buffers.activation_kib * kBitsPerKib;
    hardware.partial_sum_bits = design.buffers.partial_sum_kib * kBitsPerKib;
    hardware.score_bits = design.buffers.score_kib * kBitsPerKib;
    hardware.slots = design.double_buffer ? 2 : 1;
    hardware.mapping_candidates = design.mapping_candidates;
    hardware.softmax_lanes = design.softmax_lanes;
    hardware.layernorm_lanes = design.layernorm_lanes;
    hardware.gelu_lanes = design.gelu_lanes;
    hardware.layernorm_dividers = design.layernorm_dividers;
    hardware.dataflow = design.dataflow;
    hardware.attention = design.attention;
    hardware.layer_overlap = design.layer_overlap;
    hardware.weights_resident = design.weights == WeightPlacement::resident;

    hardware.channels = design.dram_channels();
    const auto numerator = std::llround(gb_per_s * 1e6 / hardware.channels), denominator = std::llround(clock_mhz * 1e3);
    const auto divisor = std::gcd(numerator, denominator);
    hardware.dram_bytes_numerator = numerator / divisor;
    hardware.dram_bytes_denominator = denominator / divisor;
    const auto cycles = [&](double ns) { return static_cast<Cycle>(std::ceil(ns * clock_mhz / 1000.0)); };
    const auto& part = dram_timing(design.device.dram_kind);
    hardware.granule_bytes = part.granule_bytes;
    hardware.num_banks = part.num_banks;
    hardware.row_bytes = part.row_bytes;
    hardware.activate_cycles = cycles(part.activate_ns);
    hardware.precharge_cycles = cycles(part.precharge_ns);
    hardware.row_active_cycles = cycles(part.row_active_ns);
    hardware.activate_gap_cycles = cycles(part.activate_gap_ns);
    hardware.four_activates_cycles = cycles(part.four_activates_ns);
    hardware.turnaround_cycles = cycles(part.turnaround_ns);
    hardware.refresh_cycles = cycles(part.refresh_ns);
    hardware.refresh_interval = cycles(part.refresh_interval_ns);
    hardware.latency_cycles = cycles(kLatencyNs);
    hardware.ports = design.axi.ports;
    hardware.port_bytes = design.axi.data_bits / 8;
    hardware.outstanding = design.axi.outstanding;
    hardware.burst_bytes = std::min(design.axi.max_burst * hardware.port_bytes, 4096);
    return hardware;
}

}  // namespace prelude::sim
