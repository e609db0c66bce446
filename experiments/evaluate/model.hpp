// SPDX-License-Identifier: Apache-2.0
#pragma once

// From the model.*, data.* and quant.calibration.* keys to the things they name.

#include <memory>
#include <optional>
#include <string>

#include "experiments/config/settings.hpp"
#include "models/checkpoint/weights.hpp"
#include "models/data/evaluation_set.hpp"

namespace prelude::experiments {

struct LoadedModel {
    models::SamConfig config;
    std::optional<models::Weights> weights;  ///< empty: shapes only
};

/// The preset, or the path of the list of layers.
[[nodiscard]] const std::string& model_name(const ModelSettings& model);

/// Path of the weights the settings name; empty for a shapes-only model.
[[nodiscard]] std::string checkpoint_path(const ModelSettings& model);

/// Throws    CheckpointError listing everything that does not fit the configuration
[[nodiscard]] LoadedModel load_model(const ModelSettings& model);

/// The configuration alone; reads at most the checkpoint's header.
[[nodiscard]] models::SamConfig model_config(const ModelSettings& model);

/// The pictures accuracy is measured on: kinds in turn, each with its share; a COCO file that has fewer pictures gives all it has.
/// Throws    DataError listing what is wrong with the file or its pictures
[[nodiscard]] std::unique_ptr<models::EvaluationSet> evaluation_set(const DataSettings& data, const models::SamConfig& config);

/// The pictures calibration looks at: the training split, or the evaluated pictures themselves. A COCO file or a folder of masks
/// has no training split of its own: generated scenes, for masks phantoms too, stand in, so that no evaluated picture is seen unless asked for.
[[nodiscard]] std::unique_ptr<models::EvaluationSet> calibration_set(const Settings& settings, const models::SamConfig& config);

/// What a key of a cached result says of the data set at data.path: the SHA-256 of the bytes of the annotation file or the masks, and of
/// the pictures' names and sizes (not of their bytes: a picture replaced by one of equal length is not noticed).
/// Throws    DataError for a broken annotation file or folder
[[nodiscard]] std::string content_of_data(const DataSettings& data);

}  // namespace prelude::experiments
