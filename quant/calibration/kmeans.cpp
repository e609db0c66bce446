// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/kmeans.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/data/random.hpp"
#include "models/error.hpp"

namespace prelude::quant {

namespace {

constexpr std::uint64_t kSeed = 0x6b6d65616e73;
constexpr int kStarts = 40, kIterations = 300;

double squared_distance(const Point2& a, const Point2& b) noexcept {
    const double dx = a[0] - b[0], dy = a[1] - b[1];
    return dx * dx + dy * dy;
}

/// Greedy k-means++: each further centre is a point drawn with probability proportional to its squared distance from the nearest so far;
/// of a few draws the one that leaves the smallest sum stays.
std::vector<Point2> spread_centres(std::span<const Point2> points, std::size_t k, models::Random& random) {
    const int draws = 2 + static_cast<int>(std::log(static_cast<double>(k)));
    std::vector<Point2> centres{points[random.pick(points.size())]};
    std::vector<double> nearest(points.size()), candidate(points.size()), best(points.size());
    for (std::size_t i = 0; i < points.size(); ++i) nearest[i] = squared_distance(points[i], centres.front());
    while (centres.size() < k) {
        double total = 0, smallest = std::numeric_limits<double>::infinity();
        for (const double distance : nearest) total += distance;
        Point2 chosen{};
        for (int draw = 0; draw < draws; ++draw) {
            double left = random.uniform() * total;
            std::size_t at = 0;
            for (; at + 1 < points.size() && left >= nearest[at]; ++at) left -= nearest[at];
            double sum = 0;
            for (std::size_t i = 0; i < points.size(); ++i) {
                candidate[i] = std::min(nearest[i], squared_distance(points[i], points[at]));
                sum += candidate[i];
            }
            if (sum < smallest) smallest = sum, chosen = points[at], std::swap(best, candidate);
        }
        centres.push_back(chosen);
        std::swap(nearest, best);
    }
    return centres;
}

void assign(std::span<const Point2> points, Clusters& clusters) {
    clusters.inertia = 0;
    for (std::size_t i = 0; i < points.size(); ++i) {
        double smallest = std::numeric_limits<double>::infinity();
        for (std::size_t c = 0; c < clusters.centres.size(); ++c) {
            const double distance = squared_distance(points[i], clusters.centres[c]);
            if (distance < smallest) smallest = distance, clusters.labels[i] = static_cast<std::int32_t>(c);
        }
        clusters.inertia += smallest;
    }
}

/// Centres become the means of their members; an empty cluster moves to the point farthest from its own centre.
void recentre(std::span<const Point2> points, Clusters& clusters) {
    std::vector<Point2> sums(clusters.centres.size(), Point2{});
    std::vector<std::int64_t> counts(clusters.centres.size(), 0);
    for (std::size_t i = 0; i < points.size(); ++i) {
        const auto c = static_cast<std::size_t>(clusters.labels[i]);
        sums[c][0] += points[i][0], sums[c][1] += points[i][1];
        ++counts[c];
    }
    for (std::size_t c = 0; c < sums.size(); ++c) {
        if (counts[c] > 0) {
            const auto n = static_cast<double>(counts[c]);
            clusters.centres[c] = {sums[c][0] / n, sums[c][1] / n};
            continue;
        }
        std::size_t farthest = points.size();
        double distance = -1;
        for (std::size_t i = 0; i < points.size(); ++i) {
            const auto own = static_cast<std::size_t>(clusters.labels[i]);
            if (counts[own] < 2) continue;
            if (const double d = squared_distance(points[i], clusters.centres[own]); d > distance) distance = d, farthest = i;
        }
        --counts[static_cast<std::size_t>(clusters.labels[farthest])];
        clusters.labels[farthest] = static_cast<std::int32_t>(c);
        counts[c] = 1;
        clusters.centres[c] = points[farthest];
    }
}

/// Moves single points to the cluster where they cost less, counting how both centres follow (Hartigan). Returns whether any moved.
bool exchange(std::span<const Point2> points, Clusters& clusters) {
    std::vector<double> counts(clusters.centres.size(), 0);
    for (const auto label : clusters.labels) ++counts[static_cast<std::size_t>(label)];
    bool moved = false;
    for (std::size_t i = 0; i < points.size(); ++i) {
        const auto from = static_cast<std::size_t>(clusters.labels[i]);
        if (counts[from] < 2) continue;
        const double gain = squared_distance(points[i], clusters.centres[from]) * counts[from] / (counts[from] - 1);
        auto to = from;
        double least = gain * (1 - 1e-12);
        for (std::size_t c = 0; c < counts.size(); ++c) {
            if (c == from) continue;
            const double cost = squared_distance(points[i], clusters.centres[c]) * counts[c] / (counts[c] + 1);
            if (cost < least) least = cost, to = c;
        }
        if (to == from) continue;
        for (std::size_t axis = 0; axis < 2; ++axis) {
            clusters.centres[from][axis] += (clusters.centres[from][axis] - points[i][axis]) / (counts[from] - 1);
            clusters.centres[to][axis] += (points[i][axis] - clusters.centres[to][axis]) / (counts[to] + 1);
        }
        --counts[from], ++counts[to];
        clusters.labels[i] = static_cast<std::int32_t>(to);
        moved = true;
    }
    return moved;
}

Clusters settle(std::span<const Point2> points, std::vector<Point2> centres) {
    Clusters clusters{.labels = std::vector<std::int32_t>(points.size(), 0), .centres = std::move(centres)};
    assign(points, clusters);
    for (int i = 0; i < kIterations; ++i) {
        const auto before = clusters.labels;
        recentre(points, clusters);
        assign(points, clusters);
        if (clusters.labels == before) break;
    }
    recentre(points, clusters);
    for (int i = 0; i < kIterations && exchange(points, clusters); ++i) recentre(points, clusters);
    clusters.inertia = 0;
    for (std::size_t i = 0; i < points.size(); ++i) clusters.inertia += squared_distance(points[i], clusters.centres[static_cast<std::size_t>(clusters.labels[i])]);
    return clusters;
}

}  // namespace

Clusters kmeans(std::span<const Point2> points, std::int64_t k) {
    models::check(k >= 1 && k <= static_cast<std::int64_t>(points.size()), "kmeans: more clusters than points");
    models::Random random(kSeed);
    Clusters best;
    for (int start = 0; start < kStarts; ++start) {
        auto found = settle(points, spread_centres(points, static_cast<std::size_t>(k), random));
        if (start == 0 || found.inertia < best.inertia) best = std::move(found);
    }
    return best;
}

}  // namespace prelude::quant
