// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "experiments/diagnosis/cause.hpp"
#include "experiments/diagnosis/evidence.hpp"
#include "experiments/diagnosis/node_trial.hpp"
#include "experiments/diagnosis/sum_causes.hpp"

namespace prelude::experiments {

/// Faults of a linear layer that no other integers stand for: tiles of operands or weights that were loaded too seldom, sums of groups that are too narrow.
///
/// Contract  a word at a time, and the first that is not predicted ends a supposition: what is true costs all products of the layer once, what is false a few
/// Limits    layers of type linear; tiles of the mapping, and of powers of two up to 64
[[nodiscard]] std::vector<Finding> causes_of_linear(const Evidence& evidence, const NodeTrial& trial, Stage stage);

}  // namespace prelude::experiments
