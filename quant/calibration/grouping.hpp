// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quant/calibration/observer.hpp"

namespace prelude::quant {

/// Channels split into groups that share one scale and zero point.
struct Grouping {
    std::vector<std::int32_t> group_of;  ///< [C]
    std::vector<Range> ranges;           ///< [G] envelope of the members
};

/// Splits channels into `num_groups` groups of similar range.
///
/// Meaning   channels in the order of their width are cut into runs; the cuts minimise sum over groups of
///           size * (envelope width)^2, the power of the uniform quantization noise (exact, by dynamic programming)
/// Limits    1 <= num_groups <= number of channels; more groups never raise the cost
/// Source    ours; clean mode takes envelopes, since a k-means centroid clips by construction (numerics.md section 1)
[[nodiscard]] Grouping group_channels(std::span<const Range> channels, std::int64_t num_groups);

}  // namespace prelude::quant
