// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which nodes of a network are handed over, and what their words are called by.

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/dumps/tensor_description.hpp"
#include "models/graph/graph.hpp"
#include "models/graph/sam_config.hpp"

namespace prelude::experiments {

inline constexpr std::array<std::string_view, 6> kHandedUnits{"pe_array", "post_unit", "softmax", "layernorm", "gelu", "dma"};

/// The unit of the datapath that computes a node: pe_array (contractions, products, relative positions), post_unit (additions, requantizations, resizing, prompt features),
/// softmax, layernorm, gelu (ReLU too), dma (movements). Constants: empty.
[[nodiscard]] std::string_view unit_of(const models::Node& node);

/// Nodes whose name matches one of `patterns` (* and ?; none: all) and whose unit is one of `units` (none: all), ascending. Constants are no layers.
/// Throws    models::InputError naming patterns that no node matches, with names that are close, and units that are none
[[nodiscard]] std::vector<models::NodeId> select_nodes(const models::Graph& graph, std::span<const std::string> patterns,
                                                       std::span<const std::string> units);

/// The coordinates of a value's words: of tokens window, token and channel; of attention window, head, token and channel, or query and key; of images channel, y and x.
///
/// Contract  their extents multiply to the words of the value
[[nodiscard]] std::vector<Coordinate> coordinates_of(const models::Graph& graph, models::ValueId value, const models::SamConfig& config);

/// '.' as '_', for file names of C arrays and namespaces.
[[nodiscard]] std::string c_name(std::string_view name);

}  // namespace prelude::experiments
