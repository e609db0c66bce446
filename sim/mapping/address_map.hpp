// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where the words of an operand lie in DRAM. Movement nodes (rearrange, window partition, concat) never execute: they are
// address maps of the DMA gathers that read through them, and cost what their strides and run lengths cost.
// Physical layout: channels innermost (tokens [B,N,C] as they are, images [B,H,W,C]); packed bits, every channel row starts on a byte.

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "models/graph/graph.hpp"

namespace prelude::sim {

/// A stored word: value and physical index; value < 0 is padding that no memory holds.
struct Place {
    models::ValueId value = -1;
    std::int64_t index = 0;
};

/// Elements of a channel row: the innermost physical extent.
[[nodiscard]] std::int64_t row_length(const models::Value& value) noexcept;
[[nodiscard]] std::int64_t to_physical(const models::Shape& shape, std::int64_t logical) noexcept;
[[nodiscard]] std::int64_t to_logical(const models::Shape& shape, std::int64_t physical) noexcept;
/// Packed size in DRAM.
[[nodiscard]] std::int64_t packed_bytes(const models::Value& value, int bits) noexcept;

/// The values that exist in DRAM: every output of a computing node, and the movement outputs a producer writes directly (merged heads).
struct Layout {
    const models::Graph& graph;
    std::set<models::ValueId> written{};  ///< movement outputs that are stored as such
};

/// An operand as a unit sees it: batches of rows of `depth` words.
class AddressMap {
  public:
    enum class Access {
        rows,      ///< [B, rows, depth]
        columns,   ///< [B, depth, rows]: right operand of an untransposed product
        pixels,    ///< image [B,C,H,W]: a row per pixel, words = channels
        patches,   ///< operand rows of a convolution: words = (c, ky, kx)
        broadcast  ///< second operand of an addition of `shape`, extents 1 repeated
    };

    /// `conv` for patches; `like` for broadcast: the shape of the first operand.
    AddressMap(const Layout& layout, models::ValueId value, Access access, const models::Conv* conv = nullptr,
               const models::Shape* like = nullptr);

    [[nodiscard]] std::int64_t batches() const noexcept { return batches_; }
    [[nodiscard]] std::int64_t rows() const noexcept { return rows_; }
    [[nodiscard]] std::int64_t depth() const noexcept { return depth_; }
    /// Rows of a tile interleave in memory (convolution patches): the DMA walks source lines, each word once.
    [[nodiscard]] bool gathers_patches() const noexcept { return taps_ > 1 || access_ == Access::broadcast; }
    /// Runs go along the rows of a tile, word by word of their depth (right operand of an untransposed product).
    [[nodiscard]] bool runs_across_rows() const noexcept { return across_rows_; }
    /// Neighbouring rows read the same words (overlapping convolution windows).
    [[nodiscard]] bool overlaps() const noexcept { return overlaps_; }
    [[nodiscard]] models::ValueId value() const noexcept { return value_; }
    /// Words of a row, or of neighbouring rows at one k, that lie side by side in memory; what follows does not, unless a run is a whole channel row.
    [[nodiscard]] std::int64_t run() const noexcept { return run_; }
    /// The stored values this operand reads.
    [[nodiscard]] const std::vector<models::ValueId>& sources() const noexcept { return sources_; }
    /// Movement nodes on the way, nearest first.
    [[nodiscard]] const std::vector<models::NodeId>& movement() const noexcept { return movement_; }

    /// Word k (in the operator's own order) of a row.
    [[nodiscard]] Place locate(std::int64_t batch, std::int64_t row, std::int64_t k) const;

    /// Calls visit(Place, count) for the contiguous stored runs of a tile, in the order a DMA walks them: along rows, or along the depth
    /// where memory is contiguous across rows (right operand of an untransposed product).
    template <class Visit>
    void for_each_run(std::int64_t batch, std::int64_t row_begin, std::int64_t row_end, std::int64_t begin, std::int64_t end,
                      Visit visit) const {
        if (!across_rows_) {
            for (auto row = row_begin; row < row_end; ++row) for_each_run_of_row(batch, row, begin, end, visit);
            return;
        }
        for (auto k = begin; k < end; ++k) {
            for (auto row = row_begin; row < row_end;) {
                const auto stop = std::min(row_end, (row / run_ + 1) * run_);
                const auto first = locate(batch, row, k);
                if (first.value >= 0) visit(first, stop - row);
                row = stop;
            }
        }
    }

  private:
    /// Runs of words [begin, end) of a row; padding is left out. patches: begin and end are whole channels (multiples of kernel^2).
    template <class Visit>
    void for_each_run_of_row(std::int64_t batch, std::int64_t row, std::int64_t begin, std::int64_t end, Visit& visit) const {
        const auto channels_begin = begin / taps_, channels_end = (end + taps_ - 1) / taps_;
        for (std::int64_t tap = 0; tap < taps_; ++tap) {
            for (auto c = channels_begin; c < channels_end;) {
                const auto stop = std::min(channels_end, (c / run_ + 1) * run_);
                const auto first = locate(batch, row, c * taps_ + tap);
                if (first.value >= 0) visit(first, stop - c);
                c = stop;
            }
        }
    }

    struct Step {  ///< a rearrange: destination index in mixed radix -> source index
        std::vector<std::int64_t> extent, stride;
        std::int64_t offset = 0;
    };
    [[nodiscard]] Place follow(models::ValueId value, std::int64_t logical) const;
    void prepare(models::ValueId value);
    void find_run();

    const Layout& layout_;
    const models::Graph& graph_;
    models::ValueId value_;
    Access access_;
    const models::Conv* conv_;
    models::Shape shape_, like_;
    std::int64_t batches_ = 1, rows_ = 1, depth_ = 1, taps_ = 1, run_ = 1, out_width_ = 1;
    bool overlaps_ = false, direct_ = false, across_rows_ = false;
    std::vector<models::ValueId> sources_;
    std::vector<models::NodeId> movement_;
    std::vector<std::pair<models::NodeId, Step>> steps_;
};

/// Where the outputs of a contraction go: column order, permuted rows (merged heads), dropped rows (window padding).
class OutputMap {
  public:
    /// `node` computes; `stored` is the value written (after fused steps; a window unpartition may lie between).
    OutputMap(const Layout& layout, const models::Node& node, models::ValueId stored);

    [[nodiscard]] models::ValueId value() const noexcept { return stored_; }
    /// Output channel/row of the weight matrix that physical column `column` holds (transposed convolution: (ky, kx, o) -> (o, ky, kx)).
    [[nodiscard]] std::int64_t column_of(std::int64_t column) const noexcept;
    /// Channel of the rescale vectors of column `column`.
    [[nodiscard]] std::int64_t channel_of(std::int64_t column) const noexcept;
    /// Physical index of an output; empty: dropped.
    [[nodiscard]] std::optional<std::int64_t> place(std::int64_t batch, std::int64_t row, std::int64_t column) const noexcept;
    /// Columns that lie side by side in memory.
    [[nodiscard]] std::int64_t run() const noexcept { return run_; }

  private:
    models::ValueId stored_;
    std::int64_t rows_ = 0, cols_ = 0, run_ = 1;
    std::int64_t kernel_ = 0, channels_ = 0, width_ = 0;  ///< transposed convolution
    const models::WindowUnpartition* windows_ = nullptr;
    std::vector<std::int64_t> row_places_;  ///< permuted rows: physical index of column 0, by batch and row
};

}  // namespace prelude::sim
