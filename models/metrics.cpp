// SPDX-License-Identifier: Apache-2.0
#include "models/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "models/data/random.hpp"
#include "models/error.hpp"

namespace prelude::models {

namespace {

struct Counts {
    std::int64_t both = 0, a = 0, b = 0;
};

template <class InA, class InB>
Counts count(std::size_t size, const InA& in_a, const InB& in_b) {
    Counts counts;
    for (std::size_t index = 0; index < size; ++index) {
        const bool a = in_a(index), b = in_b(index);
        counts.both += a && b;
        counts.a += a;
        counts.b += b;
    }
    return counts;
}

double iou(const Counts& counts) {
    const auto either = counts.a + counts.b - counts.both;
    return either == 0 ? 1.0 : static_cast<double>(counts.both) / static_cast<double>(either);
}

Counts count(const Mask& a, const Mask& b) {
    check(a.width == b.width && a.height == b.height, "metrics: masks of different sides");
    return count(
        a.values.size(), [&](auto index) { return a.values[index] != 0; }, [&](auto index) { return b.values[index] != 0; });
}

}  // namespace

double intersection_over_union(const Mask& a, const Mask& b) {
    return iou(count(a, b));
}

double dice(const Mask& a, const Mask& b) {
    const auto counts = count(a, b);
    return counts.a + counts.b == 0 ? 1.0 : 2.0 * static_cast<double>(counts.both) / static_cast<double>(counts.a + counts.b);
}

Mask binarize(std::span<const float> logits, int width, int height, float threshold) {
    Mask mask(width, height);
    check(mask.values.size() == logits.size(), "metrics: logits and sides differ in size");
    std::ranges::transform(logits, mask.values.begin(), [&](float logit) { return logit > threshold ? std::uint8_t{1} : std::uint8_t{0}; });
    return mask;
}

double mask_agreement(std::span<const float> reference, std::span<const float> actual) {
    check(reference.size() == actual.size(), "metrics: tensors of different sizes");
    return iou(count(
        reference.size(), [&](auto index) { return reference[index] > 0; }, [&](auto index) { return actual[index] > 0; }));
}

double sqnr_db(std::span<const float> reference, std::span<const float> actual) {
    check(reference.size() == actual.size(), "metrics: tensors of different sizes");
    double signal = 0, noise = 0;
    for (std::size_t index = 0; index < reference.size(); ++index) {
        const double value = reference[index], error = value - actual[index];
        signal += value * value;
        noise += error * error;
    }
    if (noise == 0) return std::numeric_limits<double>::infinity();
    return 10.0 * std::log10(signal / noise);
}

double cosine_similarity(std::span<const float> a, std::span<const float> b) {
    check(a.size() == b.size(), "metrics: tensors of different sizes");
    double product = 0, norm_a = 0, norm_b = 0;
    for (std::size_t index = 0; index < a.size(); ++index) {
        const double x = a[index], y = b[index];
        product += x * y;
        norm_a += x * x;
        norm_b += y * y;
    }
    if (norm_a == 0 && norm_b == 0) return 1.0;
    if (norm_a == 0 || norm_b == 0) return 0.0;
    return product / (std::sqrt(norm_a) * std::sqrt(norm_b));
}

double relative_deviation(std::span<const float> reference, std::span<const float> actual) {
    check(reference.size() == actual.size(), "metrics: tensors of different sizes");
    double largest = 0, deviation = 0;
    for (std::size_t index = 0; index < reference.size(); ++index) {
        const double error = std::abs(static_cast<double>(reference[index]) - actual[index]);
        if (!std::isfinite(error)) return std::numeric_limits<double>::infinity();
        deviation = std::max(deviation, error);
        largest = std::max(largest, std::abs(static_cast<double>(reference[index])));
    }
    return deviation / (largest == 0 ? 1.0 : largest);
}

double mean(std::span<const double> samples) {
    double total = 0;
    for (const double sample : samples) total += sample;
    return total / static_cast<double>(samples.size());
}

Interval bootstrap_mean(std::span<const double> samples, std::uint64_t seed, int num_resamples, double confidence) {
    check(num_resamples > 0 && confidence > 0 && confidence < 1, "bootstrap: needs a resample and a confidence between 0 and 1");
    if (samples.size() < 2) return {mean(samples), mean(samples)};
    Random random(seed);
    std::vector<double> means(static_cast<std::size_t>(num_resamples));
    for (auto& resampled : means) {
        double total = 0;
        for (std::size_t draw = 0; draw < samples.size(); ++draw) total += samples[random.pick(samples.size())];
        resampled = total / static_cast<double>(samples.size());
    }
    std::ranges::sort(means);
    const auto quantile = [&](double share) {
        const double position = share * static_cast<double>(means.size() - 1);
        const auto below = static_cast<std::size_t>(position);
        const auto above = std::min(below + 1, means.size() - 1);
        return means[below] + (position - static_cast<double>(below)) * (means[above] - means[below]);
    };
    return {quantile((1 - confidence) / 2), quantile((1 + confidence) / 2)};
}

}  // namespace prelude::models
