// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which points of a sweep are worth simulating: those that what is known before, bounds of time and exact resources and accuracy, does not
// already show to be beaten by a point that was simulated.

#include <cstdint>
#include <span>
#include <vector>

#include "experiments/evaluate/tasks.hpp"
#include "experiments/store/store.hpp"

namespace prelude::experiments {

/// One round of decisions; indices into `open`.
struct PruneRound {
    struct Pruned {
        std::size_t point = 0;
        std::int64_t by = 0;  ///< number of the point that beats it
    };
    std::vector<std::size_t> simulate;
    std::vector<Pruned> pruned;
};

/// Decides on points that were not simulated yet.
///
/// Contract
///  - a point is pruned only if a row of `simulated` that is ok and satisfies the constraints is not worse in any objective than the point could be at
///    best and better in one: the point is dominated, and whatever it dominates is, too, so that the Pareto front stays what it is on the whole grid;
///  - of the others those go on whose best values no other open point's dominate; a value that is not known counts as the best there can be;
///  - a pure function of its arguments: equal for any number of workers; there is a point to simulate unless all are pruned.
[[nodiscard]] PruneRound prune(const SweepInfo& info, std::span<const Row> simulated, std::span<const BestCase> open);

}  // namespace prelude::experiments
