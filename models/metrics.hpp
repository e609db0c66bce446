// SPDX-License-Identifier: Apache-2.0
#pragma once

// How alike two masks or two tensors are, how far their outlines are apart, and how sure a mean over samples is. Sums run in sample order in double.

#include <cstdint>
#include <span>
#include <vector>

#include "models/data/image.hpp"

namespace prelude::models {

/// |a and b| / |a or b|; 1 if both are empty. The masks have equal sides (else a programming error).
[[nodiscard]] double intersection_over_union(const Mask& a, const Mask& b);

/// 2 |a and b| / (|a| + |b|); 1 if both are empty.
[[nodiscard]] double dice(const Mask& a, const Mask& b);

/// How far two masks' boundaries are apart, in pixels.
struct BoundaryDistance {
    double hausdorff_95 = 0;  ///< 95th percentile of all distances, both ways taken together, interpolated linearly
    double average = 0;       ///< mean of the two mean distances, one each way

    friend bool operator==(const BoundaryDistance&, const BoundaryDistance&) = default;
};

/// Distances from each boundary pixel of one mask to the nearest of the other, centre to centre; zeros if both masks are empty,
/// infinities if one is.
///
/// Meaning   a boundary pixel belongs to the mask and has one of its four neighbours outside (beyond the picture is outside)
/// Limits    the masks have equal sides (else a programming error), up to 16384
/// Source    the definitions of `hd95` and `assd` in MedPy (loli/medpy). Others take the larger of the two directed percentiles instead
[[nodiscard]] BoundaryDistance boundary_distance(const Mask& a, const Mask& b);

/// The pixels whose logit is above `threshold`; `logits` is one plane of height * width.
[[nodiscard]] Mask binarize(std::span<const float> logits, int width, int height, float threshold = 0.0F);

/// Agreement of two logit planes: intersection over union of their positive pixels.
[[nodiscard]] double mask_agreement(std::span<const float> reference, std::span<const float> actual);

/// 10 log10(sum reference^2 / sum (reference - actual)^2) in dB; +infinity if equal, -infinity for a zero reference that is missed.
[[nodiscard]] double sqnr_db(std::span<const float> reference, std::span<const float> actual);

/// Cosine of the angle between the two; 1 if both are zero, 0 if one is.
[[nodiscard]] double cosine_similarity(std::span<const float> a, std::span<const float> b);

/// Largest |reference - actual| relative to the largest |reference| (to 1 if that is zero). NaN anywhere gives infinity.
[[nodiscard]] double relative_deviation(std::span<const float> reference, std::span<const float> actual);

struct Interval {
    double low = 0, high = 0;

    friend bool operator==(const Interval&, const Interval&) = default;
};

/// Mean of the samples; NaN for none.
[[nodiscard]] double mean(std::span<const double> samples);

/// Samples in groups that are drawn together: the prompts of each picture, which have its difficulty in common.
using Clusters = std::vector<std::vector<double>>;

/// Mean over the samples of all clusters; NaN for none.
[[nodiscard]] double mean(const Clusters& clusters);

/// Percentile bootstrap of the mean over clustered samples.
///
/// Meaning   the central `confidence` of the means of `num_resamples` draws of as many clusters, with replacement; all samples of a
///           drawn cluster go along, so that a mean is that of the samples drawn, whatever their number
/// Contract  equal arguments give equal bits on every machine; clusters of no sample do not count; [mean, mean] for a single cluster,
///           NaN for none. Clusters of one sample each: the usual bootstrap
/// Source    Efron and Tibshirani, An Introduction to the Bootstrap (1993), section 13.3; clusters: Davison and Hinkley, Bootstrap
///           Methods and their Application (1997), section 3.8; quantiles interpolate linearly
[[nodiscard]] Interval bootstrap_mean(const Clusters& clusters, std::uint64_t seed, int num_resamples = 2000, double confidence = 0.95);

/// What two ways of doing the same differ by.
struct PairedDifference {
    double mean = 0;  ///< of b - a
    Interval interval;

    /// Whether the interval leaves the sign of the difference open.
    [[nodiscard]] bool is_undecided() const noexcept { return !(interval.low > 0) && !(interval.high < 0); }
};

/// Paired bootstrap: both are measured on the same samples, so what makes a sample hard for both cancels.
///
/// Meaning   bootstrap_mean of the differences b - a, sample by sample
/// Contract  clusters of equal sizes (checked). A single cluster says nothing of others: its interval is unbounded
/// Source    as bootstrap_mean; Koehn, Statistical Significance Tests for Machine Translation Evaluation (EMNLP 2004), for pairs
[[nodiscard]] PairedDifference paired_difference(const Clusters& a, const Clusters& b, std::uint64_t seed, int num_resamples = 2000,
                                                 double confidence = 0.95);

}  // namespace prelude::models
