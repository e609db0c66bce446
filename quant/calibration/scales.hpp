// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "models/checkpoint/weights.hpp"
#include "models/progress.hpp"
#include "quant/calibration/observer.hpp"
#include "quant/quantized_graph.hpp"

namespace prelude::quant {

/// Settles scale, zero point and groups of every value of a graph, and writes the group sizes into the plan.
///
/// Meaning   code: s = (hi - lo) / (2^b - 1), z = clamp(RNE(-lo / s)), per group envelope; fixed and score: the finest power of two
///           that holds the range; a projection added to the residual stream takes that addition's grid (never a finer one)
/// Throws    SettingsError naming the values calibration did not see
///           hybrid: the share of range and codes that costs the least at the output of the layer that reads it (quant/calibration/hybrid_search.hpp)
void settle_scales(const models::Graph& graph, const models::Weights& weights, const Settings& settings, const Ranges& ranges, QuantizedGraph& target,
                   const models::ReportProgress& report = {});

}  // namespace prelude::quant
