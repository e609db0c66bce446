// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "models/checkpoint/weights.hpp"

namespace prelude::quant::compat {

/// Weights [N, ...] rounded to asymmetric codes and back, each output channel n with a scale and zero point of its own.
///
/// Meaning   per channel the range of smallest mean |w^ - w|^2.4 of 100 widths and every zero point (quant/calibration/range_search.hpp)
/// Limits    more than 8 bits: the extremes (the search would try 2^b zero points, and nothing is left to gain)
/// Source    the MSE observer of PTQ4SAM and AHCPTQ
[[nodiscard]] models::Tensor rounded_weights(const models::WeightView& weights, int bits);

}  // namespace prelude::quant::compat
