// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/hybrid_search.hpp"

#include <Eigen/Core>
#include <limits>
#include <set>

#include "quant/fake/affine.hpp"

namespace prelude::quant {

namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class Quantizer>
double output_loss(const FloatLayer& layer, std::span<const float> inputs, const Quantizer& form) {
    const Eigen::Map<const Matrix> weight(layer.weight.data(), layer.outputs, layer.depth);
    Matrix error(static_cast<std::int64_t>(inputs.size()) / layer.depth, layer.depth);
    for (std::size_t i = 0; i < inputs.size(); ++i) error.data()[i] = form(inputs[i]) - inputs[i];
    const Matrix product = error * weight.transpose();
    return product.cast<double>().squaredNorm() / static_cast<double>(product.size());
}

}  // namespace

std::array<double, kHybridCandidates.size()> hybrid_losses(const FloatLayer& layer, std::span<const float> inputs, float lo, float hi, int bits,
                                                           fake::HybridVariant variant) {
    std::array<double, kHybridCandidates.size()> losses{};
    for (std::size_t c = 0; c < losses.size(); ++c) {
        const auto [range_share, log_share] = kHybridCandidates[c];
        losses[c] = output_loss(layer, inputs, fake::hybrid_of_range(lo, hi, range_share, log_share, bits, variant));
    }
    return losses;
}

double uniform_loss(const FloatLayer& layer, std::span<const float> rows, const Range& range, int bits) {
    if (rows.empty()) return 0;
    return output_loss(layer, rows, fake::affine_of_range(static_cast<float>(range.lo), static_cast<float>(range.hi), bits, false));
}

HybridChoice choose_hybrid(const FloatLayer& layer, std::span<const float> rows, const Range& range, int bits, const HybridSettings& settings) {
    std::set<std::pair<double, double>> candidates;
    for (const auto [range_share, log_share] : kHybridCandidates) {
        candidates.emplace(settings.alpha.value_or(static_cast<double>(range_share)), settings.beta.value_or(static_cast<double>(log_share)));
    }
    HybridChoice choice;
    double smallest = std::numeric_limits<double>::infinity();
    for (const auto& [alpha, beta] : candidates) {
        const auto form = fake::hybrid_of_range(static_cast<float>(range.lo), static_cast<float>(range.hi), static_cast<float>(alpha), static_cast<float>(beta),
                                                bits, fake::HybridVariant::intended);
        const double loss = rows.empty() ? 0.0 : output_loss(layer, rows, form);
        if (loss >= smallest) continue;
        smallest = loss;
        choice = {.log_scale = static_cast<double>(form.log_scale), .uniform_scale = static_cast<double>(form.uniform_scale),
                  .log_levels = static_cast<int>(form.log_levels()), .loss = loss};
    }
    // A layer that is 0 on all calibration pictures still needs steps to divide by.
    choice.log_scale = std::max(choice.log_scale, 1e-8), choice.uniform_scale = std::max(choice.uniform_scale, 1e-8);
    return choice;
}

}  // namespace prelude::quant
