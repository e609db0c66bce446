// SPDX-License-Identifier: Apache-2.0
#pragma once

// Operators that need one word, or a few, per output: tables, residual addition, resizing taps, prompt features.

#include <cstdint>
#include <span>

#include "quant/arithmetic/rounding.hpp"
#include "quant/operations.hpp"

namespace prelude::quant {

/// GELU or ReLU with its requantization as one lookup.
///
/// Integer   direct: T[q].  Segments (inputs over 10 bits): i = q >> s, g = q mod 2^s, s = input_bits - 8;
///           clamp(RNE((T[i] * 2^s + (T[i+1] - T[i]) * g) * 2^-(s + guard)))
[[nodiscard]] inline std::int32_t lookup(const TableOp& op, std::int32_t code) noexcept {
    if (op.guard_bits == 0) return op.table[static_cast<std::size_t>(code)];
    const int segment_bits = op.input_bits - 8;
    const auto index = static_cast<std::size_t>(code >> segment_bits);
    const std::int64_t rest = code & ((1 << segment_bits) - 1);
    const std::int64_t left = op.table[index], right = op.table[index + 1];
    return static_cast<std::int32_t>(saturate(rne_shift((left << segment_bits) + (right - left) * rest, segment_bits + op.guard_bits), op.lo, op.hi));
}

/// Residual addition: operands aligned, added exactly, rounded once, saturated.
[[nodiscard]] inline std::int32_t add(const AddOp& op, std::int32_t left, std::int32_t right) noexcept {
    const auto sum = (static_cast<std::int64_t>(left) << op.left_shift) + (static_cast<std::int64_t>(right) << op.right_shift);
    return static_cast<std::int32_t>(saturate(rne_shift(sum, op.output_shift), signed_min(op.bits), signed_max(op.bits)));
}

/// The two source positions and the 11-bit weight of the second for output `index` of a bilinear resize of `from` to `to` samples.
struct Tap {
    std::int64_t first = 0, second = 0;
    std::int32_t weight = 0;  ///< of `second`, in 2^-11
};
inline constexpr int kTapBits = 11;
[[nodiscard]] Tap tap(std::int64_t index, std::int64_t from, std::int64_t to) noexcept;

/// One output of a bilinear resize: RNE(sum of the four taps * 2^-(22 - guard)), saturated. `top`, `bottom`: the two source rows.
[[nodiscard]] inline std::int32_t interpolate(const ResizeOp& op, const std::int32_t* top, const std::int32_t* bottom, std::int32_t down,
                                              const Tap& across) noexcept {
    constexpr std::int64_t kOne = 1 << kTapBits;
    const auto blend = [&](const std::int32_t* row) { return (kOne - across.weight) * row[across.first] + std::int64_t{across.weight} * row[across.second]; };
    const auto sum = (kOne - down) * blend(top) + down * blend(bottom);
    return static_cast<std::int32_t>(saturate(rne_shift(sum, 2 * kTapBits - op.guard_bits), signed_min(op.bits), signed_max(op.bits)));
}

/// What relative positions add to one query's scores: q.Rh for every key row and q.Rw for every key column, rescaled, not clamped.
///
/// Integer   down[i] = RNE(M RNE(sum_d (q_d - z) Rh[row - i + H - 1, d] 2^-r) 2^-n); across likewise with Rw
/// Shapes    q [d]; down [H]; across [W]
void relative_position_terms(const RelativePositionOp& op, std::span<const std::int32_t> q, std::int64_t row, std::int64_t col,
                             std::span<std::int64_t> down, std::span<std::int64_t> across) noexcept;

/// Fourier features of one prompt token: out [2F] = sat(RNE((sine + label embedding) * 2^(f - 15))).
///
/// Integer   phase = RNE(sum_d (X_d - 128 S) g_d * 2^-8) mod 2^24; i = its top 12 bits, r = the low 12;
///           sine * 2^12 = T[i] * 2^12 + (T[i+1] - T[i]) * r, T one turn of round(32767 sin) in 4096 words; one rounding in all.
///           Features are F sines, then F cosines (a quarter turn ahead). A padding point (label -1) has no sine part
/// Units     x, y: (pixel + 1/2) in 2^-8 pixel; label -1..3
void prompt_row(const PromptOp& op, std::int32_t x, std::int32_t y, std::int32_t label, std::span<std::int32_t> out) noexcept;

/// T above.
[[nodiscard]] std::span<const std::int32_t> sine_turn() noexcept;

/// B_o of a patch with `valid_rows` x `valid_cols` real pixels: RNE-free of padding, so that padding contributes exactly nothing.
///
/// Integer   B_o - RNE(M_o * T_o * 2^-(8 + r)),  T_o = sum over valid pixels of w * mean_q8
[[nodiscard]] std::int64_t patch_offset(const PatchEmbedding& op, std::size_t channel, std::int64_t valid_rows, std::int64_t valid_cols) noexcept;

}  // namespace prelude::quant
