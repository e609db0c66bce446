// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/bimodal.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace prelude::quant {

namespace {

constexpr double kLeastHeight = 0.01;  // of the summed density
constexpr std::size_t kLeastDistance = 32;

}  // namespace

Density kernel_density(std::span<const float> values) {
    Density result;
    const auto n = static_cast<double>(values.size());
    const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
    double squares = 0;
    for (const double v : values) squares += (v - mean) * (v - mean);
    result.bandwidth = std::sqrt(squares / (n - 1)) * std::pow(n, -0.2);
    const auto [lo, hi] = std::ranges::minmax(values);
    const double step = (static_cast<double>(hi) - lo) / (Density::kPoints - 1);
    const double norm = 1 / (n * result.bandwidth * std::sqrt(2 * std::numbers::pi));
    for (std::size_t i = 0; i < Density::kPoints; ++i) {
        result.grid[i] = lo + step * static_cast<double>(i);
        double sum = 0;
        for (const double v : values) {
            const double distance = (result.grid[i] - v) / result.bandwidth;
            sum += std::exp(-0.5 * distance * distance);
        }
        result.density[i] = sum * norm;
    }
    return result;
}

std::vector<std::size_t> local_maxima(std::span<const double> values) {
    std::vector<std::size_t> maxima;
    for (std::size_t i = 1; i + 1 < values.size(); ++i) {
        if (values[i - 1] >= values[i]) continue;
        auto end = i;
        while (end + 1 < values.size() && values[end + 1] == values[i]) ++end;
        if (end + 1 < values.size() && values[end + 1] < values[i]) maxima.push_back((i + end) / 2);
        i = end;
    }
    return maxima;
}

std::vector<std::size_t> peaks(const Density& density) {
    const double least = kLeastHeight * std::accumulate(density.density.begin(), density.density.end(), 0.0);
    auto candidates = local_maxima(density.density);
    std::erase_if(candidates, [&](std::size_t i) { return density.density[i] < least; });
    auto by_height = candidates;
    std::ranges::stable_sort(by_height, [&](std::size_t a, std::size_t b) { return density.density[a] < density.density[b]; });
    std::vector<std::size_t> kept;
    for (auto peak = by_height.rbegin(); peak != by_height.rend(); ++peak) {
        const bool crowded = std::ranges::any_of(kept, [&](std::size_t other) { return (*peak > other ? *peak - other : other - *peak) < kLeastDistance; });
        if (!crowded) kept.push_back(*peak);
    }
    std::ranges::sort(kept);
    return kept;
}

bool is_bimodal(std::span<const float> values) { return peaks(kernel_density(values)).size() == 2; }

std::vector<float> channel_signs(std::span<const float> values, std::int64_t channels) {
    std::vector<double> sums(static_cast<std::size_t>(channels), 0.0);
    for (std::size_t i = 0; i < values.size(); ++i) sums[i % sums.size()] += static_cast<double>(values[i]);
    std::vector<float> signs;
    for (const double sum : sums) signs.push_back(sum < 0 ? -1.0F : 1.0F);
    return signs;
}

void fold_signs(std::span<const float> signs, std::span<float> weight, std::span<float> bias) {
    const auto depth = weight.size() / signs.size();
    for (std::size_t c = 0; c < signs.size(); ++c) {
        for (auto& w : weight.subspan(c * depth, depth)) w *= signs[c];
        if (!bias.empty()) bias[c] *= signs[c];
    }
}

}  // namespace prelude::quant
