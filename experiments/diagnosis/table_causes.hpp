// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "experiments/diagnosis/cause.hpp"
#include "experiments/diagnosis/evidence.hpp"
#include "experiments/diagnosis/node_trial.hpp"

namespace prelude::experiments {

/// Faults of a table of words: entries beside the right one, single wrong entries.
[[nodiscard]] std::vector<Finding> causes_of_table(const Evidence& evidence, const NodeTrial& trial);

}  // namespace prelude::experiments
