// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "experiments/diagnosis/cause.hpp"
#include "experiments/diagnosis/evidence.hpp"
#include "experiments/diagnosis/node_trial.hpp"

namespace prelude::experiments {

/// Faults of t_c = sat(round((D x_c - sum x) y 2^-(16 + e - F))), V = D sum x^2 - (sum x)^2 + eps D^2, before the rescale: sums that miss channels, go on from the row before or
/// are not subtracted, epsilon, shifts, rounding, the root.
[[nodiscard]] std::vector<Finding> causes_of_norm(const Evidence& evidence, const NodeTrial& trial);

}  // namespace prelude::experiments
