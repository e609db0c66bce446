// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "quant/operations.hpp"

namespace prelude::quant {

/// Reciprocal square root of a positive integer: 1/sqrt(v) = mantissa * 2^-(16 + exponent), mantissa in (2^15, 2^16).
///
/// Integer   v = m * 4^exponent, m in [1, 4) with 20 fraction bits (truncated); s = seed[64 m - 64] (12 bits);
///           y = RNE((3 * 2^44 - m s^2) * s * 2^-41), at most 2^16 - 1
struct ReciprocalRoot {
    std::uint32_t mantissa = 0;
    int exponent = 0;
};
[[nodiscard]] ReciprocalRoot reciprocal_root(std::uint64_t v) noexcept;

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
