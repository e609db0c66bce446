// SPDX-License-Identifier: Apache-2.0
#pragma once

// The hybrid log-uniform quantizer of a layer's input, chosen by what it does to the layer's output.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "quant/calibration/observer.hpp"
#include "quant/fake/nonlinear.hpp"
#include "quant/settings.hpp"

namespace prelude::quant {

/// A linear layer in float: weight [N, K].
struct FloatLayer {
    std::int64_t outputs = 0, depth = 0;
    std::span<const float> weight;
};

struct HybridCandidate {
    float range_share, log_share;
};
/// alpha in {0.1, 0.3, 0.5} (outer) x beta in {1/8, 1/4, 1/2}
inline constexpr std::array<HybridCandidate, 9> kHybridCandidates{{{0.1F, 0.125F}, {0.1F, 0.25F}, {0.1F, 0.5F},
                                                                   {0.3F, 0.125F}, {0.3F, 0.25F}, {0.3F, 0.5F},
                                                                   {0.5F, 0.125F}, {0.5F, 0.25F}, {0.5F, 0.5F}}};

/// Losses mean |W x^ - W x|^2 of all candidates for one batch of inputs [rows, K] and a range lo .. hi.
/// Source    AHCPTQ: the range is the running mean up to this batch; losses are averaged over batches, the first smallest wins
[[nodiscard]] std::array<double, kHybridCandidates.size()> hybrid_losses(const FloatLayer& layer, std::span<const float> inputs, float lo, float hi, int bits,
                                                                         fake::HybridVariant variant);

/// What the search settles: shares as scales and counts.
struct HybridChoice {
    double log_scale = 0, uniform_scale = 0;
    int log_levels = 0;
    double loss = 0;  ///< mean |W x^ - W x|^2 over the rows; 0 without rows
};

/// Meaning   the candidates that agree with `settings` (alpha, beta given or open), judged on the sampled rows; without rows the first
/// Contract  scales belong to the intended quantizer; the range is lo .. hi with 0 inside. uniform_loss: the same loss of uniform codes
[[nodiscard]] double uniform_loss(const FloatLayer& layer, std::span<const float> rows, const Range& range, int bits);
[[nodiscard]] HybridChoice choose_hybrid(const FloatLayer& layer, std::span<const float> rows, const Range& range, int bits, const HybridSettings& settings);

}  // namespace prelude::quant
