// SPDX-License-Identifier: Apache-2.0
#include "quant/engine/attention.hpp"

#include "quant/engine/products.hpp"
#include "quant/engine/relative_rows.hpp"
#include "quant/engine/softmax_rows.hpp"

namespace prelude::quant {

namespace {

/// What a thread works on.
struct Workspace {
    std::vector<std::int32_t> scores, codes;
};

std::span<const std::int32_t> rows_of(const IntTensor& words, std::int64_t first, std::int64_t count) {
    const auto length = words.shape().back();
    return words.values().subspan(static_cast<std::size_t>(first * length), static_cast<std::size_t>(count * length));
}

}  // namespace

std::optional<IntTensor> run_attention(const AttentionForms& forms, const AttentionWords& words) {
    const auto batch = words.queries.shape()[0], rows = words.queries.shape()[1], depth = words.queries.shape()[2];
    const auto keys = words.keys.shape()[forms.scores.transpose_right ? 1 : 2], outputs = words.values.shape()[forms.values.transpose_right ? 1 : 2];
    const auto score_product = ProductRunner::make(forms.scores, rows, keys, depth);
    if (!score_product) return std::nullopt;
    const auto block = score_product->rows();
    const auto value_product = ProductRunner::make(forms.values, block, outputs, keys);
    if (!value_product) return std::nullopt;

    std::vector<PlanesRight> packed_keys(static_cast<std::size_t>(batch)), packed_values(static_cast<std::size_t>(batch));
    const SoftmaxRows softmax(forms.softmax);
    std::optional<RelativeRows> relative;
    if (forms.relative) relative.emplace(*forms.relative, block);
    auto out = IntTensor::uninitialised(Shape{batch, rows, outputs});
    const auto blocks = (rows + block - 1) / block;
#pragma omp parallel
    {
#pragma omp for schedule(dynamic)
        for (std::int64_t b = 0; b < batch; ++b) {
            packed_keys[static_cast<std::size_t>(b)] = score_product->pack(words.keys.data() + b * keys * depth);
            packed_values[static_cast<std::size_t>(b)] = value_product->pack(words.values.data() + b * keys * outputs);
        }
        Workspace own;
        own.scores.resize(static_cast<std::size_t>(block * keys));
        own.codes.resize(own.scores.size());
#pragma omp for schedule(dynamic)
        for (std::int64_t task = 0; task < batch * blocks; ++task) {
            const auto b = task / blocks, first = task % blocks * block, count = std::min(block, rows - first), row = b * rows + first;
            score_product->run(rows_of(words.queries, row, count), count, packed_keys[static_cast<std::size_t>(b)], own.scores.data());
            if (relative) relative->run(rows_of(*words.relative, row, count), first, count, own.scores.data());
            for (std::int64_t i = 0; i < count; ++i) {
                softmax.run({own.scores.data() + i * keys, static_cast<std::size_t>(keys)}, own.codes.data() + i * keys);
            }
            value_product->run({own.codes.data(), static_cast<std::size_t>(count * keys)}, count, packed_values[static_cast<std::size_t>(b)],
                               out.data() + row * outputs);
        }
    }
    return out;
}

}  // namespace prelude::quant
