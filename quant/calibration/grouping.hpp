// SPDX-License-Identifier: Apache-2.0
#pragma once

// Channel-aware grouping: channels of similar range share one scale and zero point.

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

struct GroupingForm {
    std::int64_t num_groups = 1;
    GroupRule rule = GroupRule::noise;
    std::int64_t align = 1;  ///< sizes are multiples of this, all but the last group's
    int bits = 8;            ///< width of the codes: k-means looks at scales and zero points
};

/// Splits channels into groups of similar range.
///
/// Meaning   noise         channels in the order of their width are cut into runs; the cuts minimise sum over groups of size * (envelope width)^2,
///                         the power of the uniform quantization noise (exact, by dynamic programming)
///           kmeans        k-means on (scale, zero point), each in units of its deviation over the channels
///           kmeans_raw    k-means on (scale, zero point) as they are, in the published stages: 8 G, 4 G, 2 G, G clusters, each stage on what the one
///                         before made of the channels
///           A group's range is the envelope of its members: a centroid would clip half of them
///           align         groups in the order of their mean width; boundaries move to the nearest multiple
/// Limits    1 <= num_groups, num_groups * align <= number of channels (per channel: align has no meaning)
/// Source    AHCPTQ (channel-aware grouping); noise, normalised features and alignment are ours
[[nodiscard]] Grouping group_channels(std::span<const Range> channels, const GroupingForm& form);

}  // namespace prelude::quant
