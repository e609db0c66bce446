// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "experiments/diagnosis/cause.hpp"
#include "experiments/diagnosis/evidence.hpp"
#include "experiments/diagnosis/node_trial.hpp"

namespace prelude::experiments {

/// Faults of a softmax: the row's largest score or sum of another row, or without a key; entries and width of the exponential; thresholds; the code of what lies below all.
[[nodiscard]] std::vector<Finding> causes_of_softmax(const Evidence& evidence, const NodeTrial& trial);

}  // namespace prelude::experiments
