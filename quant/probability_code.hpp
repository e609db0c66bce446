// SPDX-License-Identifier: Apache-2.0
#pragma once

// The codes of a softmax output: how many there are, what each stands for, where one ends and the next begins (docs/numerics.md
// sections 3 and 4). All in units of the scale S: the row's largest probability, a calibrated one, or 1.

#include <span>
#include <vector>

#include "quant/format_plan.hpp"

namespace prelude::quant {

/// Code width beyond which no code of the settings' scheme occurs or can be held.
///
/// Meaning   logarithmic: ceil(log2(cap tau + tau + 1)), a zero code included (escape: without it); companded powers: floor(log2((cap + 1) tau)),
///           since 2^b - 1 steps reach a shift of (2^b - 1) / tau; tables 8; buckets: 5, an accumulator per code; uniform 16
///           log_base search: that of tau = 4
[[nodiscard]] int useful_code_bits(const SoftmaxSettings& softmax) noexcept;

/// The format of probabilities with codes of `bits` bits, or as many as are useful.
/// Limits    softmax.log_base is one of the bases; stored width is a bit more with an escape code
[[nodiscard]] Format probability_format(const SoftmaxSettings& softmax, int bits) noexcept;

struct CodeLevels {
    std::vector<double> value;      ///< by code; of a code that does not occur 0
    std::vector<double> threshold;  ///< logarithmic: least probability of code c, descending; else: of code c + 1, ascending
    bool descending = false;
    std::int32_t beyond = 0;        ///< the code of probabilities below all thresholds

    [[nodiscard]] std::int32_t code(double probability) const noexcept;
};

/// Levels and thresholds of a format.
///
/// Meaning   uniform      c / L, thresholds (c - 1/2) / L, L = 2^b - 1
///           logarithmic  2^(-c / tau), thresholds 2^(-(c + 1/2) / tau), the zero code 0
///           companded    ((1 + A)^(c / L) - 1) / A, thresholds at c - 1/2; A = `companding` = alpha S, which is 2^(L / tau) - 1 where the factors are powers
/// Source    PTQ4SAM (AGQ), AHCQ-SAM (LNQ); powers: quant_methods, form (c) of LNQ, ours
[[nodiscard]] CodeLevels code_levels(const Format& form, double companding);

/// A of companded powers.
[[nodiscard]] double companding_of_powers(const Format& form) noexcept;

/// Factors by code of a table of `entry_bits` bits: RNE((2^bits - 1) value / largest value).
[[nodiscard]] std::vector<std::int32_t> table_factors(const CodeLevels& levels, int entry_bits);

}  // namespace prelude::quant
