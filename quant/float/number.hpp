// SPDX-License-Identifier: Apache-2.0
#pragma once

// Floating-point words: what a stored value is, and how it rides in the int32 words of the datapath (docs/numerics.md section 9).
// Limits: values are finite; what a NaN becomes is not stated.

#include <bit>
#include <cmath>
#include <cstdint>

namespace prelude::quant::floating {

inline constexpr float kLargestHalf = 65504.0F;

/// The binary16 number nearest to a binary32 number, as binary32.
///
/// Meaning   round half to even on the grid of binary16, subnormals included; beyond the largest number: that number
/// Source    IEEE 754; saturation instead of infinity as in the integer formats
[[nodiscard]] inline float nearest_half(float x) noexcept {
    constexpr float kSmallestNormal = 0x1p-14F;
    constexpr std::uint32_t kDroppedBits = 13;
    auto bits = std::bit_cast<std::uint32_t>(std::fabs(x));
    bits = (bits + (1U << (kDroppedBits - 1)) - 1 + ((bits >> kDroppedBits) & 1)) & ~((1U << kDroppedBits) - 1);
    const float normal = std::bit_cast<float>(bits), subnormal = (std::fabs(x) + 0.5F) - 0.5F;  // 2^-24 is the last bit of 0.5
    const float rounded = std::fabs(x) < kSmallestNormal ? subnormal : normal;
    return std::copysign(rounded > kLargestHalf ? kLargestHalf : rounded, x);
}

/// A result as it is stored.
[[nodiscard]] inline float stored(int bits, float x) noexcept { return bits == 32 ? x : nearest_half(x); }

/// The word of a stored value: its bit pattern, of 16 bits in the lower half.
[[nodiscard]] inline std::int32_t word_of(int bits, float x) noexcept {
    const auto pattern = std::bit_cast<std::uint32_t>(x);
    if (bits == 32) return static_cast<std::int32_t>(pattern);
    constexpr std::uint32_t kBiasDifference = 112, kNormal = 113;
    const auto sign = pattern >> 16 & 0x8000U, magnitude = pattern & 0x7FFFFFFFU;
    if (magnitude >> 23 >= kNormal) return static_cast<std::int32_t>(sign | ((magnitude >> 13) - (kBiasDifference << 10)));
    return static_cast<std::int32_t>(sign | static_cast<std::uint32_t>(std::fabs(x) * 0x1p24F));  // subnormal: a multiple of 2^-24
}

[[nodiscard]] inline float value_of(int bits, std::int32_t word) noexcept {
    const auto pattern = static_cast<std::uint32_t>(word);
    if (bits == 32) return std::bit_cast<float>(pattern);
    constexpr std::uint32_t kBiasDifference = 112;
    const auto sign = (pattern & 0x8000U) << 16, magnitude = pattern & 0x7FFFU;
    if (magnitude >> 10 == 0) return std::copysign(static_cast<float>(magnitude) * 0x1p-24F, std::bit_cast<float>(sign));
    return std::bit_cast<float>(sign | ((magnitude << 13) + (kBiasDifference << 23)));
}

}  // namespace prelude::quant::floating
