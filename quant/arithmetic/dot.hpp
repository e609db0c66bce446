// SPDX-License-Identifier: Apache-2.0
#pragma once

// Exact sums of products, in the order hardware accumulates them: term by term, positions of k ascending inside a term.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "quant/operations.hpp"

namespace prelude::quant {

/// What a code contributes: `factor` in term `term`.
struct Contribution {
    std::int64_t factor = 0;
    int term = 0;
};
/// Hybrid steps and companded codes contribute to two terms; what is not used has factor 0.
using Contributions = std::array<Contribution, 2>;

/// Whether a code can occur: a log code beyond the last level that is not the zero code does not.
[[nodiscard]] inline bool occurs(const OperandCode& form, std::int32_t code) noexcept {
    return form.kind != OperandKind::logarithmic || code == form.zero_code || code / form.tau <= form.shift_cap;
}

/// Factors of a coded operand's code that occurs.
///
/// Integer   logarithmic: c = tau e + f -> 2^(E - e) in term f, the zero code -> 0
///           companded: c = tau e + f -> 2^e in term f and -1 in term 0, 0 -> 0;  table: its factor;  bucket: 1 in term c - 1, 0 -> 0
///           hybrid: c < L_log -> 2^(E - c) in term 0, 0 where c > E; j = c - L_log > 0 -> 2^E in term 0 and j in term 1, or 2^E + j 2^alignment
///           in term 0; j = 0 -> 0
[[nodiscard]] inline Contributions decode(const OperandCode& form, std::int32_t code) noexcept {
    switch (form.kind) {
        case OperandKind::logarithmic:
            if (code == form.zero_code) return {};
            return {Contribution{std::int64_t{1} << (form.shift_cap - code / form.tau), code % form.tau}, {}};
        case OperandKind::companded:
            if (code == 0) return {};
            return {Contribution{std::int64_t{1} << (code / form.tau), code % form.tau}, Contribution{-1, 0}};
        case OperandKind::table: return {Contribution{form.factors[static_cast<std::size_t>(code)], 0}, {}};
        case OperandKind::bucket:
            if (code == 0) return {};
            return {Contribution{1, code - 1}, {}};
        case OperandKind::uniform:
        case OperandKind::hybrid: break;
    }
    const auto one = std::int64_t{1} << form.shift_cap;
    if (code < form.log_levels) return {Contribution{code <= form.shift_cap ? one >> code : 0, 0}, {}};
    const std::int64_t step = code - form.log_levels;
    if (step == 0) return {};
    if (form.alignment >= 0) return {Contribution{one + (step << form.alignment), 0}, {}};
    return {Contribution{one, 0}, Contribution{step, 1}};
}
/// The same for the left operand of a product; uniform: q - z.
[[nodiscard]] inline Contributions decode_left(const Product& product, std::int32_t code) noexcept {
    if (product.code.kind == OperandKind::uniform) return {Contribution{code - product.left_zero_point, 0}, {}};
    return decode(product.code, code);
}

/// What a left code adds to Acc for every step of the right operand: sum of factor * m_t * 2^x_t.
[[nodiscard]] std::int64_t whole_factor(const Product& product, std::int32_t code) noexcept;

/// The order of accumulation of a contraction: position p holds k = k_of[p]; group t owns [begin[t], begin[t+1]). A coded operand has one
/// group, whatever its terms.
struct TermOrder {
    std::vector<std::int32_t> k_of;
    std::vector<std::int64_t> begin;
    bool is_identity = false;  ///< k_of[p] = p
};
[[nodiscard]] TermOrder term_order(const Contraction& contraction);

inline constexpr std::size_t kMaxCodeTerms = 31;  ///< of 5-bit bucket codes

/// One output while its products arrive: the running A_t (of the current group, or of all terms of a code) and the exact Acc of the
/// finished ones.
struct OutputAccumulator {
    std::array<std::int64_t, kMaxCodeTerms> term_sum{}, chunk_sum{};
    std::int64_t accumulator = 0;
    std::int64_t overflows = 0;
    int chunk_count = 0;
};

/// Adds positions [begin, end) of one output; a term that ends here is flushed: Acc += m_t * 2^x_t * A_t.
///
/// Integer   A_t += (codes[k] - z_t) * weights[k], or the factors of a coded operand; exact, or narrowed as contraction.accumulator says
/// Shapes    codes [K] in channel order; weights: the output's row [K]
/// Limits    positions arrive in ascending order without gaps; the result does not depend on how [0, K) is cut
void accumulate(const Contraction& contraction, const TermOrder& order, std::span<const std::int32_t> codes, std::span<const std::int32_t> weights,
                std::int64_t begin, std::int64_t end, OutputAccumulator& output) noexcept;

/// One output of a product of two values: a sum per term (residue of a log operand).
struct ProductAccumulator {
    std::array<std::int64_t, kMaxCodeTerms> term_sum{}, chunk_sum{};
    std::int64_t overflows = 0;
    int chunk_count = 0;
};

/// Adds products k in [begin, end): left[k] decoded, right[k * right_stride] - z.
void accumulate(const Product& product, std::span<const std::int32_t> left, const std::int32_t* right, std::int64_t right_stride, std::int64_t begin,
                std::int64_t end, ProductAccumulator& output) noexcept;

/// Acc = sum_t m_t * 2^x_t * A_t.
[[nodiscard]] std::int64_t combine(const Product& product, ProductAccumulator& sums) noexcept;

/// Exact sum of a row's decoded left codes, with the same term constants: the divisor of a row-normalised product. At least 1.
[[nodiscard]] std::uint64_t row_sum(const Product& product, std::span<const std::int32_t> left) noexcept;

/// Acc -> output word of a product; `divisor` is used when the product is row-normalised.
///
/// Integer   Z = RNE(P * R * 2^-(16 + L - r - F)), 1/divisor = R * 2^-(16+L), then the ordinary rescale of Z (r = 0 there)
[[nodiscard]] std::int32_t finish(const Product& product, std::int64_t acc, const struct Reciprocal& divisor) noexcept;

}  // namespace prelude::quant
