// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "models/data/evaluation_set.hpp"
#include "models/progress.hpp"
#include "quant/compat/observer.hpp"
#include "quant/compat/predictor.hpp"
#include "quant/settings.hpp"

namespace prelude::quant::compat {

/// Quantizes a model as the published code does before it trains scales and rounding.
///
/// Meaning   quant.big: keys of the token-to-image attentions with two peaks, at the first prompt of the first picture, have their channels'
///           signs folded into the projections; ranges and searches over the pictures (observer.hpp); quant.acnr: the condition number of linear
///           weights is reduced; weights are rounded (weights.hpp)
/// Settings  weight_bits, activation_bits, groups, mlp_hidden_scheme, hluq.{variant, alpha, beta}, softmax.{scheme, log_base, alpha, bits},
///           big, acnr; others belong to the integer path
/// Differs   acnr: errors are those of float inputs, quantized, not of inputs that earlier layers have already disturbed
/// Throws    SettingsError naming what the settings do not fit
[[nodiscard]] FakeQuantizedModel calibrate(const models::SamConfig& config, models::Weights weights, const models::EvaluationSet& set, const Settings& settings,
                                           const models::ReportProgress& report = {});

/// Rounds the weights of every layer that the observer's points enter, after the reduction of their condition number if asked for.
void quantize_weights(const models::Graph& graph, const Observer& observer, const Settings& settings, FakeQuantizedModel& model);

}  // namespace prelude::quant::compat
