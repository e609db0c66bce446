// SPDX-License-Identifier: Apache-2.0
#pragma once

// Fake quantization with unequal steps: logarithms of the softmax output, the hybrid codes of the MLP's hidden layer. Float32.

#include <cstdint>

namespace prelude::quant::fake {

/// Logarithmic quantizer of base 2^(1/tau): c = RNE(-tau log2(max(x, 1e-20) / S)); x^ = S 2^(-c/tau), 0 from c = 2^b on.
/// That is 2^b powers and a zero: one value more than b bits tell apart (docs/numerics.md says what hardware does about it).
/// Source    AGQ of PTQ4SAM; tau = 2: log-sqrt2 of RepQ-ViT
struct Logarithmic {
    int bits = 4, tau = 1;
    float scale = 1;
    [[nodiscard]] float operator()(float x) const noexcept;
};

/// Logarithmic nonlinear quantization: companding by t = ln(1 + alpha x) / ln(1 + alpha S), `steps` equal steps of t; code 0 is 0.
/// Source    AHCQ-SAM; calibrated with 2^b - 1 steps, which is what b bits code, and run there with 2^b
struct Companding {
    float alpha = 1, scale = 1;
    int steps = 15;
    [[nodiscard]] std::int64_t code(float x) const noexcept;
    [[nodiscard]] float value(std::int64_t code) const noexcept;
    [[nodiscard]] float operator()(float x) const noexcept { return value(code(x)); }
};

/// `reference` repeats a slip of the public code: the test for codes beyond the logarithmic part sees raw numbers of the uniform part,
/// so whatever exceeds the *number* of logarithmic codes falls to the lowest uniform value.
enum class HybridVariant { intended, reference };

/// Hybrid log-uniform quantizer: y = x - m; up to S_L by powers of two, above in equal steps S_U.
///
/// Meaning   y <= S_L: i = RNE(-log2(y / S_L)), S_L 2^-i, 0 from i = L_log on;  y > S_L: S_L + S_U clamp(RNE((y - S_L) / S_U), 0, L_uni - 1)
///           with L = 2^b, L_log = beta L, L_uni = L - L_log: exactly 2^b values, since the lowest uniform one is the highest power
/// Source    AHCPTQ
struct Hybrid {
    int bits = 4;
    float minimum = 0;         ///< m
    float log_scale = 1;       ///< S_L
    float uniform_scale = 1;   ///< S_U
    float log_share = 0.5F;    ///< beta: 1/8, 1/4, 1/2
    HybridVariant variant = HybridVariant::intended;

    [[nodiscard]] float log_levels() const noexcept { return static_cast<float>(1 << bits) * log_share; }
    [[nodiscard]] float uniform_levels() const noexcept { return static_cast<float>(1 << bits) - log_levels(); }
    [[nodiscard]] float operator()(float x) const noexcept;
};

/// S_L = alpha R, S_U = (1 - alpha) R / ((2^b - 1)(1 - beta)) of a range R = hi - lo; alpha: the range's logarithmic share.
[[nodiscard]] Hybrid hybrid_of_range(float lo, float hi, float range_share, float log_share, int bits, HybridVariant variant);

}  // namespace prelude::quant::fake
