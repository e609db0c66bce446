// SPDX-License-Identifier: Apache-2.0
#pragma once

// Whole matrix products of the floating-point engine: floating::add_products for every output, several outputs at a time.
// Vectorised over outputs, so that the order of every sum is the one that is stated.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace prelude::quant::floating {

/// Right operands of a product, packed: a panel holds some outputs side by side for every position of K.
class PackedOperand {
  public:
    static constexpr std::int64_t kPanel = 8;

    /// `at(n, k)`: factor of output n at position k. `block`: as in multiply().
    PackedOperand(std::int64_t outputs, std::int64_t depth, int block, const std::function<float(std::int64_t, std::int64_t)>& at);

    [[nodiscard]] std::int64_t outputs() const noexcept { return outputs_; }
    [[nodiscard]] std::int64_t depth() const noexcept { return depth_; }
    [[nodiscard]] const float* panel(std::int64_t index) const noexcept { return values_.data() + index * kPanel * padded_; }
    /// Positions a row of left operands must have: K and then zeros up to a power of two of the last block.
    [[nodiscard]] std::int64_t padded_depth() const noexcept { return padded_; }

  private:
    std::int64_t outputs_, depth_, padded_;
    std::vector<float> values_;
};

/// sums[r, n] = S(left_r right_n) for `rows` rows.
///
/// Shapes    left [rows, K], sums [rows, N]; `right` was packed for the same `block`
void multiply(const float* left, std::int64_t rows, const PackedOperand& right, int block, float* sums);

}  // namespace prelude::quant::floating
