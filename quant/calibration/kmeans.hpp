// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace prelude::quant {

using Point2 = std::array<double, 2>;

struct Clusters {
    std::vector<std::int32_t> labels;  ///< [points]
    std::vector<Point2> centres;       ///< [k] means of the members
    double inertia = 0;                ///< sum of squared distances to the centres
};

/// Lloyd's k-means with single-point exchanges, from greedy k-means++ starts (forty, the best is kept). Deterministic: the seed is part of the function.
///
/// Limits    1 <= k <= number of points; an empty cluster takes the point farthest from its centre, so every label occurs
/// Throws    nothing; k out of range is a programming error
[[nodiscard]] Clusters kmeans(std::span<const Point2> points, std::int64_t k);

}  // namespace prelude::quant
