// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <span>

#include "quant/operations.hpp"

namespace prelude::quant {

/// 2^-d for d >= 0 in 2^-F units, as an `exp_bits` integer with EXP(0) = 2^exp_bits - 1.
///
/// Integer   d = I * 2^F + f, x = exp_bits
///           table       i = the top 6 bits of f, g = the remaining F - 6 bits;
///                       RNE((T[i] * 2^(F-6) - (T[i] - T[i+1]) * g) * 2^-(F - 6 + I));  F < 6: i = f * 2^(6-F), g = 0
///           polynomial  RNE(((2^x - 1) * 2^2F - (B * 2^F - A f) f) * 2^-(2F + I))
///           shift       min(2^x - 1, floor((2^(F+1) - f) * 2^(x - F - 1 - I)))
/// Limits    0 once I exceeds exp_bits; never rises with d; F <= 16 for the polynomial. Sums of 4096 fit in exp_bits + 12 bits
/// Source    polynomial: I-BERT (i-exp); shift: I-ViT (Shiftmax); docs/numerics.md section 4
[[nodiscard]] std::int32_t exp2_neg(const SoftmaxOp& op, std::int64_t d) noexcept;

/// 2^-d of d in 2^-fraction_bits by shift and subtraction: floor((1 - f/2) 2^-I 2^bits), so 2^bits for d = 0.
[[nodiscard]] std::int64_t shift_exp2_neg(std::int64_t d, int fraction_bits, int bits) noexcept;

/// Codes of one row of scores (docs/numerics.md section 4).
///
/// Meaning   p_k = 2^(score_k) / sum, as codes of the format; in row scale relative to the row's maximum
/// Shapes    scores [N], codes [N]
/// Limits    N <= 4096 for the stated widths; ties go to the lower code
void softmax_row(const SoftmaxOp& op, std::span<const std::int32_t> scores, std::span<std::int32_t> codes);

/// What codes need to know of a whole row, for walks that see it piece by piece: first the maximum of all pieces, then the sum of their exponentials
/// (of no use for logarithmic codes in row scale).
struct RowStatistics {
    std::int32_t maximum = std::numeric_limits<std::int32_t>::min();
    std::int64_t sum = 0;
    void add_maximum(std::span<const std::int32_t> scores) noexcept;
    void add_exponentials(const SoftmaxOp& op, std::span<const std::int32_t> scores) noexcept;
};

/// Codes of a piece of a row; the codes of all pieces are those of softmax_row.
void softmax_piece(const SoftmaxOp& op, const RowStatistics& row, std::span<const std::int32_t> scores, std::span<std::int32_t> codes);

// What the codes of a row are made of, for walks that take many rows at a time.

/// Probability codes up to this width are found by comparing exponentials with thresholds; wider ones are multiplied.
inline constexpr int kMaxComparedBits = 8;

/// The least exponential that lies at or above (logarithmic codes) or above (others) threshold `index`, scaled to `reference`: EXP(0) in row scale, else
/// the row's sum.
[[nodiscard]] std::int64_t threshold_at(const SoftmaxOp& op, std::size_t index, std::int64_t reference) noexcept;

/// Codes of up to kMaxComparedBits of a row's exponentials, by comparison with the thresholds scaled to `reference`.
void compare_row(const SoftmaxOp& op, std::span<const std::int32_t> exponentials, std::int64_t reference, std::span<std::int32_t> codes);

/// Codes wider than kMaxComparedBits of a row whose exponentials have this sum.
class ProbabilityScale final {
  public:
    ProbabilityScale(const SoftmaxOp& op, std::int64_t sum) noexcept;
    [[nodiscard]] std::int32_t code(std::int32_t exponential) const noexcept;

  private:
    std::int64_t mantissa_;
    int shift_;
};

}  // namespace prelude::quant
