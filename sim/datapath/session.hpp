// SPDX-License-Identifier: Apache-2.0
#pragma once

// One elaborated accelerator for the life of a process: what the simulating child works with. No SystemC in this header.

#include <memory>

#include "sim/mapping/hardware.hpp"
#include "sim/mapping/program.hpp"
#include "sim/simulate.hpp"

namespace prelude::sim {

struct Substitutes;

/// Contract
///  - at most one per process (a second elaboration fails in the kernel).
///  - every run starts from the same drained state: equal programs, equal cycles.
///  - after a run that throws (a deadlock) it can only be left alone: neither run nor destroyed.
class Session {
  public:
    /// `substitutes` (sim/datapath/accelerator.hpp): other models of some units; null: none.
    Session(const Layout& layout, const quant::FormatPlan& plan, const Hardware& hardware, const FunctionalInput* input, bool trace,
            const Substitutes* substitutes = nullptr);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    /// Whether a run of functional mode moves words; a run without them leaves memory and trace as they are and takes the same cycles.
    enum class Words { none, all };
    /// Simulates a program and fills the counters of `stats`.
    void run(const Program& program, SegmentStats& stats, Words words = Words::all);
    /// What the units did in the last run, in the order in which it ended; nothing unless a trace is kept.
    [[nodiscard]] std::vector<TraceEvent> take_trace();
    /// Words of a value after the run: stored, fused and captured, or reached through movement.
    [[nodiscard]] models::IntTensor words(models::ValueId value) const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace prelude::sim
