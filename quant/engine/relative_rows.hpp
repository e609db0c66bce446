// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "quant/engine/byte_product.hpp"
#include "quant/operations.hpp"

namespace prelude::quant {

/// Adds relative positions to the scores of many queries: every table entry times every query by a matrix product.
///
/// Contract  equals relative_position_terms() and the saturating addition bit for bit; run() may be called in several threads; the operation outlives it
class RelativeRows final {
  public:
    /// `rows`: of a full block of queries.
    RelativeRows(const RelativePositionOp& op, std::int64_t rows, ProductPath path = ProductPath::automatic);

    /// Shapes    queries [count, d] of tokens `first` on, count <= rows; scores [count, H*W], in place
    void run(std::span<const std::int32_t> queries, std::int64_t first, std::int64_t count, std::int32_t* scores) const;

  private:
    /// q . table of all entries of an axis.
    struct Axis {
        SumOfPlanes planes;
        PlanesRight table;
    };
    [[nodiscard]] std::optional<Axis> make_axis(const std::vector<std::int32_t>& table, std::int64_t rows, ProductPath path) const;

    const RelativePositionOp& op_;
    std::optional<Axis> height_, width_;  ///< empty: tables wider than a byte, or byte products that are not exact
};

}  // namespace prelude::quant
