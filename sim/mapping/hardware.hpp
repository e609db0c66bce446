// SPDX-License-Identifier: Apache-2.0
#pragma once

// The design with every `auto` resolved, in cycles and exact ratios: what the mapper and the datapath work with.

#include "quant/format_plan.hpp"
#include "sim/mapping/pe_timing.hpp"
#include "sim/stats.hpp"

namespace prelude::sim {

struct Hardware {
    PeShape pe;
    std::int64_t weight_bits = 0, activation_bits = 0, partial_sum_bits = 0, score_bits = 0;  ///< buffer capacities
    int sum_bits = 32;  ///< widest accumulator of the plan, at least a word of a wide sum
    int slots = 2;
    int softmax_lanes = 16, layernorm_lanes = 16, gelu_lanes = 16, layernorm_dividers = 8;
    Dataflow dataflow = Dataflow::automatic;
    AttentionFusion attention = AttentionFusion::automatic;
    bool weights_resident = false, layer_overlap = false;
    int mapping_candidates = 1;  ///< mappings of a segment that are simulated before one is chosen

    // DRAM and AXI: all times in cycles, bandwidth as an exact ratio.
    std::int64_t dram_bytes_numerator = 64, dram_bytes_denominator = 1;  ///< bytes per cycle, of one channel
    int channels = 1, granule_bytes = 64, num_banks = 16;
    std::int64_t row_bytes = 8192;
    Cycle row_active_cycles = 0, activate_gap_cycles = 0, four_activates_cycles = 0;  ///< tRAS, tRRD, tFAW; 0: no limit
    Cycle activate_cycles = 5, precharge_cycles = 5, turnaround_cycles = 3, refresh_cycles = 0, refresh_interval = 0, latency_cycles = 30;
    int ports = 4, port_bytes = 16, outstanding = 8, burst_bytes = 256;

    [[nodiscard]] double peak_bytes_per_cycle() const noexcept;  ///< smaller of DRAM and one direction of the AXI ports
    friend bool operator==(const Hardware&, const Hardware&) = default;
};

/// Widths of the four buffers: what their widest client moves per cycle.
///   weight C x D weights; activation R x D operands or the LayerNorm lanes at 32 bits; partial sums the widest accumulator a post lane;
///   scores 16 bits a post lane, or three softmax stages, or R x D codes of 8 bits; floating point: words of the datatype
[[nodiscard]] std::int64_t buffer_width_bits(const Hardware& hardware, BufferId buffer) noexcept;

/// Resolves a design for a plan.
///
/// `auto` operand widths are the widest a product of the plan has (log-coded operands steer shifters and do not count); floating-point elements have
/// their datatype's, whatever is given.
/// DRAM times and geometry are those of the device's kind of memory (sim/mapping/dram_timing.hpp). Controller and interconnect latency: 100 ns (assumed).
[[nodiscard]] Hardware resolve(const Design& design, const quant::FormatPlan& plan);

}  // namespace prelude::sim
