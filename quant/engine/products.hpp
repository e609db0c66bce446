// SPDX-License-Identifier: Apache-2.0
#pragma once

// Contractions of whole layers by matrix products: equal, bit for bit, to quant/arithmetic/dot.hpp over every output.

#include <functional>
#include <memory>
#include <optional>

#include "models/graph/graph.hpp"
#include "quant/engine/byte_product.hpp"
#include "quant/engine/row_kernels.hpp"
#include "quant/integer_gemm.hpp"
#include "quant/operations.hpp"

namespace prelude::quant {

/// A contraction as the host multiplies it; its weights are packed when the first rows arrive, and kept.
///
/// Contract  the form outlives it
class ContractionRunner final {
  public:
    ContractionRunner(const Contraction& form, ProductPath path) : form_(form), path_(path), rescale_(form.rescale, static_cast<std::size_t>(form.num_outputs)) {}

    /// Acc [count, N] of rows from `first` on. Called in several threads at once, with every row in one call.
    using Finish = std::function<void(std::int64_t first, std::int64_t count, std::span<const std::int64_t> acc)>;

    /// Shapes    codes [M, K] in channel order
    void run(std::span<const std::int32_t> codes, std::int64_t num_rows, std::int64_t& overflows, const Finish& finish);

    /// The ordinary end of a row: rescale() of every output.
    void rescale_row(std::span<const std::int64_t> acc, std::int32_t* out) const noexcept { rescale_.by_channel(acc, out); }

  private:
    /// Weights packed for codes of a width.
    struct Packed {
        SumOfPlanes planes;
        PlanesRight weights;
    };
    [[nodiscard]] const Packed* packed_for(std::span<const std::int32_t> codes, std::int64_t num_rows);
    [[nodiscard]] std::vector<BytePlane> planes_for(int code_bits) const;

    const Contraction& form_;
    ProductPath path_;
    RowRescale rescale_;
    std::optional<Packed> bytes_, words_;  ///< codes of up to 8, of up to 16 bits
    bool is_too_wide_ = false;             ///< weights that no byte holds
};

/// A product of two computed operands for blocks of left rows, up to its output words.
///
/// Contract  the form outlives it; const members may run in several threads
class ProductRunner final {
  public:
    /// Nothing where bytes do not do: narrowed accumulators, words too wide, a processor whose byte products are not exact.
    [[nodiscard]] static std::optional<ProductRunner> make(const Product& form, std::int64_t num_rows, std::int64_t n, std::int64_t k);

    /// Right words of one batch, [N,K] or [K,N] as the form says.
    [[nodiscard]] PlanesRight pack(const std::int32_t* words) const;
    /// Output words [count, N] of left rows [count, K], count <= rows().
    void run(std::span<const std::int32_t> left, std::int64_t count, const PlanesRight& right, std::int32_t* out) const;

    [[nodiscard]] std::int64_t rows() const noexcept { return planes_.rows(); }
    [[nodiscard]] std::int64_t n() const noexcept { return planes_.n(); }
    [[nodiscard]] std::int64_t k() const noexcept { return planes_.k(); }

  private:
    ProductRunner(const Product& form, std::int64_t num_rows, std::int64_t n, std::int64_t k);

    const Product* form_;
    SumOfPlanes planes_;
    RowRescale rescale_;
    std::vector<std::int64_t> contribution_;  ///< row-normalised: what a code adds to its row's sum; empty: computed
};

/// Operand rows of a convolution: [B*H'*W', C*k*k] in (c, ky, kx) order; positions outside the picture hold their channel's zero point.
[[nodiscard]] std::vector<std::int32_t> convolution_rows(const models::Conv& op, const IntTensor& in, const Contraction& form);

/// Exact Acc of a product of two computed operands, [B,M,N].
[[nodiscard]] std::vector<std::int64_t> product_sums(const Product& form, const IntTensor& left, const IntTensor& right);

/// Words of a product of two computed operands, [B,M,K] x [B,N,K] or [B,K,N].
[[nodiscard]] IntTensor run_product(const Product& form, const IntTensor& left, const IntTensor& right, ProductPath path, std::int64_t& overflows);

}  // namespace prelude::quant
