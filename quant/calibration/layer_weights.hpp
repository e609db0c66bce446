// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "models/checkpoint/weights.hpp"
#include "quant/calibration/observer.hpp"
#include "quant/calibration/weights.hpp"
#include "quant/quantized_graph.hpp"

namespace prelude::quant {

/// A layer's weights as codes and its real bias.
struct LayerCodes {
    QuantizedWeights weights;
    std::vector<double> bias;  ///< [N / shared]; empty: none
};

/// How a layer's float weights lie over its input.
struct LayerShape {
    std::int64_t num_outputs = 0;
    std::size_t shared = 1;  ///< consecutive outputs with one scale and bias (transposed convolution)
    std::size_t taps = 1;    ///< positions of k per input channel (convolution)
};

/// Rounds the weights [N, K] of a node as quant.weight_rounding says, after the reduction of their condition number (quant.acnr).
///
/// Meaning   acnr: linear layers whose input has at most 8 bits; the input's errors are those of its codes on the sampled rows. The target of
///           least_squares stays the output of the weights as they were
/// Contract  scales of the node's input are settled; a picture's pixels have no sampled rows: their layer is rounded to nearest
/// Throws    SettingsError when calibration kept no rows of the input
[[nodiscard]] LayerCodes layer_codes(const models::Graph& graph, const models::Node& node, std::span<const float> values, std::span<const float> bias,
                                     const LayerShape& shape, const Settings& settings, const Ranges& ranges, const QuantizedGraph& target);

}  // namespace prelude::quant
