// SPDX-License-Identifier: Apache-2.0
#include "quant/accumulator_study.hpp"

#include <algorithm>

#include "quant/arithmetic/dot.hpp"
#include "quant/arithmetic/rounding.hpp"
#include "quant/engine/products.hpp"

namespace prelude::quant {

namespace {

/// Bits of the narrowest signed word that holds lo <= 0 and hi >= 0.
int signed_width(std::int64_t lo, std::int64_t hi) noexcept {
    int bits = 1;
    while (signed_min(bits) > lo || signed_max(bits) < hi) ++bits;
    return bits;
}

struct Ends {
    std::int64_t lo = 0, hi = 0;
    void include(std::int64_t v) noexcept { lo = std::min(lo, v), hi = std::max(hi, v); }
};

/// What one position adds to each term, over all codes of the operand, 0 among it.
std::vector<Ends> factors_of(const Contraction& form, std::size_t group, const Format& input) {
    const bool coded = form.code.kind != OperandKind::uniform;
    std::vector<Ends> ends(coded ? form.terms.size() : 1);
    for (std::int32_t code = 0; code < 1 << input.bits; ++code) {
        if (!coded) {
            ends[0].include(std::int64_t{code} - form.terms[group].zero_point);
            continue;
        }
        for (const auto& part : decode(form.code, code)) ends[static_cast<std::size_t>(part.term)].include(part.factor);
    }
    return ends;
}

/// The smallest width without overflows, known to be at most `widest`.
template <class Count>
int narrowest(int widest, const Count& overflows_at) {
    int low = 1, high = widest;  // overflows at low, none at high
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        (overflows_at(middle) > 0 ? low : high) = middle;
    }
    return high;
}

/// Overflows of the sums of `rows` [.., K], up to the first output that has some.
std::int64_t overflows_of(const Contraction& form, const std::vector<std::int32_t>& rows) {
    const auto order = term_order(form);
    const auto depth = static_cast<std::size_t>(form.depth);
    for (std::size_t begin = 0; begin < rows.size(); begin += depth) {
        for (std::int64_t o = 0; o < form.num_outputs; ++o) {
            OutputAccumulator output;
            accumulate(form, order, std::span(rows).subspan(begin, depth), std::span(form.weights).subspan(static_cast<std::size_t>(o) * depth, depth), 0, form.depth, output);
            if (output.overflows > 0) return output.overflows;
        }
    }
    return 0;
}

std::int64_t overflows_of(const Product& form, const IntTensor& left, const IntTensor& right, std::span<const std::int64_t> rows) {
    const auto k = left.shape()[2], n = form.transpose_right ? right.shape()[1] : right.shape()[2], m = left.shape()[1];
    for (const auto row : rows) {
        const auto* matrix = right.data() + row / m * n * k;
        for (std::int64_t o = 0; o < n; ++o) {
            ProductAccumulator sums;
            accumulate(form, left.row(row), matrix + (form.transpose_right ? o * k : o), form.transpose_right ? 1 : n, 0, k, sums);
            (void)combine(form, sums);
            if (sums.overflows > 0) return sums.overflows;
        }
    }
    return 0;
}

std::vector<std::int64_t> spread_rows(std::int64_t total, std::int64_t count) {
    std::vector<std::int64_t> rows;
    for (std::int64_t i = 0; i < std::min(count, total); ++i) rows.push_back((2 * i + 1) * total / (2 * std::min(count, total)));
    return rows;
}

const Contraction* contraction_of(const Operation& operation) {
    if (const auto* patches = std::get_if<PatchEmbedding>(&operation)) return &patches->contraction;
    return std::get_if<Contraction>(&operation);
}

}  // namespace

int width_for_weights(const Contraction& contraction, const Format& input) {
    const auto order = term_order(contraction);
    const auto groups = order.begin.size() - 1;
    int width = 1;
    for (std::size_t g = 0; g < groups; ++g) {
        for (const auto& factor : factors_of(contraction, g, input)) {
            for (std::int64_t o = 0; o < contraction.num_outputs; ++o) {
                Ends sum;
                for (auto p = order.begin[g]; p < order.begin[g + 1]; ++p) {
                    const std::int64_t w = contraction.weights[static_cast<std::size_t>(o * contraction.depth + order.k_of[static_cast<std::size_t>(p)])];
                    const auto ends = std::minmax({factor.lo * w, factor.hi * w});
                    sum.lo += ends.first, sum.hi += ends.second;
                }
                width = std::max(width, signed_width(sum.lo, sum.hi));
            }
        }
    }
    return width;
}

WordHook AccumulatorStudy::hook() {
    return [this](const models::Graph& graph, models::ValueId id, IntTensor& words) {
        const auto read = std::ranges::any_of(graph.consumers(id), [&](auto user) { return is_contraction(graph.node(user).op); });
        if (const auto* producer = graph.producer(id); producer && is_contraction(producer->op)) observe(graph, *producer);
        if (read) words_[id] = words;
    };
}

void AccumulatorStudy::observe(const models::Graph& graph, const models::Node& node) {
    const auto input = words_.find(node.inputs[0]);
    if (input == words_.end()) return;
    const auto& plan = quantized_.plan.contraction(node.name);
    auto [entry, is_new] = widths_.try_emplace(node.name, SumWidths{.depth = plan.depth, .operands = plan.product_bits});
    auto& widths = entry->second;
    const Accumulator narrow{.overflow = AccumulatorOverflow::saturate, .chunk = chunk_};
    if (const auto* contraction = contraction_of(quantized_.operation(node.name))) {
        auto form = *contraction;
        if (is_new) {
            widths.num_terms = form.terms.size();
            widths.weights = width_for_weights(form, quantized_.plan.format(graph.value(node.inputs[0]).name));
        }
        std::vector<std::int32_t> all;
        std::span<const std::int32_t> codes = input->second.values();
        const auto* conv = std::get_if<models::Conv>(&node.op);
        const auto* up = std::get_if<models::ConvTranspose>(&node.op);
        if (conv || up) {
            all = convolution_rows(conv ? *conv : models::Conv{.in_channels = up->in_channels, .out_channels = up->out_channels}, input->second, form);
            codes = all;
        }
        std::vector<std::int32_t> rows;
        for (const auto row : spread_rows(static_cast<std::int64_t>(codes.size()) / form.depth, rows_)) {
            const auto words = codes.subspan(static_cast<std::size_t>(row * form.depth), static_cast<std::size_t>(form.depth));
            rows.insert(rows.end(), words.begin(), words.end());
        }
        form.accumulator = narrow;
        const auto overflows_at = [&](int bits) {
            form.accumulator.bits = bits;
            return overflows_of(form, rows);
        };
        widths.observed = std::max(widths.observed, narrowest(plan.product_bits, overflows_at));
        return;
    }
    const auto right = words_.find(node.inputs[1]);
    if (right == words_.end()) return;
    auto form = std::get<Product>(quantized_.operation(node.name));
    widths.num_terms = form.terms.size();
    widths.weights = plan.product_bits;
    const auto rows = spread_rows(input->second.shape().num_rows(), rows_);
    form.accumulator = narrow;
    const auto overflows_at = [&](int bits) {
        form.accumulator.bits = bits;
        return overflows_of(form, input->second, right->second, rows);
    };
    widths.observed = std::max(widths.observed, narrowest(plan.product_bits, overflows_at));
}

}  // namespace prelude::quant
