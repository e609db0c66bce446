// SPDX-License-Identifier: Apache-2.0
#pragma once

// Regularised least squares of sums of priced counts, some of them times common factors: what few measurements say of many prices that are roughly known.

#include <Eigen/Dense>
#include <span>
#include <vector>

namespace prelude::experiments {

/// measured = (product of the factors named) * (fixed + sum over prices of count * price)
struct ProductRow {
    double measured = 1;  ///< > 0
    double fixed = 0;
    Eigen::VectorXd counts;    ///< of every price
    std::vector<int> factors;  ///< indices of the factors that apply
};

/// Prices first, then factors. A deviation of 0 holds a value as it is.
struct Prices {
    Eigen::VectorXd value, deviation;
};

[[nodiscard]] double predicted(const ProductRow& row, const Eigen::VectorXd& values);

/// The most likely prices and factors, given what was known of them.
///
/// Meaning   min over x >= 0 of  sum_rows ((f(x) - y) / (noise y))^2 + sum_i ((x_i - p_i) / s_i)^2,  f as in ProductRow                            (1)
///           without factors in closed form, x = p + S^2 A^T (A S^2 A^T + noise^2)^-1 (1 - A p) where none of it is negative; with them Gauss-Newton
///           steps of the same form. The deviations are those of (1) around its minimum, the bound at 0 left aside
/// Limits    prior.deviation >= 0, prior.value >= 0, as many counts as prior has values less the factors; noise > 0
/// Throws    nothing; no rows give the prior back
[[nodiscard]] Prices fitted(std::span<const ProductRow> rows, const Prices& prior, double noise);

}  // namespace prelude::experiments
