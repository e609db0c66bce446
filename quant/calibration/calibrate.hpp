// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "models/data/evaluation_set.hpp"
#include "models/predictor.hpp"
#include "models/progress.hpp"
#include "quant/calibration/observer.hpp"
#include "quant/settings.hpp"

namespace prelude::quant {

/// Which rows calibration samples for these settings beside those of the hidden layers, as a text that differs where they do.
[[nodiscard]] std::string sampled_rows(const Settings& settings);

/// Runs the FP32 model over a set and collects the range of every value, and a sample of the rows that searches need.
///
/// Meaning   each picture is encoded once and asked for every one of its prompts; the observer closes a picture after its prompts
/// Throws    SettingsError naming the first values that are NaN or infinite, and how many of them are
[[nodiscard]] Ranges calibrate(models::Predictor& predictor, const models::EvaluationSet& set, const Settings& settings,
                               const models::ReportProgress& report = {});

/// Ranges as a safetensors file (f64 ends, f32 samples), atomic; and back. Throws CheckpointError for a broken file.
void save_ranges(const Ranges& ranges, const std::filesystem::path& path);
[[nodiscard]] Ranges load_ranges(const std::filesystem::path& path);

}  // namespace prelude::quant
