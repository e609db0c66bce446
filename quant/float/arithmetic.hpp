// SPDX-License-Identifier: Apache-2.0
#pragma once

// The floating-point form of every operator, written once: engine and datapath call these functions (docs/numerics.md section 9).
// Only IEEE 754 additions, subtractions, products, quotients and square roots in binary32, each rounded to nearest, none contracted
// (-ffp-contract=off): equal bits on every machine. Results are what is then stored (stored() of number.hpp).

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <span>

#include "quant/float/number.hpp"

namespace prelude::quant::floating {

inline constexpr int kMaxBlock = 1024;

/// Sum of a block's entries in the order of a balanced tree, in place.
///
/// Meaning   T(a, 1) = x_a,  T(a, n) = T(a, n / 2) + T(a + n / 2, n / 2);  n the power of two from `count` on, missing entries +0
/// Shapes    entries [kMaxBlock], of which the first `count` count and all may be overwritten
[[nodiscard]] inline float tree_sum(float* entries, std::int64_t count) noexcept {
    const auto width = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(count)));
    std::fill(entries + count, entries + width, 0.0F);
    for (auto n = width; n > 1; n /= 2) {
        for (std::int64_t i = 0; i < n / 2; ++i) entries[i] = entries[2 * i] + entries[2 * i + 1];
    }
    return entries[0];
}

/// The running sum after entries [begin, end) of a sum over K: blocks of `block` are summed as trees and added one after the other.
///
/// Meaning   S = +0;  S = S + T(block j)  for j = 0, 1, ...
/// Limits    begin is a multiple of `block`, end one too or K: what is cut elsewhere would be another order
template <class Entry>
[[nodiscard]] float add_blocks(float sum, std::int64_t begin, std::int64_t end, int block, const Entry& entry) noexcept {
    float entries[kMaxBlock];
    for (auto first = begin; first < end; first += block) {
        const auto count = std::min<std::int64_t>(block, end - first);
        for (std::int64_t i = 0; i < count; ++i) entries[i] = entry(first + i);
        sum = sum + tree_sum(entries, count);
    }
    return sum;
}

/// sum_k left_k right_k in the order of add_blocks, every product rounded once (exact for binary16 operands).
[[nodiscard]] inline float add_products(float sum, const float* left, const float* right, std::int64_t begin, std::int64_t end, int block) noexcept {
    return add_blocks(sum, begin, end, block, [&](std::int64_t k) { return left[k] * right[k]; });
}

/// e^v for v <= 0; 0 below -86.
///
/// Meaning   n = round(v log2 e),  r = v - n ln 2,  2^n (1 + r + r^2/2! + ... + r^7/7!)
/// Limits    the remainder of the series is below 2^-27
/// Source    Taylor; ln 2 in two parts (Cody and Waite), the first of 9 bits so that n times it is exact
[[nodiscard]] inline float exponential(float v) noexcept {
    constexpr float kLog2E = 1.44269504F, kRound = 0x1.8p23F, kLn2High = 0.693359375F, kLn2Low = -2.12194440e-4F;
    const float u = v < -86.0F ? -86.0F : v;
    const float n = (u * kLog2E + kRound) - kRound;
    const float r = (u - n * kLn2High) - n * kLn2Low;
    float p = r * (1.0F / 5040) + 1.0F / 720;
    p = p * r + 1.0F / 120;
    p = p * r + 1.0F / 24;
    p = p * r + 1.0F / 6;
    p = p * r + 0.5F;
    p = p * r + 1.0F;
    p = p * r + 1.0F;
    const float power = std::bit_cast<float>(static_cast<std::uint32_t>((static_cast<std::int32_t>(n) + 127) << 23));
    return v < -86.0F ? 0.0F : p * power;
}

/// x Phi(x), Phi the normal distribution.
///
/// Meaning   a = |x| / sqrt 2,  t = 1 / (1 + 0.3275911 a),  h = (a1 t + a2 t^2 + ... + a5 t^5) e^(-a^2) / 2;  x h for x < 0, else x (1 - h)
/// Limits    |h - Phi| <= 0.75e-7 and roundings
/// Source    Abramowitz and Stegun 7.1.26
[[nodiscard]] inline float gelu(float x) noexcept {
    constexpr float kInverseSqrt2 = 0.70710678F;
    const float a = std::fabs(x) * kInverseSqrt2;
    const float t = 1.0F / (0.3275911F * a + 1.0F);
    float p = 1.061405429F * t + -1.453152027F;
    p = p * t + 1.421413741F;
    p = p * t + -0.284496736F;
    p = p * t + 0.254829592F;
    p = p * t;
    const float h = 0.5F * (p * exponential(-(a * a)));
    return x * (x < 0 ? h : 1.0F - h);
}

