// SPDX-License-Identifier: Apache-2.0
#pragma once

// Calibrated ranges + weights -> the integers of every operator.

#include "models/checkpoint/weights.hpp"
#include "models/progress.hpp"
#include "quant/calibration/observer.hpp"
#include "quant/quantized_graph.hpp"

namespace prelude::quant {

/// Lowers a graph to integers.
///
/// Meaning   every node becomes the Operation of docs/numerics.md; scales leave here as mantissas and exponents
///           (operations do not depend on the number of prompt tokens: other graphs of the same model reuse them)
/// Limits    needs the range of every value of the graph that is not a parameter, a score or a probability in row scale
/// Throws    SettingsError when the settings do not fit the model, CheckpointError when a tensor is missing
[[nodiscard]] QuantizedGraph quantize(const models::SamConfig& config, const models::Graph& graph, const models::Weights& weights,
                                      const Settings& settings, Ranges ranges, const models::ReportProgress& report = {});

}  // namespace prelude::quant
