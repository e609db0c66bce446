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

/// Meaning   logic: used DSP and LUT of a unit times its busy cycles (energy.dsp_pj, energy.lut_pj + energy.net_pj); clock: all flip-flops in every cycle
///           (energy.ff_clock_pj); buffers: port accesses times the memory blocks an access opens; DRAM: bits moved, plus row activations
/// Units     pJ per run of the segment (not times its repeats)
/// Limits    toggles measured in functional mode scale the array's DSP energy by (toggle rate / energy.reference_toggle), within [0.25, 4]
[[nodiscard]] SegmentEnergy segment_energy(const SegmentStats& stats, const ResourceEstimate& resources, const Device& device, const CostTable& costs);

/// Power and energy of one row (one image, its prompts).
struct PowerEstimate {
    Estimate energy_mj;       ///< chip and external memory
    Estimate static_w, processing_system_w, dynamic_w, power_w, dram_power_w;
};
[[nodiscard]] PowerEstimate estimate_power(std::span<const SegmentStats> segments, const ResourceEstimate& resources, const Design& design, double clock_mhz,
                                           const CostTable& costs);

}  // namespace prelude::sim
