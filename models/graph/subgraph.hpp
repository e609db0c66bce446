// SPDX-License-Identifier: Apache-2.0
#pragma once

// Part of a graph as a graph of its own: some nodes, their constants, and what they read from elsewhere as inputs.

#include "models/graph/graph.hpp"

namespace prelude::models {

/// Contract
///  - nodes keep their names, order, operators and shapes; so do their values, and what a walk over them computes.
///  - a value that one of them reads and none of them computes is an input, unless it is a constant (a Parameter), which comes along.
[[nodiscard]] Graph subgraph(const Graph& graph, std::span<const NodeId> nodes);

/// The nodes of these names, ascending; a name that no node has is left out.
[[nodiscard]] std::vector<NodeId> nodes_named(const Graph& graph, std::span<const std::string> names);

}  // namespace prelude::models
