// SPDX-License-Identifier: Apache-2.0
#pragma once

// Exact sums of products in byte planes: codes of any form, cut into unsigned bytes, times words packed as signed bytes. How layers of any width
// use the byte products of the host.

#include <optional>
#include <vector>

#include "quant/integer_gemm.hpp"
#include "quant/operations.hpp"

namespace prelude::quant {

/// Bytes whose products with the right operand count `constant` times.
struct BytePlane {
    std::vector<std::uint8_t> bytes;  ///< by code; empty: the code itself, which is a byte
    std::int64_t constant = 1;
    std::int32_t zero_point = 0;      ///< what the bytes stand for is byte - zero_point
    std::vector<std::int32_t> k_of;   ///< the positions of a row it takes; empty: all of them
};

/// Planes of the codes q - z of an unsigned code.
[[nodiscard]] std::vector<BytePlane> planes_of_codes(int bits, std::int32_t zero_point, std::int64_t constant);
/// The fewest planes that make up a coded operand: of the factors of every term, or of all that a code adds to Acc.
[[nodiscard]] std::vector<BytePlane> planes_of_factors(const OperandCode& code, std::span<const Term> terms);

/// One right operand of a SumOfPlanes.
struct PlanesRight {
    std::vector<ByteKernel::Packed> packed;  ///< one for all planes, or one a plane where planes take positions of their own
    std::vector<std::int64_t> offsets;       ///< words of output n are packed bytes + offsets[n]; empty: all 0
    std::vector<std::int64_t> base;          ///< what zero points add to Acc of output n
};

/// Acc of blocks of rows: sum over planes of constant * (byte - z) * word.
///
/// Contract  equals accumulate() of quant/arithmetic/dot.hpp over the whole depth; needs fast_products_are_exact(). Members may run in several threads
class SumOfPlanes final {
  public:
    /// `rows`: of a full block.
    SumOfPlanes(std::vector<BytePlane> planes, std::int64_t rows, std::int64_t n, std::int64_t k);

    /// Words w(k, n) as [N, K] (`transposed`) or [K, N], less `zero_point`.
    /// Returns   nothing where the words of an output span more than a byte
    [[nodiscard]] std::optional<PlanesRight> pack(std::span<const std::int32_t> words, bool transposed, std::int32_t zero_point) const;

    /// acc [count, N] from codes [count, K], count <= rows().
    void run(std::span<const std::int32_t> codes, std::int64_t count, const PlanesRight& right, std::vector<std::int64_t>& acc) const;

    [[nodiscard]] std::int64_t rows() const noexcept { return rows_; }
    [[nodiscard]] std::int64_t n() const noexcept { return n_; }
    [[nodiscard]] std::int64_t k() const noexcept { return k_; }

  private:
    [[nodiscard]] const ByteKernel& kernel(std::size_t plane) const noexcept { return kernels_[kernels_.size() == 1 ? 0 : plane]; }

    std::vector<BytePlane> planes_;
    std::int64_t rows_, n_, k_;
    std::vector<ByteKernel> kernels_;  ///< one for all planes, or one a plane
};

}  // namespace prelude::quant
