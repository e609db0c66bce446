// SPDX-License-Identifier: Apache-2.0
#pragma once

// Weight rounding without gradients: codes that keep a layer's output on sampled inputs, where rounding to nearest keeps its weights.

#include <span>
#include <vector>

#include "quant/calibration/weights.hpp"

namespace prelude::quant {

/// Sampled inputs of a layer [R, K]: as they are, and as their codes say.
struct LayerSample {
    std::span<const float> real, coded;
};

/// Codes, and what the bias gains so that the mean output stays.
struct RoundedLayer {
    QuantizedWeights weights;
    std::vector<double> bias_change;  ///< [N]; gptq: 0
};

/// Rounds column after column; the error of each is undone as far as the remaining columns can (inputs of most energy first).
///
/// Meaning   gptq            min over codes of |X^ (q s - w)|^2 per output: the coded inputs X^ are taken for the true ones
///           least_squares   min of |X^ q s + b' - (X w + b)|^2: the weights also make up for the error of their inputs. Unrounded optimum
///                           w* = (X^'X^ + lambda)^-1 (X^'X w + lambda w) of centred rows, then as gptq towards w*; b' from the means
///           lambda = 1 % of the mean energy of an input. An output that this does not improve on the sample keeps its nearest codes
/// Shapes    values [N, K], a grid per output
/// Source    Frantar, GPTQ; Hassibi, Optimal Brain Surgeon; the target of float outputs is ours
[[nodiscard]] RoundedLayer round_to_outputs(std::span<const float> values, const std::vector<WeightGrid>& grids, const LayerSample& sample,
                                            WeightRounding method);

}  // namespace prelude::quant
