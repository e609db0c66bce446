// SPDX-License-Identifier: Apache-2.0
#pragma once

// From the model.*, data.* and quant.calibration.* keys to the things they name.

#include <memory>
#include <optional>

#include "experiments/config/settings.hpp"
#include "models/checkpoint/weights.hpp"
#include "models/data/evaluation_set.hpp"

namespace prelude::experiments {

struct LoadedModel {
    models::SamConfig config;
    std::optional<models::Weights> weights;  ///< empty: shapes only
};

/// Path of the weights the settings name; empty for a shapes-only model.
[[nodiscard]] std::string checkpoint_path(const ModelSettings& model);

/// Throws    CheckpointError listing everything that does not fit the configuration
[[nodiscard]] LoadedModel load_model(const ModelSettings& model);

/// The configuration alone; reads at most the checkpoint's header.
[[nodiscard]] models::SamConfig model_config(const ModelSettings& model);

/// The pictures accuracy is measured on.
[[nodiscard]] std::unique_ptr<models::EvaluationSet> evaluation_set(const DataSettings& data, const models::SamConfig& config);

/// The pictures calibration looks at: the training split, or the evaluated pictures themselves.
[[nodiscard]] std::unique_ptr<models::EvaluationSet> calibration_set(const Settings& settings, const models::SamConfig& config);

}  // namespace prelude::experiments
