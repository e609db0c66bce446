// SPDX-License-Identifier: Apache-2.0
#pragma once

// Codes of the softmax output, chosen by what they do to the product with V: mean |P^ V - P V|^2.4 over calibration pictures.

#include <cstdint>
#include <span>
#include <vector>

#include "quant/fake/nonlinear.hpp"
#include "quant/format_plan.hpp"

namespace prelude::quant {

/// One calibration batch: probabilities P [B, M, K] and values V [B, K, N].
struct AttentionSample {
    std::int64_t batch = 0, rows = 0, keys = 0, columns = 0;
    std::span<const float> probabilities, values;
};

/// What one batch says of each candidate: the best scale and its loss.
struct CandidateLosses {
    std::vector<double> scales, losses;
};

/// Candidates tau = 1, 2, 4 of base 2^(1/tau). S minimises the loss over [min(0.1, 0.01 p_max), p_max] (bounded Brent).
/// Source    AGQ (PTQ4SAM)
[[nodiscard]] CandidateLosses search_log_bases(const AttentionSample& sample, int bits);
inline constexpr int kLogBaseCandidates[] = {1, 2, 4};

/// Candidates alpha of the companding quantizer with 2^b - 1 steps. S over [max(1e-4, 0.1 p_max), p_max].
/// Source    LNQ (AHCQ-SAM)
[[nodiscard]] CandidateLosses search_compandings(const AttentionSample& sample, int bits);
inline constexpr float kCompandingCandidates[] = {0.001F, 0.1F, 1, 5, 10, 20, 50, 100, 200};

/// Over batches: scales averaged, losses added; the first candidate of the smallest sum wins.
struct CandidateChoice {
    std::size_t index = 0;
    double scale = 0, loss = 0;
};
[[nodiscard]] CandidateChoice choose(std::span<const CandidateLosses> batches);

/// Whether settings leave something of the probabilities' codes to calibration: base, strength of companding, or the scale of a tensor.
[[nodiscard]] bool searches_probability_codes(const SoftmaxSettings& softmax) noexcept;

/// What calibration settles of an attention's codes.
struct ProbabilityChoice {
    Format format;
    double scale = 1;       ///< S; 1 in row scale, where it is each row's largest probability
    double companding = 0;  ///< alpha S
};

/// The codes of hardware (quant/probability_code.hpp) whose P^ V is nearest to P V over all samples.
///
/// Meaning   bases 2, sqrt2, 2^(1/4) where log_base is open, alpha as published where that is; for each of them S where a tensor has one scale.
///           In row scale P^ is what a row's codes make of it: decoded codes over their sum
/// Limits    without samples the first candidate, and in tensor scale S = `largest`
/// Source    AGQ (PTQ4SAM) and LNQ (AHCQ-SAM), with the codes that b bits tell apart; the search in row scale is ours
[[nodiscard]] ProbabilityChoice choose_probability_code(const AttentionSample& sample, const SoftmaxSettings& softmax, int bits, double largest);

}  // namespace prelude::quant
