// SPDX-License-Identifier: Apache-2.0
#include "quant/engine/softmax_rows.hpp"

#include <algorithm>

#include "quant/arithmetic/softmax.hpp"
#include "quant/engine/vectorise.hpp"

namespace prelude::quant {

namespace {

constexpr std::int64_t kMaxTable = 1 << 18;      ///< distances; wider scores go the slow way
constexpr std::size_t kMaxCompared = 16;         ///< thresholds that are compared one by one

PRELUDE_VECTORISED
std::int32_t largest(const std::int32_t* values, std::size_t count) {
    std::int32_t top = values[0];
    for (std::size_t i = 1; i < count; ++i) top = values[i] > top ? values[i] : top;
    return top;
}

/// Distances to the maximum, at most `limit`.
PRELUDE_VECTORISED
void distances_of(const std::int32_t* scores, std::size_t count, std::uint32_t top, std::uint32_t limit, std::int32_t* __restrict distances) {
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint32_t distance = top - static_cast<std::uint32_t>(scores[i]);
        distances[i] = static_cast<std::int32_t>(distance < limit ? distance : limit);
    }
}

PRELUDE_VECTORISED
void levels_of(std::int32_t* __restrict codes, std::size_t count, std::int32_t factor, std::int32_t bias, int shift, std::int32_t num_levels, std::int32_t beyond) {
    for (std::size_t i = 0; i < count; ++i) {
        const std::int32_t code = (factor * codes[i] + bias) >> shift;
        codes[i] = code < num_levels ? code : beyond;
    }
}

PRELUDE_VECTORISED
std::int64_t sum_of(const std::int32_t* table, const std::int32_t* distances, std::size_t count) {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < count; ++i) sum += table[distances[i]];
    return sum;
}

/// In place of each distance: how many of the bounds it lies within (`ascending`), or beyond.
PRELUDE_VECTORISED
void count_within(std::int32_t* __restrict distances, std::size_t count, const std::int32_t* bounds, std::size_t num_bounds, bool ascending) {
    constexpr std::size_t kBlock = 64;
    for (std::size_t begin = 0; begin < count; begin += kBlock) {
        const std::size_t size = count - begin < kBlock ? count - begin : kBlock;
        std::int32_t within[kBlock] = {};
        for (std::size_t c = 0; c < num_bounds; ++c) {
            for (std::size_t i = 0; i < size; ++i) within[i] += distances[begin + i] <= bounds[c] ? 1 : 0;
        }
        const auto all = static_cast<std::int32_t>(num_bounds);
        for (std::size_t i = 0; i < size; ++i) distances[begin + i] = ascending ? within[i] : all - within[i];
    }
}

PRELUDE_VECTORISED
void replace(std::int32_t* __restrict codes, std::size_t count, std::int32_t from, std::int32_t to) {
    for (std::size_t i = 0; i < count; ++i) codes[i] = codes[i] == from ? to : codes[i];
}

}  // namespace

SoftmaxRows::SoftmaxRows(const SoftmaxOp& op) : op_(op) {
    beyond_ = op.zero_code >= 0 ? op.zero_code : op.num_levels - 1;
    if (op.tau != 0 && op.scale == ScaleMode::row) {
        // code < num_levels  <=>  2 tau d + bias < num_levels 2^shift, shift = F + 1, bias = 2^F - 1
        const auto half = std::int64_t{1} << op.score_fraction;
        level_end_ = (op.num_levels * 2 * half - (half - 1) + 2 * op.tau - 1) / (2 * op.tau);
        return;
    }
    std::int32_t previous = exp2_neg(op, 0);
    for (std::int64_t d = 0; d < kMaxTable; ++d) {
        const auto word = exp2_neg(op, d);
        if (word > previous) break;  // tables by distance need a function that falls
        exponential_.push_back(previous = word);
        if (word == 0) break;
    }
    const bool falls_to_zero = exponential_.back() == 0 && exp2_neg(op, static_cast<std::int64_t>(exponential_.size())) == 0;
    if (!falls_to_zero) exponential_.clear();
    if (!exponential_.empty() && op.scale == ScaleMode::row) reaches(exponential_[0], row_reaches_);
}