[[nodiscard]] inline float relu(float x) noexcept { return x > 0 ? x : 0.0F; }

/// sin(2 pi t).
///
/// Meaning   f = t - round(t); |f| > 1/4: f = sign(f) / 2 - f;  x = 2 pi f,  x (1 - x^2/3! + x^4/5! - ... + x^12/13!)
/// Limits    |t| < 2^22
[[nodiscard]] inline float sine_of_turns(float t) noexcept {
    constexpr float kRound = 0x1.8p23F, kTwoPi = 6.28318531F;
    float f = t - ((t + kRound) - kRound);
    if (std::fabs(f) > 0.25F) f = std::copysign(0.5F, f) - f;
    const float x = f * kTwoPi, s = x * x;
    float p = s * (1.0F / 6227020800.0F) + -1.0F / 39916800;
    p = p * s + 1.0F / 362880;
    p = p * s + -1.0F / 5040;
    p = p * s + 1.0F / 120;
    p = p * s + -1.0F / 6;
    p = p * s + 1.0F;
    return p * x;
}

/// Softmax of a row, in place: e_k = e^(x_k - max), S = sum of e in the order of add_blocks, e_k (1 / S), stored.
void softmax_row(std::span<float> row, int block, int bits) noexcept;

/// LayerNorm of a row whose elements are `stride` apart.
///
/// Meaning   m = S(x) / D;  c = x - m;  v = S(c c) / D;  f = 1 / sqrt(v + eps);  ((c f) gamma) + beta, stored; S in the order of add_blocks
void layer_norm_row(const float* in, float* out, std::int64_t stride, std::span<const float> gamma, std::span<const float> beta, float epsilon, int block,
                    int bits) noexcept;

/// The two source positions and the weight of the second for output `index` of a bilinear resize of `from` to `to` samples.
struct Tap {
    std::int64_t first = 0, second = 0;
    float weight = 0;
};
/// Meaning   p = clamp((2 i + 1) from - to, 0, 2 (from - 1) to) in units of 1/(2 to), exact; first = floor, weight = rest / (2 to)
[[nodiscard]] Tap tap(std::int64_t index, std::int64_t from, std::int64_t to) noexcept;

/// (1 - w) a + w b along the rows, then between them. `top`, `bottom`: the two source rows.
[[nodiscard]] inline float interpolate(const float* top, const float* bottom, float down, const Tap& across) noexcept {
    const auto blend = [](float a, float b, float w) { return (1.0F - w) * a + w * b; };
    return blend(blend(top[across.first], top[across.second], across.weight), blend(bottom[across.first], bottom[across.second], across.weight), down);
}

/// Constants of the prompt encoder.
struct PromptTables {
    std::int64_t image_size = 0, num_frequencies = 0;
    std::span<const float> gaussian;         ///< [2, F]
    std::span<const float> label_embedding;  ///< [5, 2F]: not-a-point, labels 0..3
};
/// Features of one prompt token, stored.
///
/// Meaning   u = 2 ((x + 1/2) / size) - 1, v likewise; t = u g_x + v g_y turns;  F sines and F cosines (sine_of_turns(f + 1/4), f = t - round(t)) plus the
///           label's embedding; a padding point (label -1) is its embedding
void prompt_row(const PromptTables& tables, float x, float y, float label, std::span<float> out, int bits) noexcept;

/// What relative positions add to one query's scores: products of q with the tables' rows, in the order of add_blocks.
///
/// Shapes    q [d], tables [2H-1, d] and [2W-1, d]; down [H], across [W]
void relative_position_terms(std::span<const float> q, std::span<const float> table_height, std::span<const float> table_width, std::int64_t row,
                             std::int64_t col, int block, std::span<float> down, std::span<float> across) noexcept;

}  // namespace prelude::quant::floating
