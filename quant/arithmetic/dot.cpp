// SPDX-License-Identifier: Apache-2.0
#include "quant/arithmetic/dot.hpp"

#include <algorithm>
#include <numeric>

#include "quant/arithmetic/rescale.hpp"
#include "quant/arithmetic/rounding.hpp"

namespace prelude::quant {

namespace {

/// `sum` narrowed to the accumulator's width; counts what did not fit.
std::int64_t narrowed(const Accumulator& form, std::int64_t sum, std::int64_t& overflows) noexcept {
    const auto fitted = form.overflow == AccumulatorOverflow::wrap ? wrap(sum, form.bits)
                                                                   : saturate(sum, signed_min(form.bits), signed_max(form.bits));
    overflows += fitted != sum;
    return fitted;
}

/// Running sum of one term when the accumulator is narrower than the sum: applied after every `chunk` products and at the term's end.
struct Narrowing {
    const Accumulator& form;
    void step(std::int64_t& term_sum, std::int64_t& chunk_sum, std::int64_t& overflows) const noexcept {
        term_sum = narrowed(form, term_sum + chunk_sum, overflows);
        chunk_sum = 0;
    }
};

/// Sum of (a[k] - zero_a) * (b[k] - zero_b), exact.
std::int64_t plain_sum(const std::int32_t* a, std::int64_t zero_a, const std::int32_t* b, std::int64_t zero_b, std::int64_t count) noexcept {
    std::int64_t sum = 0;
    for (std::int64_t k = 0; k < count; ++k) sum += (a[k] - zero_a) * (b[k] - zero_b);
    return sum;
}

}  // namespace

TermOrder term_order(const Contraction& contraction) {
    TermOrder order;
    order.k_of.resize(static_cast<std::size_t>(contraction.depth));
    std::iota(order.k_of.begin(), order.k_of.end(), 0);
    if (contraction.term_of.empty()) {
        order.begin = {0, contraction.depth};
        order.is_identity = true;
        return order;
    }
    order.begin.assign(contraction.terms.size() + 1, 0);
    std::ranges::stable_sort(order.k_of, {}, [&](std::int32_t k) { return contraction.term_of[static_cast<std::size_t>(k)]; });
    for (auto term : contraction.term_of) ++order.begin[static_cast<std::size_t>(term) + 1];
    std::partial_sum(order.begin.begin(), order.begin.end(), order.begin.begin());
    order.is_identity = std::ranges::is_sorted(order.k_of);
    return order;
}

void accumulate(const Contraction& contraction, const TermOrder& order, std::span<const std::int32_t> codes, std::span<const std::int32_t> weights,
                std::int64_t begin, std::int64_t end, OutputAccumulator& output) noexcept {
    const bool exact = contraction.accumulator.overflow == AccumulatorOverflow::exact;
    const bool coded = contraction.code.kind != OperandKind::uniform;
    const auto num_sums = coded ? contraction.terms.size() : 1;
    auto& sums = exact ? output.term_sum : output.chunk_sum;
    const auto narrow = [&] {
        for (std::size_t t = 0; t < num_sums; ++t) {
            Narrowing{contraction.accumulator}.step(output.term_sum[t], output.chunk_sum[t], output.overflows);
        }
        output.chunk_count = 0;
    };
    auto group = static_cast<std::size_t>(std::upper_bound(order.begin.begin(), order.begin.end(), begin) - order.begin.begin()) - 1;
    for (auto position = begin; position < end; ++group) {
        const auto group_end = order.begin[group + 1];
        const auto stop = std::min(end, group_end);
        const auto zero_point = contraction.terms[group].zero_point;
        if (exact && !coded && order.is_identity) {
            sums[0] += plain_sum(codes.data() + position, zero_point, weights.data() + position, 0, stop - position);
            position = stop;
        }
        for (; position < stop; ++position) {
            const auto k = static_cast<std::size_t>(order.k_of[static_cast<std::size_t>(position)]);
            if (coded) {
                for (const auto& [factor, term] : decode(contraction.code, codes[k])) sums[static_cast<std::size_t>(term)] += factor * weights[k];
            } else {
                sums[0] += (static_cast<std::int64_t>(codes[k]) - zero_point) * weights[k];
            }
            if (!exact && ++output.chunk_count == contraction.accumulator.chunk) narrow();
        }
        if (position != group_end) continue;
        if (!exact) narrow();
        for (std::size_t t = 0; t < num_sums; ++t) {
            const auto& constant = contraction.terms[coded ? t : group];
            output.accumulator += (output.term_sum[t] * constant.multiplier) << constant.exponent;
            output.term_sum[t] = 0;
        }
    }
}

void accumulate(const Product& product, std::span<const std::int32_t> left, const std::int32_t* right, std::int64_t right_stride, std::int64_t begin,
                std::int64_t end, ProductAccumulator& output) noexcept {
    const bool exact = product.accumulator.overflow == AccumulatorOverflow::exact;
    auto& sums = exact ? output.term_sum : output.chunk_sum;
    if (exact && right_stride == 1 && product.code.kind == OperandKind::uniform) {
        sums[0] += plain_sum(left.data() + begin, product.left_zero_point, right + begin, product.right_zero_point, end - begin);
        return;
    }
    for (auto k = begin; k < end; ++k) {
        const auto other = static_cast<std::int64_t>(right[k * right_stride]) - product.right_zero_point;
        for (const auto& [factor, term] : decode_left(product, left[static_cast<std::size_t>(k)])) sums[static_cast<std::size_t>(term)] += factor * other;
        if (!exact && ++output.chunk_count == product.accumulator.chunk) {
            for (std::size_t t = 0; t < product.terms.size(); ++t) {
                Narrowing{product.accumulator}.step(output.term_sum[t], output.chunk_sum[t], output.overflows);
            }
            output.chunk_count = 0;
        }
    }
}

std::int64_t combine(const Product& product, ProductAccumulator& sums) noexcept {
    std::int64_t acc = 0;
    for (std::size_t t = 0; t < product.terms.size(); ++t) {
        if (product.accumulator.overflow != AccumulatorOverflow::exact) {
            Narrowing{product.accumulator}.step(sums.term_sum[t], sums.chunk_sum[t], sums.overflows);
        }
        acc += (sums.term_sum[t] * product.terms[t].multiplier) << product.terms[t].exponent;
    }
    return acc;
}

std::int64_t whole_factor(const Product& product, std::int32_t code) noexcept {
    std::int64_t sum = 0;
    for (const auto& [factor, term] : decode_left(product, code)) {
        const auto& constant = product.terms[static_cast<std::size_t>(term)];
        sum += (factor * constant.multiplier) << constant.exponent;
    }
    return sum;
}

std::uint64_t row_sum(const Product& product, std::span<const std::int32_t> left) noexcept {
    std::int64_t sum = 0;
    for (auto code : left) sum += whole_factor(product, code);
    return static_cast<std::uint64_t>(std::max<std::int64_t>(sum, 1));
}

std::int32_t finish(const Product& product, std::int64_t acc, const Reciprocal& divisor) noexcept {
    if (!product.row_normalised) return rescale(product.rescale, 0, acc);
    const auto operand = rne_shift(acc, product.rescale.operand_shift);
    const auto normalised = rne_shift(operand * static_cast<std::int64_t>(divisor.mantissa),
                                      16 + divisor.exponent - product.rescale.operand_shift - product.normalised_fraction);
    const auto& form = product.rescale;
    const auto y = rne_shift(form.multiplier[0] * normalised + form.offset[0], form.shift[0]);
    return static_cast<std::int32_t>(saturate(form.zero_point[0] + y, form.lo, form.hi));
}

}  // namespace prelude::quant
