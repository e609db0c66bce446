// SPDX-License-Identifier: Apache-2.0
#pragma once

// Functional mode in floating point: the words of every unit, by the functions of quant/float on tiles. Nothing here takes time.
// Tiles hold bit patterns; sums and relative-position terms are binary32 numbers beside them.

#include "sim/datapath/context.hpp"
#include "sim/datapath/tile.hpp"

namespace prelude::sim {

/// Weights of the rows of a load.
void fill_float_weights(const Run& run, models::NodeId node, const Command& load, Tile& tile);

/// Adds the products of a command to the running sums.
void multiply_floats(const Run& run, const Command& command, const ProductUse& use, Tile& left, Tile& right, Tile& sums);

/// Sums -> words of the output: scale or bias, relative positions, then what is fused behind.
void finish_floats(const Run& run, const Command& command, const ProductUse& use, Tile& sums, Tile& output, Tile* extra);

/// Terms of the relative positions of the query rows in `query`.
void relative_float_terms(const Run& run, const Command& command, const ProductUse& use, Tile& query, Tile& terms);

/// Addition, GELU, ReLU, resize and prompt features on whole rows.
void elementwise_floats(const Run& run, const Command& command, Tile& input, Tile* second, Tile& output);

void softmax_floats(const Run& run, const Command& command, models::NodeId softmax, Tile& scores, Tile& probabilities);
void layer_norm_floats(const Run& run, const Command& command, Tile& input, Tile& output);

}  // namespace prelude::sim
