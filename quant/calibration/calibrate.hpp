// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "models/data/evaluation_set.hpp"
#include "models/predictor.hpp"
#include "quant/calibration/observer.hpp"

namespace prelude::quant {

/// Names of the values that enter a lin2: the hidden layers of the MLPs.
[[nodiscard]] std::set<std::string, std::less<>> hidden_layers(const models::Graph& graph);

/// Runs the FP32 model over a set and collects the range of every value, and a sample of rows of the hidden layers.
///
/// Meaning   each picture is encoded once and asked for every one of its prompts; the observer closes a picture after its prompts
[[nodiscard]] Ranges calibrate(models::Predictor& predictor, const models::EvaluationSet& set, const CalibrationSettings& settings);

/// Ranges as a safetensors file (f64 ends, f32 samples), atomic; and back. Throws CheckpointError for a broken file.
void save_ranges(const Ranges& ranges, const std::filesystem::path& path);
[[nodiscard]] Ranges load_ranges(const std::filesystem::path& path);

}  // namespace prelude::quant
