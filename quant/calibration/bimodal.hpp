// SPDX-License-Identifier: Apache-2.0
#pragma once

// Bimodal integration: keys whose channels cluster around two opposite values are quantized better after their signs are folded
// into the query and key projections. Free at run time: s_c^2 = 1 leaves every score as it is.
// Source    PTQ4SAM (BIG); the peak rule is SciPy's find_peaks with height and distance

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace prelude::quant {

/// Gaussian kernel density on 128 equidistant points between the extremes; bandwidth = deviation (n - 1) * n^(-1/5).
struct Density {
    static constexpr std::size_t kPoints = 128;
    std::array<double, kPoints> grid{}, density{};
    double bandwidth = 0;
};
[[nodiscard]] Density kernel_density(std::span<const float> values);

/// Interior local maxima (the middle of a plateau), ascending.
[[nodiscard]] std::vector<std::size_t> local_maxima(std::span<const double> values);

/// Local maxima of at least 1 % of the summed density; of two fewer than 32 points apart the lower one goes.
[[nodiscard]] std::vector<std::size_t> peaks(const Density& density);

/// Whether exactly two peaks remain.
[[nodiscard]] bool is_bimodal(std::span<const float> values);

/// Sign of each channel's mean over tokens [T, C]: +1 or -1 (a mean of 0 counts as +1: a sign of 0 would kill the channel).
[[nodiscard]] std::vector<float> channel_signs(std::span<const float> values, std::int64_t channels);

/// Multiplies row c of a projection [C, K] and entry c of its offsets by sign c.
void fold_signs(std::span<const float> signs, std::span<float> weight, std::span<float> bias);

}  // namespace prelude::quant
