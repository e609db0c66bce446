// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/probability_search.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>

#include "quant/calibration/minimise.hpp"
#include "quant/calibration/range_search.hpp"
#include "quant/probability_code.hpp"

namespace prelude::quant {

namespace {

constexpr int kScan = 96;

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// The loss of what `quantize_row` makes of a row of P: only the error of P is multiplied, since (P^ - P) V = P^ V - P V.
template <class QuantizeRow>
double product_loss(const AttentionSample& sample, const QuantizeRow& quantize_row) {
    double sum = 0;
    Matrix error(sample.rows, sample.keys);
    const auto keys = static_cast<std::size_t>(sample.keys);
    for (std::int64_t b = 0; b < sample.batch; ++b) {
        const auto* p = sample.probabilities.data() + b * sample.rows * sample.keys;
        for (std::int64_t row = 0; row < sample.rows; ++row) {
            quantize_row(std::span(p + row * sample.keys, keys), std::span(error.data() + row * sample.keys, keys));
        }
        error -= Eigen::Map<const Matrix>(p, sample.rows, sample.keys);
        const Matrix product = error * Eigen::Map<const Matrix>(sample.values.data() + b * sample.keys * sample.columns, sample.keys, sample.columns);
        for (std::int64_t i = 0; i < product.size(); ++i) sum += std::pow(static_cast<double>(std::abs(product.data()[i])), kLossExponent);
    }
    return sum / static_cast<double>(sample.batch * sample.rows * sample.columns);
}

template <class Make>
void search(const AttentionSample& sample, double lo, double hi, const Make& make, CandidateLosses& found) {
    const auto loss = [&](double scale) {
        const auto quantizer = make(static_cast<float>(scale));
        return product_loss(sample, [&](std::span<const float> p, std::span<float> out) { std::ranges::transform(p, out.begin(), quantizer); });
    };
    const auto best = minimise(loss, lo, hi, kScan);
    found.scales.push_back(best.at);
    found.losses.push_back(best.value);
}

}  // namespace

namespace {

/// A code as hardware has it, at a scale.
struct Candidate {
    Format format;
    double alpha = 0;  ///< of tables; powers have their own

    [[nodiscard]] double companding(double scale) const {
        if (format.code == OperandKind::companded) return companding_of_powers(format);
        return alpha * scale;
    }
};

std::vector<Candidate> candidates(const SoftmaxSettings& softmax, int bits) {
    std::vector<Candidate> result;
    const bool powers = softmax.scheme == SoftmaxScheme::log || (softmax.scheme == SoftmaxScheme::lnq && softmax.form == SoftmaxForm::shift);
    if (powers && softmax.log_base == LogBase::search) {
        for (const auto base : {LogBase::two, LogBase::sqrt_two, LogBase::fourth_root_two}) {
            auto fixed = softmax;
            fixed.log_base = base;
            result.push_back({.format = probability_format(fixed, bits)});
        }
        return result;
    }
    const auto format = probability_format(softmax, bits);
    if (softmax.scheme != SoftmaxScheme::lnq || powers) return {{.format = format}};
    if (softmax.alpha) return {{.format = format, .alpha = *softmax.alpha}};
    for (const float alpha : kCompandingCandidates) result.push_back({.format = format, .alpha = static_cast<double>(alpha)});
    return result;
}

double loss_of(const AttentionSample& sample, const Candidate& candidate, double scale) {
    const auto levels = code_levels(candidate.format, candidate.companding(scale));
    const bool by_row = candidate.format.scale == ScaleMode::row;
    return product_loss(sample, [&](std::span<const float> p, std::span<float> out) {
        const double unit = by_row ? static_cast<double>(std::ranges::max(p)) : scale;
        double sum = 0;
        for (std::size_t k = 0; k < p.size(); ++k) {
            const double value = levels.value[static_cast<std::size_t>(levels.code(static_cast<double>(p[k]) / unit))];
            out[k] = static_cast<float>(value * unit);
            sum += value;
        }
        if (by_row) {
            for (auto& value : out) value = static_cast<float>(static_cast<double>(value) / (sum * unit));
        }
    });
}

}  // namespace

bool searches_probability_codes(const SoftmaxSettings& softmax) noexcept {
    const bool table = softmax.scheme == SoftmaxScheme::lnq && softmax.form != SoftmaxForm::shift;
    if (softmax.scale == ScaleMode::tensor) return true;
    return table ? !softmax.alpha : softmax.scheme != SoftmaxScheme::uniform && softmax.log_base == LogBase::search;
}

ProbabilityChoice choose_probability_code(const AttentionSample& sample, const SoftmaxSettings& softmax, int bits, double largest) {
    const auto open = candidates(softmax, bits);
    const bool by_tensor = softmax.scale == ScaleMode::tensor;
    ProbabilityChoice choice{.format = open.front().format, .scale = by_tensor ? largest : 1.0};
    choice.companding = open.front().companding(choice.scale);
    if (sample.batch == 0 || (open.size() == 1 && !by_tensor)) return choice;
    double smallest = std::numeric_limits<double>::infinity();
    for (const auto& candidate : open) {
        const auto loss = [&](double scale) { return loss_of(sample, candidate, scale); };
        const auto least = softmax.scheme == SoftmaxScheme::lnq ? std::max(1e-4, 0.1 * largest) : std::min(0.1, 0.01 * largest);
        const auto best = by_tensor ? minimise(loss, std::min(least, largest), largest) : Minimum{.at = 1.0, .value = loss(1.0)};
        if (best.value >= smallest) continue;
        smallest = best.value;
        choice = {.format = candidate.format, .scale = best.at, .companding = candidate.companding(best.at)};
    }
    return choice;
}

CandidateLosses search_log_bases(const AttentionSample& sample, int bits) {
    const double largest = std::ranges::max(sample.probabilities);
    CandidateLosses found;
    for (const int tau : kLogBaseCandidates) {
        search(sample, std::min(0.1, 0.01 * largest), largest, [&](float s) { return fake::Logarithmic{.bits = bits, .tau = tau, .scale = s}; }, found);
    }
    return found;
}

CandidateLosses search_compandings(const AttentionSample& sample, int bits) {
    const double largest = std::ranges::max(sample.probabilities);
    CandidateLosses found;
    for (const float alpha : kCompandingCandidates) {
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
