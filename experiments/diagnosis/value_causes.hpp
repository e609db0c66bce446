// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "experiments/diagnosis/cause.hpp"
#include "experiments/diagnosis/evidence.hpp"

namespace prelude::experiments {

/// Faults that golden and dumped words of the tensor alone show: order of bytes, words and axes, places, sign, ends of the range, parts that are stale or were never written.
///
/// Contract  at most one cause, the first that holds; byte_order, element_order, transposed, misplaced, sign_extension, saturation and zero_point predict every word,
///           loop_bound, stale_buffer and not_written every mismatch and no match
[[nodiscard]] std::vector<Finding> causes_by_values(const Evidence& evidence);

}  // namespace prelude::experiments
