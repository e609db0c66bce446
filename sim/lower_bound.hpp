// SPDX-License-Identifier: Apache-2.0
#pragma once

// Cycles that no mapping of a segment beats, from shapes alone: what a sweep is pruned by before anything is simulated.

#include "sim/mapping/build_program.hpp"

namespace prelude::sim {

/// Cycles the simulated segment cannot beat, however it is mapped (a row-wise one: as it is mapped).
///
/// Meaning   the largest of
///             compute  busy cycles of the array: operands stream in whole sub-tiles of R x C outputs and blocks of p positions, sums drain d rows of C a
///                      cycle; the best of the dataflows and operand roles that the hardware has
///             memory   every operand that no tile can hold as often as the buffers make it come again, everything else once, at the peak
///                      bandwidth between refreshes
///             vector   words / lanes of the post unit, the activation unit, the LayerNorm and the softmax unit
///           without double buffering a product's operands do not load while the array works: compute and their loads add up
///           and the latency of the interconnect, once before and once behind what a unit does
/// Limits    a bound, not an estimate: DRAM rows, the first and last tile and the units' waiting for each other are missing
/// `program` built with BuildContext::shapes_only, or any other of the segment; its mapping matters to row-wise segments alone. `least_slots`: tiles that a
/// buffer pool holds at least: those of the hardware, or 1 where a mapping is pinned
[[nodiscard]] Cycle lower_bound(const Hardware& hardware, const models::Graph& graph, const quant::FormatPlan& plan, const Program& program, int least_slots);

}  // namespace prelude::sim
