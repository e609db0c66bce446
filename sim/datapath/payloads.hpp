// SPDX-License-Identifier: Apache-2.0
#pragma once

// Functional mode: the words behind the transfers. Nothing here takes time; timing mode never calls it.

#include "sim/datapath/context.hpp"
#include "sim/datapath/tile.hpp"

namespace prelude::sim {

/// Words of a tile that a DMA has loaded: gathered from memory through the operand's address map, padding filled in; weights from the
/// operation.
void fill_tile(const Run& run, const Command& load, Tile& tile);

/// The codes of a row-normalised product beside its sums: the row sums form there while the codes stream.
void keep_codes(const Command& multiply, Tile& left, Tile& sums);

/// Words of an output tile back to memory.
void store_tile(const Run& run, const Command& store, Tile& tile);

/// Keeps the word of a value that never reaches DRAM because it is fused, if the caller asked for it.
void capture(const Run& run, models::ValueId value, std::int64_t logical_index, std::int32_t word);
[[nodiscard]] bool is_wanted(const Run& run, models::ValueId value);

/// The contraction of a linear, (patch) convolution or transposed convolution node; null for a product of two values.
[[nodiscard]] const quant::Contraction* contraction_of(const Run& run, models::NodeId node);

}  // namespace prelude::sim
