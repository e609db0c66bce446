// SPDX-License-Identifier: Apache-2.0
#pragma once

// Activation-aware condition number reduction: the weak directions of a weight matrix are lifted towards the mean of its spectrum, less
// where its quantized input errs. Lower spread of singular values, smaller error of the product. No cost on the datapath.
// Source    AHCQ-SAM (ACNR), public code. Each step minimises (x - sigma)^2 / 2 + lambda (x - t)^2 + beta C x^2

#include <cstdint>
#include <span>
#include <vector>

namespace prelude::quant {

struct ConditionSettings {
    double spread = 0.003;        ///< lambda: pull towards the mean singular value
    double error = 0.001;         ///< beta: do not amplify the input's quantization error
    int iterations = 200;
    double least_condition = 100; ///< matrices better than that stay as they are
    double kept_energy = 0.8;     ///< the leading directions up to this share of sum sigma^2 stay
};

struct ConditionedWeights {
    std::vector<float> weight;   ///< [N, K]
    std::vector<double> sigma;   ///< descending
    double condition_before = 0, condition_after = 0;
};

/// Weight [N, K], input errors x - x^ [rows, K].
///
/// Meaning   W^T = U diag(sigma) V^T;  C_i = 2 / rows * sum over rows (error . u_i)^2;  per iteration, t = mean sigma:
///           n_i = (sigma_i + 2 lambda t) / (1 + 2 lambda + 2 beta C_i);  beyond the leading 80 % of energy sigma_i <- max(sigma_i, n_i)
/// Differs   the public code decomposes anew in every iteration; U and V stay, so one decomposition and the scalar recursion give the
///           same, up to the order of equal singular values. The factor 2 of C_i is the public code's
[[nodiscard]] ConditionedWeights reduce_condition(std::span<const float> weight, std::int64_t outputs, std::int64_t depth, std::span<const float> errors,
                                                  const ConditionSettings& settings);

}  // namespace prelude::quant
