// SPDX-License-Identifier: Apache-2.0
#include "models/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "models/data/random.hpp"
#include "models/data/raster.hpp"
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

/// The rectangle of the mask's pixels that `part` names, as a mask of its own.
Mask crop(const Mask& mask, const Rect& part) {
    Mask result(part.x1 - part.x0, part.y1 - part.y0);
    for (int y = 0; y < result.height; ++y)
        for (int x = 0; x < result.width; ++x)
            result.values[static_cast<std::size_t>(y) * result.width + x] = mask.contains(part.x0 + x, part.y0 + y) ? std::uint8_t{1} : std::uint8_t{0};
    return result;
}

Mask boundary(const Mask& mask) {
    Mask result(mask.width, mask.height);
    for (int y = 0; y < mask.height; ++y)
        for (int x = 0; x < mask.width; ++x) {
            const bool enclosed = mask.contains(x - 1, y) && mask.contains(x + 1, y) && mask.contains(x, y - 1) && mask.contains(x, y + 1);
            result.values[static_cast<std::size_t>(y) * mask.width + x] = mask.contains(x, y) && !enclosed ? std::uint8_t{1} : std::uint8_t{0};
        }
    return result;
}

/// Distance of each pixel of `from` to the nearest of `to`, rows top to bottom. Contract: `to` is not empty.
std::vector<double> distances(const Mask& from, const Mask& to) {
    const auto squared = squared_distance_to(to);
    std::vector<double> result;
    for (std::size_t i = 0; i < from.values.size(); ++i)
        if (from.values[i] != 0) result.push_back(std::sqrt(static_cast<double>(squared[i])));
    return result;
}

/// The value below which `share` of the samples lie, linear between neighbours. Contract: sorted, not empty.
double quantile(std::span<const double> sorted, double share) {
    const double position = share * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(position);
    const auto above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (position - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

double intersection_over_union(const Mask& a, const Mask& b) {
    return iou(count(a, b));
}

double dice(const Mask& a, const Mask& b) {
    const auto counts = count(a, b);
    return counts.a + counts.b == 0 ? 1.0 : 2.0 * static_cast<double>(counts.both) / static_cast<double>(counts.a + counts.b);
}

BoundaryDistance boundary_distance(const Mask& a, const Mask& b) {
    check(a.width == b.width && a.height == b.height, "metrics: masks of different sides");
    const auto bounds_a = bounds(a), bounds_b = bounds(b);
    const bool empty_a = bounds_a.x1 <= bounds_a.x0, empty_b = bounds_b.x1 <= bounds_b.x0;
    if (empty_a && empty_b) return {};
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    if (empty_a || empty_b) return {.hausdorff_95 = kInfinity, .average = kInfinity};
    // What lies outside both changes no distance.
    const Rect part{.x0 = std::min(bounds_a.x0, bounds_b.x0), .y0 = std::min(bounds_a.y0, bounds_b.y0),
                    .x1 = std::max(bounds_a.x1, bounds_b.x1), .y1 = std::max(bounds_a.y1, bounds_b.y1)};
    const auto edge_a = boundary(crop(a, part)), edge_b = boundary(crop(b, part));
    auto all = distances(edge_a, edge_b);
    const auto back = distances(edge_b, edge_a);
    const double average = (mean(all) + mean(back)) / 2;
    all.insert(all.end(), back.begin(), back.end());
    std::ranges::sort(all);
    return {.hausdorff_95 = quantile(all, 0.95), .average = average};
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

double mean(const Clusters& clusters) {
    double total = 0;
    std::size_t count = 0;
    for (const auto& cluster : clusters) {
        for (const double sample : cluster) total += sample;
        count += cluster.size();
    }
    return total / static_cast<double>(count);
}

Interval bootstrap_mean(const Clusters& clusters, std::uint64_t seed, int num_resamples, double confidence) {
    check(num_resamples > 0 && confidence > 0 && confidence < 1, "bootstrap: needs a resample and a confidence between 0 and 1");
    struct Sum {
        double total = 0, count = 0;
    };
    std::vector<Sum> sums;
    for (const auto& cluster : clusters) {
        if (cluster.empty()) continue;
        auto& sum = sums.emplace_back(Sum{.count = static_cast<double>(cluster.size())});
        for (const double sample : cluster) sum.total += sample;
    }
    if (sums.size() < 2) return {mean(clusters), mean(clusters)};
    Random random(seed);
    std::vector<double> means(static_cast<std::size_t>(num_resamples));
    for (auto& resampled : means) {
        Sum drawn;
        for (std::size_t draw = 0; draw < sums.size(); ++draw) {
            const auto& sum = sums[random.pick(sums.size())];
            drawn.total += sum.total;
            drawn.count += sum.count;
        }
        resampled = drawn.total / drawn.count;
    }
    std::ranges::sort(means);
    return {quantile(means, (1 - confidence) / 2), quantile(means, (1 + confidence) / 2)};
}

PairedDifference paired_difference(const Clusters& a, const Clusters& b, std::uint64_t seed, int num_resamples, double confidence) {
    check(a.size() == b.size(), "paired difference: different numbers of clusters");
    Clusters differences;
    for (std::size_t c = 0; c < a.size(); ++c) {
        check(a[c].size() == b[c].size(), "paired difference: clusters of different sizes");
        if (a[c].empty()) continue;
        auto& cluster = differences.emplace_back(a[c].size());
        for (std::size_t i = 0; i < cluster.size(); ++i) cluster[i] = b[c][i] - a[c][i];
    }
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    if (differences.size() < 2) return {.mean = mean(differences), .interval = {-kInfinity, kInfinity}};
    return {.mean = mean(differences), .interval = bootstrap_mean(differences, seed, num_resamples, confidence)};
}

}  // namespace prelude::models
