// SPDX-License-Identifier: Apache-2.0
#pragma once

// The tables and widths docs/numerics.md fixes by formula: derived here from the formulas, so that lowered operations can be checked too.

#include "tests/support/oracle/integers.hpp"

namespace prelude::oracle {

/// T[0..64]: RNE((2^bits - 1) 2^(-i/64)).
[[nodiscard]] Words exp_table(int bits);
/// A and B of EXP by a polynomial: RNE(0.35815147 ln^2 2 top), RNE(0.96963238 ln 2 top), B no more than A + floor(top / 2); top = 2^bits - 1.
[[nodiscard]] Words exp_polynomial(int bits);
/// GELU of x rounded to 2^-12, by the formulas of section 5.
[[nodiscard]] double ibert_gelu(double x);
[[nodiscard]] double ivit_gelu(double x);
/// m_f of a log operand: 1 for tau = 1, else RNE((2^16 - 1) 2^(-f/tau)).
[[nodiscard]] Words residue_constants(int tau);
/// round(sqrt(2^31 / (129 + 2 i))), i < 192.
[[nodiscard]] Words root_seed();
/// One turn of RNE(32767 sin) in 4096 words.
[[nodiscard]] const Words& sine_table();

/// Levels L of a logarithmic code; `zero` = the top code is the zero.
[[nodiscard]] Word log_levels(int bits, int tau, int cap, bool zero);
/// ceil(log2(cap tau + tau + 1)).
[[nodiscard]] int useful_bits(int tau, int cap);
/// width(A); `log_shift` >= 0 replaces the activation's bits.
[[nodiscard]] int product_width(int activation_bits, int weight_bits, bool symmetric, std::int64_t depth, int shift);
/// X = clamp(63 - width(A) - term_bits, 0, 6).
[[nodiscard]] int largest_term_exponent(int product_width, int term_bits);
/// F_t = 19 - ceil(log2(D) / 2).
[[nodiscard]] int layer_norm_fraction(std::int64_t channels);

}  // namespace prelude::oracle
