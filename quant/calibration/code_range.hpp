// SPDX-License-Identifier: Apache-2.0
#pragma once

// The range that operand codes cover: what calibration saw, or the part of it that the observer prefers.

#include <optional>
#include <span>

#include "quant/calibration/observer.hpp"

namespace prelude::quant {

/// Range of the codes of the channels of one group.
///
/// Meaning   min_max, moving_average  `observed`
///           mse           one factor of both ends, by mean |x^ - x|^2.4 over the sample
///           percentile    of the central 99.9, 99.99 and 99.999 % of the sample the one with the least squared error
///           mse_grid      the exhaustive search over widths and zero points;  mse_bounded  the bounded one (quant/calibration/range_search.hpp)
/// Shapes    group_of by channel; empty: all channels are group 0
/// Limits    searches look at the sample only; without one of the group's elements `observed` stays
/// Source    RepQ-ViT (percentile), PTQ4SAM (mse_grid, mse_bounded)
[[nodiscard]] Range code_range(const ValueRanges& seen, const Range& observed, std::span<const std::int32_t> group_of, std::int32_t group, int bits,
                               Observer observer);

}  // namespace prelude::quant
