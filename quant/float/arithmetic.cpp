// SPDX-License-Identifier: Apache-2.0
#include "quant/float/arithmetic.hpp"

namespace prelude::quant::floating {

void softmax_row(std::span<float> row, int block, int bits) noexcept {
    const float largest = *std::ranges::max_element(row);
    for (auto& x : row) x = exponential(x - largest);
    const float sum = add_blocks(0.0F, 0, static_cast<std::int64_t>(row.size()), block, [&](std::int64_t k) { return row[static_cast<std::size_t>(k)]; });
    const float reciprocal = 1.0F / sum;
    for (auto& x : row) x = stored(bits, x * reciprocal);
}

void layer_norm_row(const float* in, float* out, std::int64_t stride, std::span<const float> gamma, std::span<const float> beta, float epsilon, int block,
                    int bits) noexcept {
    const auto channels = static_cast<std::int64_t>(gamma.size());
    const auto count = static_cast<float>(channels);
    const float mean = add_blocks(0.0F, 0, channels, block, [&](std::int64_t c) { return in[c * stride]; }) / count;
    const auto square = [&](std::int64_t c) {
        const float centred = in[c * stride] - mean;
        return centred * centred;
    };
    const float variance = add_blocks(0.0F, 0, channels, block, square) / count;
    const float factor = 1.0F / std::sqrt(variance + epsilon);
    for (std::int64_t c = 0; c < channels; ++c) {
        const auto i = static_cast<std::size_t>(c);
        out[c * stride] = stored(bits, ((in[c * stride] - mean) * factor) * gamma[i] + beta[i]);
    }
}

Tap tap(std::int64_t index, std::int64_t from, std::int64_t to) noexcept {
    const auto unit = 2 * to;
    const auto position = std::clamp<std::int64_t>((2 * index + 1) * from - to, 0, (from - 1) * unit);
    const auto first = position / unit;
    return {first, std::min(first + 1, from - 1), static_cast<float>(position - first * unit) / static_cast<float>(unit)};
}

void prompt_row(const PromptTables& tables, float x, float y, float label, std::span<float> out, int bits) noexcept {
    const auto frequencies = static_cast<std::size_t>(tables.num_frequencies);
    const auto* embedding = tables.label_embedding.data() + static_cast<std::ptrdiff_t>(label + 1.0F) * 2 * tables.num_frequencies;
    const auto size = static_cast<float>(tables.image_size);
    const float u = 2.0F * ((x + 0.5F) / size) - 1.0F, v = 2.0F * ((y + 0.5F) / size) - 1.0F;
    for (std::size_t i = 0; i < frequencies; ++i) {
        const float t = u * tables.gaussian[i] + v * tables.gaussian[frequencies + i];
        constexpr float kRound = 0x1.8p23F;
        const float f = t - ((t + kRound) - kRound);
        const bool padding = label < 0;
        out[i] = stored(bits, padding ? embedding[i] : sine_of_turns(f) + embedding[i]);
        out[frequencies + i] = stored(bits, padding ? embedding[frequencies + i] : sine_of_turns(f + 0.25F) + embedding[frequencies + i]);
    }
}

void relative_position_terms(std::span<const float> q, std::span<const float> table_height, std::span<const float> table_width, std::int64_t row,
                             std::int64_t col, int block, std::span<float> down, std::span<float> across) noexcept {
    const auto dim = static_cast<std::int64_t>(q.size());
    const auto terms = [&](std::span<const float> table, std::int64_t position, std::span<float> out) {
        const auto extent = static_cast<std::int64_t>(out.size());
        for (std::int64_t i = 0; i < extent; ++i) {
            out[static_cast<std::size_t>(i)] = add_products(0.0F, q.data(), table.data() + (position - i + extent - 1) * dim, 0, dim, block);
        }
    };
    terms(table_height, row, down);
    terms(table_width, col, across);
}

}  // namespace prelude::quant::floating
