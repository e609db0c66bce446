// SPDX-License-Identifier: Apache-2.0
#pragma once

// How a segment is tiled: a plain value that can be printed, pinned and replayed. The mapper searches tile sizes, loop order, operand roles and
// dataflow by an analytic estimate under the buffer capacities and keeps the best few; the timing kernel decides between them
// (sim/mapping/choose.hpp). An infeasible segment is a value with its reason.

#include <cstdint>
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
    std::string infeasible{};  ///< reason; empty = feasible
    /// As a mapping file has it: "rows: 128, cols: 96, depth: 768, order: rows_outer, dataflow: output_stationary, swap: false, slots: 2".
    [[nodiscard]] std::string to_string() const;
    friend bool operator==(const Mapping&, const Mapping&) = default;
};

/// A mapping used as given for the segments whose name matches.
struct PinnedMapping {
    std::string pattern;  ///< name of a segment, or with * and ?
    Mapping mapping;
    friend bool operator==(const PinnedMapping&, const PinnedMapping&) = default;
};

/// Why a mapping cannot be: which of its fields (as to_string names them; empty: a buffer overflows), and a sentence.
struct MappingProblem {
    std::string field, text;
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

struct AttentionShape {
    std::int64_t batch = 1, queries = 0, keys = 0, head_dim = 0, grid_height = 0, grid_width = 0;
    ProductForm scores{}, weighted{};
    int score_bits = 16, probability_bits = 8, scores_accumulator_bits = 32, weighted_accumulator_bits = 40, output_bits = 8;
    SoftmaxStages softmax{};
    int table_bits = 8;
    bool relative = false;
    std::int64_t key_unit = 1;  ///< keys may be cut at multiples of this
    bool recompute = false;     ///< scores of a tile of keys at a time, made again for every stage of the softmax (AttentionFusion::fused_recompute)
    /// Walks over the keys that make scores.
    [[nodiscard]] int passes() const noexcept { return recompute ? softmax.count : 1; }
    /// Rows of both relative-position tables; 0 without.
    [[nodiscard]] std::int64_t table_rows() const noexcept { return relative ? 2 * (grid_height + grid_width) - 2 : 0; }
};

/// Row-wise vector segments: `row_bits` of all tiles of a row in one buffer.
struct RowsShape {
    std::int64_t rows = 0, row_bits = 0;
    BufferId buffer = BufferId::activation;
};

/// The mappings worth simulating, best estimate first, at most Hardware::mapping_candidates; never empty.
///
/// Contract
///  - each is feasible, or there is one that names the buffer which the smallest tile overflows;
///  - they differ: in loop order, operand roles or dataflow, or in the extent of a tile by a quarter at least.
[[nodiscard]] std::vector<Mapping> candidates(const Hardware& hardware, const ProductShape& shape);
[[nodiscard]] std::vector<Mapping> candidates(const Hardware& hardware, const AttentionShape& shape);
[[nodiscard]] std::vector<Mapping> candidates(const Hardware& hardware, const RowsShape& shape);

/// What is wrong with a mapping that somebody pinned: extents beyond the segment's, roles and dataflows the hardware lacks, buffers that
/// overflow and by how many KiB. Empty: it can be used.
[[nodiscard]] std::vector<MappingProblem> problems(const Hardware& hardware, const ProductShape& shape, const Mapping& mapping);
[[nodiscard]] std::vector<MappingProblem> problems(const Hardware& hardware, const AttentionShape& shape, const Mapping& mapping);
[[nodiscard]] std::vector<MappingProblem> problems(const Hardware& hardware, const RowsShape& shape, const Mapping& mapping);

/// Cycles the mapper expects of a mapping without problems.
[[nodiscard]] std::int64_t estimated_cycles(const Hardware& hardware, const ProductShape& shape, const Mapping& mapping);
[[nodiscard]] std::int64_t estimated_cycles(const Hardware& hardware, const AttentionShape& shape, const Mapping& mapping);

}  // namespace prelude::sim
