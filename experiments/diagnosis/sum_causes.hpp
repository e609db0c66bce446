// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "experiments/diagnosis/cause.hpp"
#include "experiments/diagnosis/evidence.hpp"
#include "experiments/diagnosis/node_trial.hpp"

namespace prelude::experiments {

/// What the dumped words are.
enum class Stage { sums, words };

/// Faults of the sums of a contraction or product: zero points, groups, codes, order of weights, loop ends, narrow accumulators, sums that are not cleared, tiles that are not loaded.
///
/// Limits    tiles of the mapping, and of powers of two up to 64
[[nodiscard]] std::vector<Finding> causes_of_sums(const Evidence& evidence, const NodeTrial& trial, Stage stage);

}  // namespace prelude::experiments
