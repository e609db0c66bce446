// SPDX-License-Identifier: Apache-2.0
#pragma once

// One elaborated accelerator for the life of a process: what the simulating child works with. No SystemC in this header.

#include <memory>

#include "sim/mapping/hardware.hpp"
#include "sim/mapping/program.hpp"
#include "sim/simulate.hpp"

namespace prelude::sim {

/// Contract
///  - at most one per process (a second elaboration fails in the kernel).
///  - every run starts from the same drained state: equal programs, equal cycles.
class Session {
  public:
    Session(const Layout& layout, const quant::FormatPlan& plan, const Hardware& hardware, const FunctionalInput* input, bool trace);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    /// Whether a run of functional mode moves words; a run without them leaves memory and trace as they are and takes the same cycles.
    enum class Words { none, all };
    /// Simulates a program and fills the counters of `stats`.
    void run(const Program& program, SegmentStats& stats, Words words = Words::all);
    /// Unit activity so far as Chrome trace events, comma separated.
    [[nodiscard]] std::string take_trace(const std::string& segment);
    /// Words of a value after the run: stored, fused and captured, or reached through movement.
    [[nodiscard]] models::IntTensor words(models::ValueId value) const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace prelude::sim
