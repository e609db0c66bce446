// SPDX-License-Identifier: Apache-2.0
#pragma once

// Lower bounds of a segment's cycles, and the invariants every simulation is held to.

#include <string>

#include "sim/mapping/hardware.hpp"
#include "sim/mapping/program.hpp"
#include "sim/stats.hpp"

namespace prelude::sim {

/// compute: sum over products of MACs * passes / (rows * cols * positions of K a cycle).
/// memory: bytes on the DRAM bus / its bandwidth, or bytes read (written) / read (write) bandwidth of the ports, whichever is largest.
/// vector: words / lanes of post, LayerNorm and softmax unit, and the activation unit's busy cycles.
[[nodiscard]] Bounds bounds(const Hardware& hardware, const models::Graph& graph, const Program& program, const SegmentStats& stats,
                            Cycle activation_unit_cycles);

/// Cycles the segment could not beat even with perfect tiling: compute bound, or every byte moved once.
[[nodiscard]] Cycle roofline_cycles(const Hardware& hardware, const SegmentStats& stats);

/// Empty, or what is wrong: useful MACs differ from the graph's, bytes written from bytes produced, cycles below a bound, a negative
/// counter.
[[nodiscard]] std::string broken_invariant(const Program& program, const SegmentStats& stats);

}  // namespace prelude::sim
