// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "experiments/diagnosis/cause.hpp"
#include "experiments/diagnosis/evidence.hpp"
#include "experiments/diagnosis/node_trial.hpp"

namespace prelude::experiments {

/// What the codes of a logarithmic, hybrid or companded operand count as in dumped sums: sums are linear in them, so they are solved for, and what differs from the
/// right table is named.
///
/// Contract  the solved table gives every dumped sum exactly
/// Limits    linear layers and products of two values, codes of up to 8 bits, sums below 2^52
[[nodiscard]] std::vector<Finding> causes_of_codes(const Evidence& evidence, const NodeTrial& trial);

}  // namespace prelude::experiments