void SoftmaxRows::run(std::span<const std::int32_t> scores, std::int32_t* codes) const {
    const auto top = largest(scores.data(), scores.size());
    if (level_end_ > 0 && level_end_ < kMaxTable) return run_levels(scores, top, codes);
    if (exponential_.empty()) return softmax_row(op_, scores, {codes, scores.size()});
    run_compared(scores, top, codes);
}

void SoftmaxRows::run_levels(std::span<const std::int32_t> scores, std::int32_t top, std::int32_t* codes) const {
    distances_of(scores.data(), scores.size(), static_cast<std::uint32_t>(top), static_cast<std::uint32_t>(level_end_), codes);
    levels_of(codes, scores.size(), 2 * op_.tau, (1 << op_.score_fraction) - 1, op_.score_fraction + 1, op_.num_levels, beyond_);
}

void SoftmaxRows::run_compared(std::span<const std::int32_t> scores, std::int32_t top, std::int32_t* codes) const {
    const auto count = scores.size();
    distances_of(scores.data(), count, static_cast<std::uint32_t>(top), static_cast<std::uint32_t>(exponential_.size() - 1), codes);
    if (op_.bits > kMaxComparedBits) {
        const auto scale = ProbabilityScale(op_, sum_of(exponential_.data(), codes, count));
        for (std::size_t i = 0; i < count; ++i) codes[i] = scale.code(exponential_[static_cast<std::size_t>(codes[i])]);
        return;
    }
    if (op_.scale != ScaleMode::row && op_.threshold_mantissa.size() > std::max(kMaxCompared, count / 4)) {  // more thresholds to place than they save
        const auto sum = sum_of(exponential_.data(), codes, count);
        for (std::size_t i = 0; i < count; ++i) codes[i] = exponential_[static_cast<std::size_t>(codes[i])];
        return compare_row(op_, {codes, count}, sum, {codes, count});
    }
    thread_local std::vector<std::int32_t> own;
    if (op_.scale != ScaleMode::row) reaches(sum_of(exponential_.data(), codes, count), own);
    const auto& bounds = op_.scale == ScaleMode::row ? row_reaches_ : own;
    const bool ascending = op_.tau == 0;
    if (bounds.size() <= kMaxCompared) {
        count_within(codes, count, bounds.data(), bounds.size(), ascending);
    } else {
        thread_local std::vector<std::int32_t> code_of;  // by distance; bounds fall with the code (ascending) or rise with it
        code_of.resize(exponential_.size());
        std::int32_t from = 0;
        const auto last = static_cast<std::int32_t>(bounds.size());
        for (std::int32_t step = 0; step <= last; ++step) {
            const auto code = ascending ? last - step : step;
            const auto end = step == last ? static_cast<std::int32_t>(code_of.size())
                                          : std::min(bounds[static_cast<std::size_t>(ascending ? last - 1 - step : step)] + 1, static_cast<std::int32_t>(code_of.size()));
            for (; from < end; ++from) code_of[static_cast<std::size_t>(from)] = code;
        }
        for (std::size_t i = 0; i < count; ++i) codes[i] = code_of[static_cast<std::size_t>(codes[i])];
    }
    if (!ascending) replace(codes, count, static_cast<std::int32_t>(bounds.size()), beyond_);
}

void SoftmaxRows::reaches(std::int64_t reference, std::vector<std::int32_t>& distances) const {
    distances.clear();
    for (std::size_t c = 0; c < op_.threshold_mantissa.size(); ++c) {
        const auto bound = threshold_at(op_, c, reference);
        const auto end = std::ranges::partition_point(exponential_, [&](std::int32_t word) { return word >= bound; });
        // the last entry, 0, stands for every distance from there on
        distances.push_back(static_cast<std::int32_t>(end - exponential_.begin()) - 1);
    }
}

}  // namespace prelude::quant
