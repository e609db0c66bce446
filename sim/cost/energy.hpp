// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a network burns: counts of the simulation times the cost table, per unit and per segment. Nothing here takes time.

#include "sim/cost/resources.hpp"
#include "sim/stats.hpp"

namespace prelude::sim {

/// Dynamic energy of one segment in pJ.
struct SegmentEnergy {
    Estimate pe_array, post_unit, vector_units, buffers, infrastructure, clock;  ///< on the FPGA
    Estimate dram;                                                               ///< outside
    [[nodiscard]] Estimate chip() const;
};

/// Meaning   logic of a unit, per busy cycle: DSP * energy.dsp_pj * operand activity + LUT * energy.lut_pj + (LUT + FF) * energy.net_pj (each drives a net);
///           shift-add lanes burn instead of the multipliers in the cycles they work; clock: all flip-flops in every cycle (energy.ff_clock_pj);
///           buffers: port accesses times the memory blocks an access opens; DRAM: bits moved, plus row activations
/// Units     pJ per run of the segment (not times its repeats)
/// Rows of a norm that wait for a divided root (root_wait) cost its dividers alone, in the cycles they work (root_divide).
/// Activity  operand toggle rate / energy.reference_toggle: the energies come from vectorless reports, quantized operands toggle more. The rate is measured in
///           functional mode, else energy.data_toggle. Logic and nets stay at the reports' rate: no measurement of theirs is at hand
[[nodiscard]] SegmentEnergy segment_energy(const SegmentStats& stats, const ResourceEstimate& resources, const Device& device, const CostTable& costs);

/// Power and energy of one row (one image, its prompts).
struct PowerEstimate {
    Estimate energy_mj;       ///< chip and external memory
    Estimate static_w, processing_system_w, dynamic_w, power_w, dram_power_w;
};
[[nodiscard]] PowerEstimate estimate_power(std::span<const SegmentStats> segments, const ResourceEstimate& resources, const Design& design, double clock_mhz,
                                           const CostTable& costs);

}  // namespace prelude::sim
