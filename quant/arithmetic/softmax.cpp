// SPDX-License-Identifier: Apache-2.0
#include "quant/arithmetic/softmax.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "quant/arithmetic/rescale.hpp"
#include "quant/arithmetic/rounding.hpp"

namespace prelude::quant {

namespace {

constexpr int kTableBits = 6;

/// Log codes relative to the row maximum: c = round(tau d), half down, straight on the score grid.
void log_row(const SoftmaxOp& op, std::span<const std::int32_t> scores, std::int32_t top, std::span<std::int32_t> codes) {
    const int shift = op.score_fraction + 1;
    const std::int64_t bias = (std::int64_t{1} << op.score_fraction) - 1;  // -2^F + 2^(F+1) - 1
    const std::int32_t beyond = op.zero_code >= 0 ? op.zero_code : op.num_levels - 1;
    for (std::size_t k = 0; k < scores.size(); ++k) {
        const std::int64_t distance = static_cast<std::int64_t>(top) - scores[k];
        const std::int64_t code = (2 * op.tau * distance + bias) >> shift;
        codes[k] = code < op.num_levels ? static_cast<std::int32_t>(code) : beyond;
    }
}

/// Smallest e that lies at or above (`inclusive`) or strictly above mantissa * 2^exponent * reference.
std::int64_t first_at(std::int64_t mantissa, int exponent, std::int64_t reference, bool inclusive) noexcept {
    const std::int64_t scaled = mantissa * reference;  // compared with e * 2^-exponent
    const std::int64_t floor = scaled >> -exponent;
    const bool whole = (floor << -exponent) == scaled;
    return inclusive && whole ? floor : floor + 1;
}

std::int64_t largest(const SoftmaxOp& op) noexcept { return (std::int64_t{1} << op.exp_bits) - 1; }

/// The table's entry and the chord to the next, shifted by `whole`.
std::int64_t interpolated(const SoftmaxOp& op, std::int64_t fraction, int whole) noexcept {
    const int rest_bits = std::max(op.score_fraction - kTableBits, 0);
    const auto index = static_cast<std::size_t>(op.score_fraction >= kTableBits ? fraction >> rest_bits : fraction << (kTableBits - op.score_fraction));
    const auto rest = fraction - ((fraction >> rest_bits) << rest_bits);
    const std::int64_t left = op.exp_constants[index], right = op.exp_constants[std::min<std::size_t>(index + 1, 64)];
    return rne_shift((left << rest_bits) - (left - right) * rest, rest_bits + whole);
}

/// EXP(0) - (B - A u) u, shifted by `whole`: both products exact, one rounding.
std::int64_t polynomial(const SoftmaxOp& op, std::int64_t fraction, int whole) noexcept {
    const std::int64_t square = op.exp_constants[0], slope = op.exp_constants[1];
    const auto fallen = ((slope << op.score_fraction) - square * fraction) * fraction;
    return rne_shift((largest(op) << (2 * op.score_fraction)) - fallen, 2 * op.score_fraction + whole);
}

}  // namespace

std::int64_t shift_exp2_neg(std::int64_t d, int fraction_bits, int bits) noexcept {
    const auto whole = d >> fraction_bits;
    if (whole > bits) return 0;
    const auto line = (std::int64_t{2} << fraction_bits) - (d - (whole << fraction_bits));
    const int shift = fraction_bits + 1 + static_cast<int>(whole) - bits;
    return shift >= 0 ? line >> shift : line << -shift;
}

std::int32_t exp2_neg(const SoftmaxOp& op, std::int64_t d) noexcept {
    const auto whole = d >> op.score_fraction;
    if (whole > op.exp_bits) return 0;
    const auto fraction = d - (whole << op.score_fraction);
    std::int64_t e = 0;
    switch (op.exponential) {
        case Exponential::table: e = interpolated(op, fraction, static_cast<int>(whole)); break;
        case Exponential::polynomial: e = polynomial(op, fraction, static_cast<int>(whole)); break;
        case Exponential::shift: e = std::min(shift_exp2_neg(d, op.score_fraction, op.exp_bits), largest(op)); break;
    }
    return static_cast<std::int32_t>(e);
}

std::int64_t threshold_at(const SoftmaxOp& op, std::size_t index, std::int64_t reference) noexcept {
    return first_at(op.threshold_mantissa[index], op.threshold_exponent[index], reference, op.tau != 0);
}

void compare_row(const SoftmaxOp& op, std::span<const std::int32_t> e, std::int64_t reference, std::span<std::int32_t> codes) {
    const bool log = op.tau != 0;
    std::vector<std::int64_t> bound(op.threshold_mantissa.size());
    for (std::size_t c = 0; c < bound.size(); ++c) bound[c] = threshold_at(op, c, reference);
    const std::int32_t beyond = op.zero_code >= 0 ? op.zero_code : op.num_levels - 1;
    for (std::size_t k = 0; k < e.size(); ++k) {
        if (log) {  // bounds descend: the code is the first whose bound is reached
            const auto found = std::lower_bound(bound.begin(), bound.end(), e[k], [](std::int64_t b, std::int32_t v) { return b > v; });
            codes[k] = found == bound.end() ? beyond : static_cast<std::int32_t>(found - bound.begin());
        } else {  // bounds ascend: the code is their number at or below e
            codes[k] = static_cast<std::int32_t>(std::upper_bound(bound.begin(), bound.end(), static_cast<std::int64_t>(e[k])) - bound.begin());
        }
    }
}

ProbabilityScale::ProbabilityScale(const SoftmaxOp& op, std::int64_t sum) noexcept {
    const auto inverse = reciprocal(static_cast<std::uint64_t>(sum));
    mantissa_ = inverse.mantissa;
    shift_ = 16 + inverse.exponent - (op.bits - 1);
}

std::int32_t ProbabilityScale::code(std::int32_t exponential) const noexcept { return static_cast<std::int32_t>(rne_shift(exponential * mantissa_, shift_)); }

namespace {

bool needs_maximum_alone(const SoftmaxOp& op) noexcept { return op.tau != 0 && op.scale == ScaleMode::row; }

std::vector<std::int32_t> exponentials(const SoftmaxOp& op, std::int32_t top, std::span<const std::int32_t> scores) {
    std::vector<std::int32_t> e(scores.size());
    for (std::size_t k = 0; k < scores.size(); ++k) e[k] = exp2_neg(op, static_cast<std::int64_t>(top) - scores[k]);
    return e;
}

void code_row(const SoftmaxOp& op, std::span<const std::int32_t> e, std::int64_t sum, std::span<std::int32_t> codes) {
    if (op.bits > kMaxComparedBits) {
        const ProbabilityScale scale(op, sum);
        for (std::size_t k = 0; k < e.size(); ++k) codes[k] = scale.code(e[k]);
        return;
    }
    compare_row(op, e, op.scale == ScaleMode::row ? exp2_neg(op, 0) : sum, codes);
}

}  // namespace

void softmax_row(const SoftmaxOp& op, std::span<const std::int32_t> scores, std::span<std::int32_t> codes) {
    const auto top = *std::ranges::max_element(scores);
    if (needs_maximum_alone(op)) return log_row(op, scores, top, codes);
    const auto e = exponentials(op, top, scores);
    code_row(op, e, std::accumulate(e.begin(), e.end(), std::int64_t{0}), codes);
}

void RowStatistics::add_maximum(std::span<const std::int32_t> scores) noexcept {
    for (auto score : scores) maximum = std::max(maximum, score);
}

void RowStatistics::add_exponentials(const SoftmaxOp& op, std::span<const std::int32_t> scores) noexcept {
    for (auto score : scores) sum += exp2_neg(op, static_cast<std::int64_t>(maximum) - score);
}

void softmax_piece(const SoftmaxOp& op, const RowStatistics& row, std::span<const std::int32_t> scores, std::span<std::int32_t> codes) {
    if (needs_maximum_alone(op)) return log_row(op, scores, row.maximum, codes);
    code_row(op, exponentials(op, row.maximum, scores), row.sum, codes);
}

}  // namespace prelude::quant
