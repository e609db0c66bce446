// SPDX-License-Identifier: Apache-2.0
#pragma once

// Simulates segments one by one in a process's accelerator, and decides by simulation between the mappings that the mapper proposes.

#include <map>
#include <optional>
#include <string>

#include "sim/datapath/session.hpp"
#include "sim/mapping/build_program.hpp"
#include "sim/simulate.hpp"

namespace prelude::sim {

/// Everything known of a segment before it is simulated.
[[nodiscard]] SegmentStats describe(const models::Graph& graph, const quant::FormatPlan& plan, const Program& program);

class SegmentRunner {
  public:
    SegmentRunner(const Layout& layout, const quant::FormatPlan& plan, const Hardware& hardware, const Options& options, Session& session)
        : layout_(layout), plan_(plan), hardware_(hardware), options_(options), session_(session) {}

    struct Choice {
        Program program;
        std::optional<SegmentStats> stats;  ///< of the whole program in timing mode, where choosing took that
    };
    /// The program of a segment with its pinned mapping, else with the fastest of its candidates; of equal ones the first.
    ///
    /// Contract
    ///  - candidates are simulated without words and without a neighbour's prefetches: timing and functional runs choose alike;
    ///  - of a product or attention core of many batches only some are simulated to choose;
    ///  - no more is simulated once a candidate is within kEnough of what no mapping beats;
    ///  - segments of equal keys are decided once.
    [[nodiscard]] Choice choose(const Segment& segment);

    /// Simulates a whole program, with words in functional mode.
    /// Throws    SimulationError when an invariant of sim/bounds.hpp breaks
    [[nodiscard]] SegmentStats run(const Program& program, Session::Words words);

  private:
    [[nodiscard]] BuildContext context() const { return {layout_.graph, plan_, hardware_, layout_}; }

    const Layout& layout_;
    const quant::FormatPlan& plan_;
    const Hardware& hardware_;
    const Options& options_;
    Session& session_;
    std::map<std::string, Mapping> chosen_;  ///< by segment key
};

/// What `options` pins for a segment; the last entry that matches.
[[nodiscard]] const PinnedMapping* pinned(const Options& options, const Segment& segment);

}  // namespace prelude::sim
