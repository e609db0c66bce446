// SPDX-License-Identifier: Apache-2.0
#include "quant/engine/relative_rows.hpp"

#include "quant/arithmetic/elementwise.hpp"
#include "quant/engine/row_kernels.hpp"

namespace prelude::quant {

RelativeRows::RelativeRows(const RelativePositionOp& op, std::int64_t rows, ProductPath path)
    : op_(op), height_(make_axis(op.table_height, rows, path)), width_(make_axis(op.table_width, rows, path)) {}

std::optional<RelativeRows::Axis> RelativeRows::make_axis(const std::vector<std::int32_t>& table, std::int64_t rows, ProductPath path) const {
    constexpr int kWord = 16;
    if (path != ProductPath::automatic || !fast_products_are_exact() || op_.q_bits > kWord) return std::nullopt;
    const auto entries = static_cast<std::int64_t>(table.size()) / op_.head_dim;
    SumOfPlanes planes(planes_of_codes(op_.q_bits, op_.q_zero_point, 1), rows, entries, op_.head_dim);
    auto packed = planes.pack(table, true, 0);
    if (!packed) return std::nullopt;
    return Axis{std::move(planes), *std::move(packed)};
}

void RelativeRows::run(std::span<const std::int32_t> queries, std::int64_t first, std::int64_t count, std::int32_t* scores) const {
    thread_local std::vector<std::int64_t> down, across, height_sums, width_sums;
    down.resize(static_cast<std::size_t>(op_.height));
    across.resize(static_cast<std::size_t>(op_.width));
    const bool fast = height_ && width_;
    if (fast) {
        height_->planes.run(queries, count, height_->table, height_sums);
        width_->planes.run(queries, count, width_->table, width_sums);
    }
    for (std::int64_t i = 0; i < count; ++i) {
        const auto row = (first + i) / op_.width, column = (first + i) % op_.width;
        if (fast) {
            rescale_reversed(op_.rescale_height, height_sums.data() + i * (2 * op_.height - 1) + row, down);
            rescale_reversed(op_.rescale_width, width_sums.data() + i * (2 * op_.width - 1) + column, across);
        } else {
            relative_position_terms(op_, queries.subspan(static_cast<std::size_t>(i * op_.head_dim), static_cast<std::size_t>(op_.head_dim)), row, column, down, across);
        }
        add_relative_terms(scores + i * op_.height * op_.width, down, across, op_.score_bits);
    }
}

}  // namespace prelude::quant
