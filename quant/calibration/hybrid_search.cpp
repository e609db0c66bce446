// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/hybrid_search.hpp"

#include <Eigen/Core>

namespace prelude::quant {

std::array<double, kHybridCandidates.size()> hybrid_losses(const FloatLayer& layer, std::span<const float> inputs, float lo, float hi, int bits,
                                                           fake::HybridVariant variant) {
    using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const Eigen::Map<const Matrix> weight(layer.weight.data(), layer.outputs, layer.depth);
    Matrix error(static_cast<std::int64_t>(inputs.size()) / layer.depth, layer.depth);
    std::array<double, kHybridCandidates.size()> losses{};
    for (std::size_t c = 0; c < losses.size(); ++c) {
        const auto form = fake::hybrid_of_range(lo, hi, kHybridCandidates[c].range_share, kHybridCandidates[c].log_share, bits, variant);
        for (std::size_t i = 0; i < inputs.size(); ++i) error.data()[i] = form(inputs[i]) - inputs[i];
        const Matrix product = error * weight.transpose();
        losses[c] = product.cast<double>().squaredNorm() / static_cast<double>(product.size());
    }
    return losses;
}

}  // namespace prelude::quant
