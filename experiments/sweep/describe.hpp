// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "experiments/store/store.hpp"
#include "experiments/sweep/plan.hpp"

namespace prelude::experiments {

/// What a store says of a sweep, from its configuration.
[[nodiscard]] SweepInfo info_of(const Configuration& configuration, const Grid& grid, const TaskSet& task_set);

}  // namespace prelude::experiments
