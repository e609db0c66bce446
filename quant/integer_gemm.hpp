// SPDX-License-Identifier: Apache-2.0
#pragma once

// Exact integer matrix products on the host: oneDNN's u8 x s8 kernels where they are exact, wider paths where not.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace prelude::quant {

/// Bounds of the operands, known from their formats: they choose the path.
struct OperandRange {
    std::int64_t lo = 0, hi = 0;
    [[nodiscard]] std::int64_t magnitude() const noexcept { return hi > -lo ? hi : -lo; }
};

enum class ProductPath { automatic, exact };  ///< exact: never oneDNN

/// c[b][m][n] = sum_k a[b][m][k] * w(b, n, k), exact in 64 bits.
///
/// Shapes    a [B,M,K]; w [B or 1, N, K] when `right_is_transposed` (rows are outputs), else [B or 1, K, N]; c [B,M,N]
/// Contract  the result does not depend on the path. oneDNN is used for a in [0, 255], w in [-128, 127], K <= 65536, after a
///           start-up self-test on adversarial data: on processors without VNNI its products saturate at 16 bits and are wrong.
///           Otherwise double precision up to 2^53, else 64-bit integers
struct BatchedProduct {
    std::int64_t batch = 1, m = 0, n = 0, k = 0;
    bool right_is_transposed = true;
    bool right_is_shared = false;  ///< one right operand for all of the batch
};
void multiply(const BatchedProduct& shape, std::span<const std::int32_t> a, OperandRange a_range, std::span<const std::int32_t> w, OperandRange w_range,
              std::span<std::int64_t> c, ProductPath path = ProductPath::automatic);

/// Whether oneDNN's u8 x s8 product passed the self-test on this processor (run once).
[[nodiscard]] bool fast_products_are_exact();

/// Products of blocks of unsigned bytes with one right operand after another, of one shape: c [rows, N] = a [rows, K] w, exact in 32 bits.
///
/// Limits    K <= kMaxByteDepth
/// Contract  needs fast_products_are_exact(); all members may run in several threads at once, each product in the thread that asks
class ByteKernel final {
  public:
    ByteKernel(std::int64_t rows, std::int64_t n, std::int64_t k);

    /// A right operand as the products want it.
    using Packed = std::vector<std::int8_t>;
    /// w(k, n) from [N, K] (`transposed`) or [K, N].
    [[nodiscard]] Packed pack(std::span<const std::int8_t> w, bool transposed) const;
    /// All `rows` rows are computed.
    void multiply(const std::uint8_t* a, const Packed& right, std::int32_t* c) const;

    [[nodiscard]] std::int64_t rows() const noexcept { return rows_; }
    [[nodiscard]] std::int64_t n() const noexcept { return n_; }
    [[nodiscard]] std::int64_t k() const noexcept { return k_; }

  private:
    struct Primitive;
    std::int64_t rows_, n_, k_;
    std::shared_ptr<const Primitive> primitive_;
};
inline constexpr std::int64_t kMaxByteDepth = 65536;  ///< 255 * 128 * 65536 < 2^31

}  // namespace prelude::quant
