// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/probability_search.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <numbers>

#include "quant/calibration/minimise.hpp"
#include "quant/calibration/range_search.hpp"

namespace prelude::quant {

namespace {

constexpr int kScan = 96;
constexpr float kSmallest = 1e-20F;  // stands for 0 under a logarithm

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::ArrayXf;
using View = Eigen::Map<const Vector>;

View view(std::span<const float> values) { return {values.data(), static_cast<Eigen::Index>(values.size())}; }

/// The loss of a quantizer, here a function from the logarithms of many probabilities to what their codes stand for. Only the error of P is
/// multiplied, since (P^ - P) V = P^ V - P V.
template <class Quantizer>
double product_loss(const AttentionSample& sample, const Vector& logarithms, const Quantizer& quantizer) {
    double sum = 0;
    const auto size = sample.rows * sample.keys;
    Vector error(size), magnitude;
    for (std::int64_t b = 0; b < sample.batch; ++b) {
        error = quantizer(logarithms.segment(b * size, size)) - view(sample.probabilities).segment(b * size, size);
        const Matrix product = Eigen::Map<const Matrix>(error.data(), sample.rows, sample.keys) *
                               Eigen::Map<const Matrix>(sample.values.data() + b * sample.keys * sample.columns, sample.keys, sample.columns);
        magnitude = Eigen::Map<const Vector>(product.data(), product.size()).abs();
        sum += (magnitude.log() * static_cast<float>(kLossExponent)).exp().cast<double>().sum();
    }
    return sum / static_cast<double>(sample.batch * sample.rows * sample.columns);
}

template <class Make>
void search(const AttentionSample& sample, const Vector& logarithms, double lo, double hi, const Make& make, CandidateLosses& found) {
    const auto best = minimise([&](double scale) { return product_loss(sample, logarithms, make(static_cast<float>(scale))); }, lo, hi, kScan);
    found.scales.push_back(best.at);
    found.losses.push_back(best.value);
}

/// fake::Logarithmic on many values at a time, given their logarithms to the base 2.
auto logarithmic(int bits, int tau, float scale) {
    const auto levels = static_cast<float>(1 << bits), inverse = static_cast<float>(tau), top = std::log2(scale);
    return [=](const auto& logarithms) -> Vector {
        const Vector code = ((top - logarithms) * inverse).rint().max(0.0F);
        const Vector value = (code * (-std::numbers::ln2_v<float> / inverse)).exp() * scale;  // apart from the selection: vectorised
        return (code < levels).select(value, 0.0F);
    };
}

/// fake::Companding on many values at a time, given their ln(1 + alpha x).
auto companding(float alpha, float scale, int steps) {
    const float whole = std::log(1 + alpha * scale), top = static_cast<float>(steps);
    return [=](const auto& logarithms) -> Vector {
        const Vector code = (logarithms.min(whole) / whole * top).rint();
        const Vector value = ((code * (whole / top)).exp() - 1.0F) / alpha;
        return (code > 0.0F).select(value, 0.0F);
    };
}

}  // namespace

CandidateLosses search_log_bases(const AttentionSample& sample, int bits, std::span<const int> candidates) {
    const double largest = std::ranges::max(sample.probabilities);
    const Vector logarithms = view(sample.probabilities).max(kSmallest).log() * std::numbers::log2e_v<float>;
    CandidateLosses found;
    for (const int tau : candidates) {
        search(sample, logarithms, std::min(0.1, 0.01 * largest), largest, [&](float s) { return logarithmic(bits, tau, s); }, found);
    }
    return found;
}

CandidateLosses search_compandings(const AttentionSample& sample, int bits, std::span<const float> candidates) {
    const double largest = std::ranges::max(sample.probabilities);
    CandidateLosses found;
    for (const float alpha : candidates) {
        const Vector logarithms = (view(sample.probabilities) * alpha + 1.0F).log();
        search(sample, logarithms, std::max(1e-4, 0.1 * largest), largest, [&](float s) { return companding(alpha, s, (1 << bits) - 1); }, found);
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
