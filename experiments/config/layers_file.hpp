// SPDX-License-Identifier: Apache-2.0
#pragma once

// Files of layers (model.kind: layers): a network that is not SAM, as a list of operators with their sizes.
//
//     layers:
//       - {name: patches, op: conv, channels: 3, height: 224, width: 224, filters: 192, kernel: 16, stride: 16}
//       - {name: tokens, op: tokens}
//       - name: block
//         repeat: 12
//         layers:
//           - {name: norm1, op: layer_norm}
//           ...
//
// What each operator has: models/graph/layers.hpp; examples: arch_configs/workloads.

#include "experiments/config/error.hpp"
#include "models/graph/layers.hpp"

#include <filesystem>
#include <optional>

namespace prelude::experiments {

/// Reads a file of layers and builds its graph; everything wrong with the file goes to `problems`, at its place.
[[nodiscard]] std::optional<models::Graph> read_layers(const std::filesystem::path& file, Problems& problems);

/// The same for a file that was read before. Throws    ConfigError where it no longer can be
[[nodiscard]] models::Graph layers_graph(const std::filesystem::path& file);

}  // namespace prelude::experiments
