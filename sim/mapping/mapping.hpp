// SPDX-License-Identifier: Apache-2.0
#pragma once

// How a segment is tiled: a plain value that can be printed, pinned and replayed. The mapper chooses the cheapest by an
// analytic estimate under the buffer capacities; an infeasible segment is a value with its reason.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/mapping/hardware.hpp"
#include "sim/mapping/pe_timing.hpp"

namespace prelude::sim {

enum class LoopOrder { rows_outer, cols_outer };

/// Most query tiles whose score rows are on chip at once.
inline constexpr int kMaxScoreSlots = 4;

struct Mapping {
    std::int64_t tile_rows = 0, tile_cols = 0, tile_depth = 0;  ///< attention: query rows, keys, -; vector segments: rows
    LoopOrder order = LoopOrder::rows_outer;
    bool weight_stationary = false;
    bool swap = false;           ///< left operand's rows on the columns of the array
    int slots = 2;               ///< tiles a buffer pool holds: 2 = double buffering
    int score_slots = 2;         ///< attention: query tiles whose score rows are on chip, up to kMaxScoreSlots
    int key_slots = 2;           ///< attention: tiles of K (and of V) on chip
    bool keys_resident = false;  ///< attention: a tile of K and V is a whole head
    std::int64_t estimated_cycles = 0;
    std::string infeasible{};                     ///< reason; empty = feasible
    [[nodiscard]] std::string to_string() const;  ///< "rows 128 cols 96 depth 768, rows outer, output stationary, 2 slots"
    friend bool operator==(const Mapping&, const Mapping&) = default;
};

/// What the mapper must know of a product segment.
struct ProductShape {
    std::int64_t batch = 1, rows = 0, cols = 0, depth = 0;
    ProductForm form;
    int accumulator_bits = 32, output_bits = 16, residual_bits = 0;
    bool dynamic_right = false;           ///< the right operand changes with the batch
    std::int64_t depth_unit = 1;          ///< K may be cut at multiples of this (convolution taps; accumulator chunks)
    double left_reload = 1.0;             ///< bytes the left operand occupies in DRAM per byte read by rows (overlapping windows: below 1)
    bool table = false;                   ///< the activation unit follows
    std::int64_t extra_rows_bits = 0;     ///< per left row kept in the activation buffer beside the tile (relative-position terms)
    bool needs_whole_rows_outer = false;  ///< relative positions: all columns of a row tile follow each other
};

[[nodiscard]] Mapping map_product(const Hardware& hardware, const ProductShape& shape);

struct AttentionShape {
    std::int64_t batch = 1, queries = 0, keys = 0, head_dim = 0, grid_height = 0, grid_width = 0;
    ProductForm scores{}, weighted{};
    int score_bits = 16, probability_bits = 8, scores_accumulator_bits = 32, weighted_accumulator_bits = 40, output_bits = 8;
    SoftmaxStages softmax{};
    int table_bits = 8;
    bool relative = false;
    std::int64_t key_unit = 1;  ///< keys may be cut at multiples of this
};
[[nodiscard]] Mapping map_attention(const Hardware& hardware, const AttentionShape& shape);

/// Row-wise vector segments: `row_bits` of all tiles of a row in a buffer of `capacity_bits`.
[[nodiscard]] Mapping map_rows(const Hardware& hardware, std::int64_t capacity_bits, std::int64_t rows, std::int64_t row_bits);

}  // namespace prelude::sim
