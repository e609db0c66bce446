// SPDX-License-Identifier: Apache-2.0
#pragma once

// The one door to the SystemC kernel: simulates a graph on a design, in a forked child, and returns plain results.

#include <map>
#include <string>
#include <vector>

#include "quant/float/float_graph.hpp"
#include "quant/quantized_graph.hpp"
#include "sim/design.hpp"
#include "sim/mapping/hardware.hpp"
#include "sim/mapping/mapping.hpp"
#include "sim/mapping/segment.hpp"
#include "sim/stats.hpp"

namespace prelude::sim {

struct Options {
    std::vector<models::Part> parts{models::Part::encoder, models::Part::prompt, models::Part::decoder, models::Part::postprocess};
    std::int64_t prompts_per_image = 1;                    ///< repeats of everything behind the encoder
    bool reuse = true;                                     ///< equal segments are simulated once (timing mode)
    std::vector<PinnedMapping> pinned{};                   ///< replayed instead of chosen; of several that match a segment the last
    bool timeline = false;                                 ///< keeps what every unit did and waited for
};

/// Words for functional mode.
struct FunctionalInput {
    const quant::QuantizedGraph* quantized = nullptr;     ///< or
    const quant::FloatGraph* floats = nullptr;            ///< whose words are bit patterns (quant/float/number.hpp)
    std::map<models::ValueId, models::IntTensor> inputs;  ///< graph inputs, and values of parts that are not simulated
    std::vector<models::ValueId> wanted;                  ///< values to return, fused intermediates included
};

/// What the units did, simulation by simulation: equal segments share one.
struct Timeline {
    std::vector<std::vector<TraceEvent>> simulations;
    std::vector<std::size_t> of_segment;  ///< index into `simulations`
};

struct NetworkResult {
    std::string infeasible;  ///< segment and reason; empty = feasible
    std::vector<SegmentStats> segments;
    std::vector<OffDatapath> constants, host_ops;
    Totals total;
    std::map<models::Part, Totals> parts;
    Hardware hardware;
    std::map<models::ValueId, models::IntTensor> outputs;  ///< functional mode
    Timeline timeline;                                     ///< if Options asks for it
};

/// The mapping of a segment by its name.
struct SegmentMapping {
    std::string segment;
    Mapping mapping;
    std::vector<MappingProblem> problems;  ///< of a pinned mapping that cannot be
    const PinnedMapping* pinned = nullptr; ///< the entry of Options::pinned it comes from
};

/// Simulates `parts` of the graph.
///
/// Contract
///  - timing (`input` null) and functional runs give equal cycles; functional words equal the integer engine's.
///  - callable as often as one likes, from a process without a running OpenMP region; the kernel never runs in the caller.
///  - the invariants of sim/bounds.hpp hold for every segment, or SimulationError.
/// Throws    SimulationError naming the segment in which the child died or broke an invariant
[[nodiscard]] NetworkResult simulate(const models::Graph& graph, const quant::FormatPlan& plan, const Design& design,
                                     const Options& options = {}, const FunctionalInput* input = nullptr);

/// The mappings simulate() uses, in the order of execution: candidates are simulated where that decides, nothing else.
/// Throws    SimulationError
[[nodiscard]] std::vector<SegmentMapping> plan_mappings(const models::Graph& graph, const quant::FormatPlan& plan, const Design& design,
                                                        const Options& options = {});

/// The segments of a design in the order of execution and what is wrong with the mappings pinned for them; nothing is simulated, and
/// the mapping of segments that nothing is pinned for is left open.
[[nodiscard]] std::vector<SegmentMapping> check_mappings(const models::Graph& graph, const quant::FormatPlan& plan, const Design& design,
                                                         const Options& options);

/// Cycles that simulate() cannot beat, whatever mappings are chosen or pinned; 0 where the design is known to be infeasible. Nothing is simulated.
[[nodiscard]] Cycle lower_bound(const models::Graph& graph, const quant::FormatPlan& plan, const Design& design, const Options& options = {});

/// A simulation broke: our own fault, reported with the segment's name.
class SimulationError final : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

}  // namespace prelude::sim
