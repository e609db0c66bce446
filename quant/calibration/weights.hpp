// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quant/settings.hpp"

namespace prelude::quant {

/// The codes a weight may take: centred integers c in [least, most], value c * scale.
struct WeightGrid {
    double scale = 1, least = 0, most = 0;
    [[nodiscard]] double code(double value) const noexcept;  ///< the nearest code
    friend bool operator==(const WeightGrid&, const WeightGrid&) = default;
};

/// Weight codes and the real value of one step per output row.
struct QuantizedWeights {
    std::int64_t num_outputs = 0;
    std::vector<std::int32_t> codes;  ///< [N, K] centred: w - z_w
    std::vector<double> scale;        ///< [N]
};

/// A grid per output row.
///
/// Meaning   symmetric: s = extent / (2^(b-1) - 1), codes +-(2^(b-1) - 1); asymmetric: s = (max - min) / (2^b - 1) with real 0 inside,
///           centred codes q - z. Extent: of the extremes, or of the share of them, 20 to 100 % in steps of 2, whose codes
///           have the smallest squared error (quant.weight_range; mse_grid, percentile: quant/calibration/range_search.hpp). 16-bit codes: extremes
/// Shapes    values [N, K]; `shared` consecutive rows share a grid (the k*k positions of a transposed convolution's channel); all do
///           where weights have one scale
[[nodiscard]] std::vector<WeightGrid> weight_grids(std::span<const float> values, std::int64_t num_outputs, std::int64_t depth, std::size_t shared,
                                                   int bits, const Settings& settings);

/// Every weight to its nearest code.
[[nodiscard]] QuantizedWeights round_to_nearest(std::span<const float> values, const std::vector<WeightGrid>& grids);

}  // namespace prelude::quant
