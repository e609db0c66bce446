// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/probability_search.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>

#include "quant/calibration/minimise.hpp"
#include "quant/calibration/range_search.hpp"

namespace prelude::quant {

namespace {

constexpr int kScan = 96;

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// The loss of a quantizer: only the error of P is multiplied, since (P^ - P) V = P^ V - P V.
template <class Quantizer>
double product_loss(const AttentionSample& sample, const Quantizer& quantizer) {
    double sum = 0;
    Matrix error(sample.rows, sample.keys);
    for (std::int64_t b = 0; b < sample.batch; ++b) {
        const float* p = sample.probabilities.data() + b * sample.rows * sample.keys;
        for (std::int64_t i = 0; i < error.size(); ++i) error.data()[i] = quantizer(p[i]) - p[i];
        const Matrix product = error * Eigen::Map<const Matrix>(sample.values.data() + b * sample.keys * sample.columns, sample.keys, sample.columns);
        for (std::int64_t i = 0; i < product.size(); ++i) sum += std::pow(static_cast<double>(std::abs(product.data()[i])), kLossExponent);
    }
    return sum / static_cast<double>(sample.batch * sample.rows * sample.columns);
}

template <class Make>
void search(const AttentionSample& sample, double lo, double hi, const Make& make, CandidateLosses& found) {
    const auto best = minimise([&](double scale) { return product_loss(sample, make(static_cast<float>(scale))); }, lo, hi, kScan);
    found.scales.push_back(best.at);
    found.losses.push_back(best.value);
}

}  // namespace

CandidateLosses search_log_bases(const AttentionSample& sample, int bits, std::span<const int> candidates) {
    const double largest = std::ranges::max(sample.probabilities);
    CandidateLosses found;
    for (const int tau : candidates) {
        search(sample, std::min(0.1, 0.01 * largest), largest, [&](float s) { return fake::Logarithmic{.bits = bits, .tau = tau, .scale = s}; }, found);
    }
    return found;
}

CandidateLosses search_compandings(const AttentionSample& sample, int bits, std::span<const float> candidates) {
    const double largest = std::ranges::max(sample.probabilities);
    CandidateLosses found;
    for (const float alpha : candidates) {
        search(sample, std::max(1e-4, 0.1 * largest), largest,
               [&](float s) { return fake::Companding{.alpha = alpha, .scale = s, .steps = (1 << bits) - 1}; }, found);
    }
    return found;
}

CandidateChoice choose(std::span<const CandidateLosses> batches) {
    CandidateChoice choice;
    for (std::size_t i = 0; i < batches.front().losses.size(); ++i) {
        double loss = 0, scale = 0;
        for (const auto& batch : batches) loss += batch.losses[i], scale += batch.scales[i];
        if (i == 0 || loss < choice.loss) choice = {.index = i, .scale = scale / static_cast<double>(batches.size()), .loss = loss};
    }
    return choice;
}

}  // namespace prelude::quant
