// SPDX-License-Identifier: Apache-2.0
#pragma once

// Whether the integers of a QuantizedGraph fit a graph: what a file from a stranger must show before a walk may index by it.

#include <string>
#include <vector>

#include "quant/quantized_graph.hpp"

namespace prelude::quant {

/// Every way in which `quantized` does not fit `graph`, one sentence each; an empty list means that all walks stay inside their arrays,
/// codes stay inside their formats and no sum leaves 63 bits.
///
/// Checked  each node has an operation of its kind; each vector has the length its shapes ask for; formats, shifts, levels, group numbers
///          and limits agree with each other. Whether the numbers are *good* is not asked.
[[nodiscard]] std::vector<std::string> inconsistencies(const models::Graph& graph, const QuantizedGraph& quantized);

}  // namespace prelude::quant
