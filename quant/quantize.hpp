// SPDX-License-Identifier: Apache-2.0
#pragma once

// Calibrated ranges + weights -> the integers of every operator.

#include "models/checkpoint/weights.hpp"
#include "quant/calibration/observer.hpp"
#include "quant/quantized_graph.hpp"

namespace prelude::quant {

/// Lowers a graph to integers.
///
/// Meaning   every node becomes the Operation of docs/numerics.md; scales leave here as mantissas and exponents
/// Limits    needs the range of every value of the graph that is not a parameter, a score or a probability in row scale
/// Throws    SettingsError when the settings do not fit the model, CheckpointError when a tensor is missing
[[nodiscard]] QuantizedGraph quantize(const models::SamConfig& config, const models::Graph& graph, const models::Weights& weights,
                                      const Settings& settings, const Ranges& ranges);

/// Adds the operations of another graph of the same model (other prompts) to `target`; formats that exist keep their scales.
void extend(QuantizedGraph& target, const models::Graph& graph, const models::Weights& weights, const Ranges& ranges);

}  // namespace prelude::quant
