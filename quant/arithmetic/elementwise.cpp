// SPDX-License-Identifier: Apache-2.0
#include "quant/arithmetic/elementwise.hpp"

#include <array>
#include <cmath>
#include <numbers>

#include "quant/arithmetic/rescale.hpp"

namespace prelude::quant {

namespace {

constexpr int kMeanFraction = 8, kFrequencyBits = 32, kPhaseBits = 24, kSineBits = 12, kRestBits = kPhaseBits - kSineBits, kSineFraction = 15;

/// One turn of round(32767 sin): 4096 words. A quarter is rounded from the double sine, the rest is its mirror image.
std::array<std::int32_t, 1 << kSineBits> make_sine() {
    std::array<std::int32_t, 1 << kSineBits> table{};
    constexpr std::size_t quarter = (1u << kSineBits) / 4;
    for (std::size_t i = 0; i <= quarter; ++i) {
        const double sine = std::sin(std::numbers::pi / 2 * static_cast<double>(i) / quarter);
        const auto word = static_cast<std::int32_t>(std::nearbyint(32767.0 * sine));
        table[i] = word;
        table[2 * quarter - i] = word;
        table[(2 * quarter + i) % table.size()] = -word;
        table[(4 * quarter - i) % table.size()] = -word;
    }
    return table;
}

template <class Sum>
std::int64_t sum_of_products(std::span<const std::int32_t> codes, std::int32_t zero_point, const std::int32_t* words) noexcept {
    Sum sum = 0;
    for (std::size_t d = 0; d < codes.size(); ++d) sum += (static_cast<Sum>(codes[d]) - zero_point) * words[d];
    return sum;
}

}  // namespace

Tap tap(std::int64_t index, std::int64_t from, std::int64_t to) noexcept {
    const auto unit = 2 * to;
    const auto position = saturate((2 * index + 1) * from - to, 0, (from - 1) * unit);
    const auto first = position / unit;
    const auto rest = static_cast<std::uint64_t>(position - first * unit);
    return {first, std::min(first + 1, from - 1), static_cast<std::int32_t>(rne_divide(rest << kTapBits, static_cast<std::uint64_t>(unit)))};
}

void relative_position_terms(const RelativePositionOp& op, std::span<const std::int32_t> q, std::int64_t row, std::int64_t col,
                             std::span<std::int64_t> down, std::span<std::int64_t> across) noexcept {
    const bool fits = bit_length(static_cast<std::uint64_t>(op.head_dim)) + op.q_bits + op.table_bits < 32;  // then sums do, in narrower and faster words
    const auto term = [&](const std::vector<std::int32_t>& table, std::int64_t entry, const Rescale& form) {
        const auto* codes = table.data() + entry * op.head_dim;
        const auto sum = fits ? sum_of_products<std::int32_t>(q, op.q_zero_point, codes) : sum_of_products<std::int64_t>(q, op.q_zero_point, codes);
        return rescale_wide(form, 0, sum);
    };
    for (std::int64_t i = 0; i < op.height; ++i) down[static_cast<std::size_t>(i)] = term(op.table_height, row - i + op.height - 1, op.rescale_height);
    for (std::int64_t i = 0; i < op.width; ++i) across[static_cast<std::size_t>(i)] = term(op.table_width, col - i + op.width - 1, op.rescale_width);
}

std::span<const std::int32_t> sine_turn() noexcept {
    static const auto kSine = make_sine();
    return kSine;
}

void prompt_row(const PromptOp& op, std::int32_t x, std::int32_t y, std::int32_t label, std::span<std::int32_t> out) noexcept {
    const auto sine = sine_turn();
    constexpr std::int64_t turn = std::int64_t{1} << kPhaseBits, rest_mask = (std::int64_t{1} << kRestBits) - 1, index_mask = (1 << kSineBits) - 1;
    const auto centre = (op.image_size << kCoordinateFraction) / 2;
    const auto features = static_cast<std::size_t>(op.num_frequencies);
    for (std::size_t f = 0; f < 2 * features; ++f) {
        std::int64_t sum = static_cast<std::int64_t>(op.label_embedding[static_cast<std::size_t>(label + 1) * 2 * features + f]) << kRestBits;
        if (label >= 0) {
            const auto column = f % features;
            const auto product = (x - centre) * op.frequency[column] + (y - centre) * op.frequency[features + column];
            const auto phase = (rne_shift(product, kFrequencyBits - kPhaseBits) + (f < features ? 0 : turn / 4)) & (turn - 1);
            const auto index = phase >> kRestBits;
            const std::int64_t left = sine[static_cast<std::size_t>(index)], right = sine[static_cast<std::size_t>((index + 1) & index_mask)];
            sum += (left << kRestBits) + (right - left) * (phase & rest_mask);
        }
        out[f] = static_cast<std::int32_t>(saturate(rne_shift(sum, kRestBits + kSineFraction - op.output_fraction), signed_min(op.bits), signed_max(op.bits)));
    }
}

std::int64_t patch_offset(const PatchEmbedding& op, std::size_t channel, std::int64_t valid_rows, std::int64_t valid_cols) noexcept {
    const auto& form = op.contraction;
    std::int64_t mean = 0;
    for (std::int64_t c = 0; c < 3; ++c) {
        std::int64_t weights = 0;
        for (std::int64_t y = 0; y < valid_rows; ++y) {
            for (std::int64_t x = 0; x < valid_cols; ++x) {
                weights += form.weights[channel * static_cast<std::size_t>(form.depth) + static_cast<std::size_t>((c * op.patch + y) * op.patch + x)];
            }
        }
        mean += weights * op.mean_q8[static_cast<std::size_t>(c)];
    }
    return form.rescale.offset[channel] - rne_shift(form.rescale.multiplier[channel] * mean, kMeanFraction + form.rescale.operand_shift);
}

}  // namespace prelude::quant
