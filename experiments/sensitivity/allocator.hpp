// SPDX-License-Identifier: Apache-2.0
#pragma once

// Widths of all layers within a budget: measured, chosen, corrected by what the network as a whole takes, and evaluated beside uniform ones.

#include "experiments/compare/comparison.hpp"
#include "experiments/evaluate/design_point.hpp"
#include "experiments/sensitivity/allocation.hpp"

namespace prelude::experiments {

struct AllocationRequest {
    std::string budget, widths;  ///< as typed
    std::filesystem::path out;
    StudyOptions study;
};

/// One of the two points that are evaluated side by side.
struct Candidate {
    std::string name;
    WidthChoice choice;
    double predicted = 0;  ///< error of the mask logits, if damages add up
    double measured = 0;
    std::int64_t predicted_cycles = 0;  ///< 0: not asked for
    Row row = {};
};

/// Contract  what it is given outlives it; its hardware is that of the configured point: `fill` and `auto` are resolved there and stay; for a latency budget
///           an automatic clock is the slowest that a pair of widths asks for
class Allocator final {
  public:
    /// Throws    models::InputError for a budget or widths of another form, and a latency budget on a design that does not fit its device
    Allocator(const Configuration& point, const std::vector<Layer>& layers, const AllocationRequest& request, const MakeTaskSet& make_task_set, const Interrupt& interrupt);

    /// The two points: uniform, allocated; nothing after Ctrl-C.
    /// Throws    models::InputError for a budget out of reach, widths that do not fit the device and a datapath that narrower operands do not make faster
    [[nodiscard]] std::optional<std::vector<Candidate>> run();

    /// Error on the calibration pictures and the full evaluation of both candidates; false after Ctrl-C.
    ///
    /// Meaning   `comparison`: of their masks, unless the two are the same
    [[nodiscard]] bool evaluate(std::vector<Candidate>& candidates, std::optional<PairedComparison>& comparison) const;

    [[nodiscard]] const WidthSpace& space() const noexcept { return space_; }
    [[nodiscard]] const DamageTable& damages() const noexcept { return damages_; }
    [[nodiscard]] const Configuration& point() const noexcept { return point_; }
    [[nodiscard]] const Budget& budget() const noexcept { return budget_; }

  private:
    using Timings = std::map<WidthPair, nlohmann::json>;  ///< of the network where all layers have a pair of widths

    bool measure_damages();  ///< false after Ctrl-C
    void settle_clock(const std::vector<WidthPair>& pairs);
    [[nodiscard]] std::optional<Timings> time_pairs();
    void refuse_without_reward(const Timings& timings) const;
    [[nodiscard]] std::optional<std::int64_t> cycles_of(const WidthChoice& choice) const;
    [[nodiscard]] std::optional<std::int64_t> latency_budget() const;
    [[nodiscard]] std::int64_t weight_budget(const AllocationProblem& problem) const;
    [[nodiscard]] std::vector<Candidate> by_weights() const;
    [[nodiscard]] std::optional<std::vector<Candidate>> by_latency(const Timings& timings) const;
    [[nodiscard]] Candidate uniform_weights(std::int64_t bits) const;
    [[nodiscard]] Candidate uniform_pair(const Timings& timings, std::int64_t cycles) const;
    [[nodiscard]] double predicted(const WidthChoice& choice) const { return damages_.rest_error + damages_.damage_of(space_, choice); }
    [[nodiscard]] double milliseconds(std::int64_t cycles) const { return static_cast<double>(cycles) / (point_.base.hw.clock_mhz * 1e3); }

    const AllocationRequest& request_;
    const MakeTaskSet& make_task_set_;
    const Interrupt& interrupt_;
    Budget budget_;
    WidthSpace space_;
    DesignPoint design_;
    Configuration point_;
    bool clock_is_automatic_;
    DamageTable damages_;
};

}  // namespace prelude::experiments
