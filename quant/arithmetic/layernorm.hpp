// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "quant/operations.hpp"

namespace prelude::quant {

inline constexpr int kRootDividendBits = 32;   ///< of the divisions below; the divisor has 17
inline constexpr int kNewtonDivisions = 6;     ///< most that a falling root takes, the one that shows its end included
inline constexpr int kRepeatedDivisions = 10;

/// Reciprocal square root of a positive integer: 1/sqrt(v) = mantissa * 2^-(16 + exponent), mantissa in [2^15 - 1, 2^16).
///
/// Integer   v = m * 4^exponent, m in [1, 4)
///           seeded    m with 20 fraction bits (truncated); s = seed[64 m - 64] (12 bits); y = RNE((3 * 2^44 - m s^2) * s * 2^-41), at most 2^16 - 1
///           newton    m with 30 (truncated); k = 2^16, then k' = floor((k + floor(m / k)) / 2) as long as it is smaller: k = floor(sqrt(m));
///                     y = floor(2^31 / k), at most 2^16 - 1
///           repeated  the same m and first k, ten times k' whether smaller or not; y = floor((2^31 - 1) / k)
/// Limits    v < 2^63; k >= 2^15 throughout, so nothing is divided by 0 or wider than 32 bits
/// Source    newton: I-BERT (i-sqrt, i-LayerNorm); repeated: I-ViT (I-LayerNorm); docs/numerics.md section 5
struct ReciprocalRoot {
    std::uint32_t mantissa = 0;
    int exponent = 0;
};
[[nodiscard]] ReciprocalRoot reciprocal_root(std::uint64_t v, Root form) noexcept;

/// The guesses of the seeded form.
[[nodiscard]] std::span<const std::uint32_t> root_seeds() noexcept;

/// Layer normalisation of one token or pixel.
///
/// Meaning   (x - mean) / sqrt(var + eps) * gamma + beta, as output words
/// Integer   V = max(1, D sum x^2 - (sum x)^2 + eps'), y of V; t_c = sat20(RNE((D x_c - sum x) y 2^-(16 + e - F)));
///           q_c = clamp(z_c + RNE((M_c t_c + B_c) 2^-n_c))
/// Shapes    x [D] and out [D], both `stride` apart (1 for tokens, H*W for images)
/// Limits    D <= 2^12, words of at most 20 bits
/// Source    docs/numerics.md section 5; the mean is never divided
void layer_norm_row(const LayerNormOp& op, const std::int32_t* x, std::int32_t* out, std::int64_t stride) noexcept;

}  // namespace prelude::quant
