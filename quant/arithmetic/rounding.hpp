// SPDX-License-Identifier: Apache-2.0
#pragma once

// The one rounding and the one saturation every integer operator uses (docs/numerics.md section 1).

#include <algorithm>
#include <bit>
#include <cstdint>

namespace prelude::quant {

/// v * 2^-shift rounded half to even (AP_RND_CONV); a shift <= 0 is an exact left shift.
/// Limits    |v| < 2^62; for left shifts |v| * 2^-shift < 2^63; beyond 62 places nothing is left
[[nodiscard]] constexpr std::int64_t rne_shift(std::int64_t v, int shift) noexcept {
    if (shift <= 0) return v << -shift;
    if (shift > 62) return 0;
    // Half a step less one, plus one where the quotient is odd: a tie then carries only into an even quotient.
    return (v + ((std::int64_t{1} << (shift - 1)) - 1) + ((v >> shift) & 1)) >> shift;
}

/// Bits to the right of and including the leading one; 0 for 0.
[[nodiscard]] constexpr int bit_length(std::uint64_t v) noexcept { return static_cast<int>(std::bit_width(v)); }

/// numerator / denominator rounded half to even; both positive.
[[nodiscard]] constexpr std::uint64_t rne_divide(std::uint64_t numerator, std::uint64_t denominator) noexcept {
    const std::uint64_t quotient = numerator / denominator;
    const std::uint64_t rest = numerator % denominator;
    const std::uint64_t other = denominator - rest;
    return quotient + (rest > other || (rest == other && (quotient & 1)));
}

/// Largest and smallest value of a signed word.
[[nodiscard]] constexpr std::int64_t signed_max(int bits) noexcept { return (std::int64_t{1} << (bits - 1)) - 1; }
[[nodiscard]] constexpr std::int64_t signed_min(int bits) noexcept { return -(std::int64_t{1} << (bits - 1)); }

[[nodiscard]] constexpr std::int64_t saturate(std::int64_t v, std::int64_t lo, std::int64_t hi) noexcept { return std::clamp(v, lo, hi); }

/// v mod 2^bits as a signed word (AP_WRAP).
[[nodiscard]] constexpr std::int64_t wrap(std::int64_t v, int bits) noexcept {
    const auto shift = 64 - bits;
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(v) << shift) >> shift;
}

}  // namespace prelude::quant
