// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quant/settings.hpp"

namespace prelude::quant {

/// Weight codes and the real value of one step per output row.
struct QuantizedWeights {
    std::int64_t num_outputs = 0;
    std::vector<std::int32_t> codes;  ///< [N, K] centred: w - z_w
    std::vector<double> scale;        ///< [N]
};

/// Uniform weights by rounding to nearest.
///
/// Meaning   symmetric: s = max|w| / (2^(b-1) - 1), codes +-(2^(b-1) - 1); asymmetric: s = (max - min) / (2^b - 1) with real 0 inside,
///           centred codes q - z. Per output row, or one scale for the tensor
/// Shapes    values [N, K]; `shared` consecutive rows share a scale (the k*k positions of a transposed convolution's channel)
[[nodiscard]] QuantizedWeights quantize_weights(std::span<const float> values, std::int64_t num_outputs, std::int64_t depth, std::size_t shared,
                                                int bits, const Settings& settings);

}  // namespace prelude::quant
