// SPDX-License-Identifier: Apache-2.0
#pragma once

// What makes large SAMs hard to quantize, put into any checkpoint at a chosen strength without changing what it computes: every
// transformation is undone by its neighbour, so float outputs stay equal up to rounding and quantized ones suffer.

#include <cstdint>

#include "models/checkpoint/weights.hpp"

namespace prelude::models {

/// Strengths; the defaults leave the weights as they are.
struct StressSettings {
    /// Inter-channel variance: channel c of each encoder norm is scaled by r_c, log-uniform with largest / smallest = this; the weights
    /// that read it are divided by r_c.
    double channel_spread = 1;
    /// Bimodal keys: each channel of the token-to-image keys is moved by +-this many deviations. Softmax does not see a shift that is
    /// the same for all keys.
    double bimodal = 0;
    /// Ill-conditioned pairs: values are multiplied by a matrix of this condition number per head, the output projection by its inverse.
    double condition = 1;
    /// Long tails: hidden units of deviation `gelu_tail` join each encoder MLP, in pairs whose sum is 0: t u.x = GELU(t u.x) - GELU(-t u.x).
    double gelu_tail = 0;
    std::uint64_t seed = 1;

    friend bool operator==(const StressSettings&, const StressSettings&) = default;
};

/// Whether anything but the seed differs from the defaults.
[[nodiscard]] bool changes_weights(const StressSettings& settings) noexcept;

/// Hidden units that join each encoder MLP.
[[nodiscard]] std::int64_t added_mlp_width(const StressSettings& settings) noexcept;

struct StressedModel {
    SamConfig config;  ///< mlp_width is larger by added_mlp_width()
    Weights weights;
};

/// Limits    channel_spread and condition >= 1, bimodal and gelu_tail >= 0 (else a programming error); outputs agree with the original within float rounding times the strength
[[nodiscard]] StressedModel stress(const SamConfig& config, const Weights& weights, const StressSettings& settings);

}  // namespace prelude::models
