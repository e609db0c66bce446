// SPDX-License-Identifier: Apache-2.0
#pragma once

// GELU by the published integer formulas: what the entries of its table are when quant.nonlinear says so.

#include <cstdint>

#include "quant/settings.hpp"

namespace prelude::quant {

inline constexpr int kGeluFraction = 12;  ///< fraction bits of the arguments below

/// i-GELU.
///
/// Meaning   x/2 (1 + erf(x / sqrt 2)),  erf(u) ~ sgn(u) (1 + a (min(|u|, -b) + b)^2),  a = -0.2888, b = -1.769
/// Integer   the grid of u is S = 2^-12 / sqrt 2; B = floor(b / S), C = floor(1 / (a S^2));
///           E = floor(sgn(x) ((min(|x|, -B) + B)^2 + C) 2^-14);  x (E + floor(1 / (a S^2 2^14)))
/// Units     x in 2^-12, the result in kPolynomialGeluStep = 2^-12 a S^2 2^14 / 2 (negative, as a is)
/// Limits    |x| < 2^40
/// Source    I-BERT (Kim et al. 2021), i-GELU and its code; docs/numerics.md section 5
[[nodiscard]] std::int64_t polynomial_gelu(std::int64_t x) noexcept;
inline constexpr double kPolynomialGeluStep = -0.2888 / (1 << 24);

/// ShiftGELU.
///
/// Meaning   x sigmoid(1.702 x),  sigmoid(v) = e^(v - m) / (e^(v - m) + e^-m),  m = max(v, 0)
/// Integer   z = RNE(x 10058 2^-12), 10058 = RNE(1.702 log2(e) 2^12); e = floor((2^13 - f) 2^(10 - I)) of |z| = I 2^12 + f;
///           s = floor(n floor((2^31 - 1) / (2^23 + e)) 2^-24), n = 2^23 for z >= 0, else e;  x s
/// Units     x in 2^-12, the result in kShiftGeluStep = 2^-19
/// Limits    |x| < 2^40
/// Source    I-ViT (Li and Gu 2023), ShiftGELU and its code; docs/numerics.md section 5
[[nodiscard]] std::int64_t shift_gelu(std::int64_t x) noexcept;
inline constexpr double kShiftGeluStep = 1.0 / (1 << 19);

/// GELU of a real argument: of the real function (table), or of the argument rounded to 2^-12 by a formula above.
[[nodiscard]] double gelu(Nonlinear form, double x) noexcept;

}  // namespace prelude::quant
