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

/// Fourier features of one prompt token: out [2F] = sat(RNE((sine + label embedding) * 2^(f - 15))).
///
/// Integer   phase = sum_d (X_d - 8 S) g_d mod 2^24; index = RNE(phase * 2^-12) mod 4096; sine table of 4096 words of 16 bits;
///           features are F sines, then F cosines (a quarter turn ahead). A padding point (label -1) has no sine part.
/// Units     x16, y16: (pixel + 1/2) in sixteenths; label -1..3
void prompt_row(const PromptOp& op, std::int32_t x16, std::int32_t y16, std::int32_t label, std::span<std::int32_t> out) noexcept;

/// B_o of a patch with `valid_rows` x `valid_cols` real pixels: RNE-free of padding, so that padding contributes exactly nothing.
///
/// Integer   B_o - RNE(M_o * T_o * 2^-(8 + r)),  T_o = sum over valid pixels of w * mean_q8
[[nodiscard]] std::int64_t patch_offset(const PatchEmbedding& op, std::size_t channel, std::int64_t valid_rows, std::int64_t valid_cols) noexcept;

}  // namespace prelude::quant
