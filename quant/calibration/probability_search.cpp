// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/probability_search.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "quant/calibration/minimise.hpp"
#include "quant/calibration/range_search.hpp"
#include "quant/probability_code.hpp"

namespace prelude::quant {

namespace {

constexpr int kScan = 96;
constexpr float kSmallest = 1e-20F;  // stands for 0 under a logarithm

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::ArrayXf;
using View = Eigen::Map<const Vector>;

View view(std::span<const float> values) { return {values.data(), static_cast<Eigen::Index>(values.size())}; }

/// The loss of what `quantize` makes of each batch entry of P, (entry, its P^ [rows * keys]): only the error of P is multiplied, since
/// (P^ - P) V = P^ V - P V.
template <class Quantize>
double product_loss(const AttentionSample& sample, const Quantize& quantize) {
    double sum = 0;
    const auto size = sample.rows * sample.keys;
    Vector error(size), magnitude;
    for (std::int64_t b = 0; b < sample.batch; ++b) {
        quantize(b, error);
        error -= view(sample.probabilities).segment(b * size, size);
        const Matrix product = Eigen::Map<const Matrix>(error.data(), sample.rows, sample.keys) *
                               Eigen::Map<const Matrix>(sample.values.data() + b * sample.keys * sample.columns, sample.keys, sample.columns);
        magnitude = Eigen::Map<const Vector>(product.data(), product.size()).abs();
        sum += (magnitude.log() * static_cast<float>(kLossExponent)).exp().cast<double>().sum();
    }
    return sum / static_cast<double>(sample.batch * sample.rows * sample.columns);
}

/// `make(scale)`: a quantizer from logarithms of probabilities to what their codes stand for.
template <class Make>
void search(const AttentionSample& sample, const Vector& logarithms, double lo, double hi, const Make& make, CandidateLosses& found) {
    const auto size = sample.rows * sample.keys;
    const auto loss = [&](double scale) {
        const auto quantizer = make(static_cast<float>(scale));
        return product_loss(sample, [&](std::int64_t b, Vector& values) { values = quantizer(logarithms.segment(b * size, size)); });
    };
    const auto best = minimise(loss, lo, hi, kScan);
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
    const auto keys = static_cast<std::size_t>(sample.keys), rows = static_cast<std::size_t>(sample.rows);
    return product_loss(sample, [&](std::int64_t b, Vector& values) {
        for (std::size_t row = 0; row < rows; ++row) {
            const auto p = sample.probabilities.subspan((static_cast<std::size_t>(b) * rows + row) * keys, keys);
            const auto out = std::span(values.data(), rows * keys).subspan(row * keys, keys);
            const double unit = by_row ? static_cast<double>(std::ranges::max(p)) : scale;
            double sum = 0;
            for (std::size_t k = 0; k < keys; ++k) {
                const double value = levels.value[static_cast<std::size_t>(levels.code(static_cast<double>(p[k]) / unit))];
                out[k] = static_cast<float>(value * unit);
                sum += value;
            }
            if (!by_row) continue;
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
