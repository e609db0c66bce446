// SPDX-License-Identifier: Apache-2.0
#pragma once

// Accumulator -> output word: the single form every contraction and requantization ends with.

#include <cstdint>

#include "quant/arithmetic/rounding.hpp"
#include "quant/operations.hpp"

namespace prelude::quant {

/// Meaning   y = acc * (real scale of the layer) / (scale of the output) + bias, as an output word
/// Integer   P = RNE(acc * 2^-r);  q = clamp(z + RNE((M_o P + B_o) 2^-n_o), lo, hi)
/// Limits    |P| <= 2^31, |M| < 2^16, |B| < 2^61: nothing overflows 64 bits
[[nodiscard]] inline std::int32_t rescale(const Rescale& form, std::size_t channel, std::int64_t acc) noexcept {
    const std::int64_t operand = rne_shift(acc, form.operand_shift);
    const std::int64_t y = rne_shift(form.multiplier[channel] * operand + form.offset[channel], form.shift[channel]);
    return static_cast<std::int32_t>(saturate(form.zero_point[channel] + y, form.lo, form.hi));
}

/// The same without saturation to the output word: what an operand of the score sum is.
[[nodiscard]] inline std::int64_t rescale_wide(const Rescale& form, std::size_t channel, std::int64_t acc) noexcept {
    const std::int64_t operand = rne_shift(acc, form.operand_shift);
    return rne_shift(form.multiplier[channel] * operand + form.offset[channel], form.shift[channel]);
}

/// Integers of a rescale by `ratio`: |ratio| = M * 2^-n with M in [2^15, 2^16), n in [1, 40]; beyond n = 40 M is denormalised.
struct ScaleFactor {
    std::int32_t multiplier = 0;
    std::int32_t shift = 1;
};
/// Throws SettingsError when the ratio is 2^15 or more (n <= 0).
[[nodiscard]] ScaleFactor scale_factor(double ratio);

/// RNE(value * 2^shift), limited to |B| < 2^(shift + output_bits + 1).
[[nodiscard]] std::int64_t offset_word(double value, int shift, int output_bits);

/// 16-bit normalised reciprocal of a positive integer: 1/d = mantissa * 2^-(16 + exponent), mantissa in [2^15, 2^16).
struct Reciprocal {
    std::uint32_t mantissa = 0;
    int exponent = 0;
};
[[nodiscard]] constexpr Reciprocal reciprocal(std::uint64_t d) noexcept {
    const int exponent = bit_length(d) - 1;  // d = m * 2^exponent, m in [1, 2)
    // RNE(2^(16 + exponent) / d): scaled so that the division stays within 64 bits.
    const std::uint64_t mantissa = exponent <= 47 ? rne_divide(std::uint64_t{1} << (16 + exponent), d)
                                                  : rne_divide(std::uint64_t{1} << 63, d >> (exponent - 47));
    return mantissa == 65536 ? Reciprocal{32768, exponent - 1} : Reciprocal{static_cast<std::uint32_t>(mantissa), exponent};
}

}  // namespace prelude::quant
