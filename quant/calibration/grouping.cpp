// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/grouping.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "quant/calibration/kmeans.hpp"

namespace prelude::quant {

namespace {

using Order = std::vector<std::size_t>;

double width(const Range& range) noexcept { return range.hi - range.lo; }

Grouping per_channel(std::span<const Range> channels) {
    Grouping result{.group_of = std::vector<std::int32_t>(channels.size()), .ranges = {channels.begin(), channels.end()}};
    std::iota(result.group_of.begin(), result.group_of.end(), 0);
    return result;
}

/// Groups of consecutive channels of an order; `begins` ascending, the first is 0.
Grouping cut(std::span<const Range> channels, const Order& order, const std::vector<std::size_t>& begins) {
    Grouping result{.group_of = std::vector<std::int32_t>(channels.size()), .ranges = std::vector<Range>(begins.size())};
    for (std::size_t g = 0; g < begins.size(); ++g) {
        const auto end = g + 1 < begins.size() ? begins[g + 1] : order.size();
        for (auto i = begins[g]; i < end; ++i) {
            result.group_of[order[i]] = static_cast<std::int32_t>(g);
            result.ranges[g].include(channels[order[i]]);
        }
    }
    return result;
}

/// The cuts of least noise, at multiples of `align`.
Grouping by_noise(std::span<const Range> channels, std::size_t groups, std::size_t align) {
    const auto count = channels.size();
    Order order(count);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, {}, [&](std::size_t c) { return width(channels[c]); });
    // cost[g][n]: least cost of the first n channels in g + 1 groups; last_cut[g][n]: where the last of them starts.
    std::vector<std::vector<double>> cost(groups, std::vector<double>(count + 1, std::numeric_limits<double>::infinity()));
    std::vector<std::vector<std::size_t>> last_cut(groups, std::vector<std::size_t>(count + 1, 0));
    for (std::size_t end = 1; end <= count; ++end) {
        if (end % align != 0 && end != count) continue;
        Range envelope;
        for (std::size_t begin = end; begin-- > 0;) {
            envelope.include(channels[order[begin]]);
            if (begin % align != 0 || end - begin < align) continue;
            const double own = static_cast<double>(end - begin) * width(envelope) * width(envelope);
            if (begin == 0) {
                cost[0][end] = own;
                break;
            }
            for (std::size_t g = 1; g < groups; ++g) {
                if (const double total = cost[g - 1][begin] + own; total < cost[g][end]) cost[g][end] = total, last_cut[g][end] = begin;
            }
        }
    }
    std::vector<std::size_t> begins(groups, 0);
    auto end = count;
    for (auto g = groups; g-- > 1;) end = begins[g] = last_cut[g][end];
    return cut(channels, order, begins);
}

/// (scale, zero point) of codes over a channel's range.
std::vector<Point2> code_points(std::span<const Range> channels, int bits) {
    const double levels = std::ldexp(1.0, bits) - 1.0;
    std::vector<Point2> points;
    for (const auto& range : channels) {
        const double scale = std::max(width(range) / levels, 1e-8);
        points.push_back({scale, std::clamp(std::nearbyint(-range.lo / scale), 0.0, levels)});
    }
    return points;
}

void normalise(std::vector<Point2>& points) {
    for (std::size_t axis = 0; axis < 2; ++axis) {
        double sum = 0, squares = 0;
        for (const auto& point : points) sum += point[axis], squares += point[axis] * point[axis];
        const auto n = static_cast<double>(points.size());
        const double deviation = std::sqrt(std::max(squares / n - sum * sum / (n * n), 0.0));
        for (auto& point : points) point[axis] = deviation > 0 ? point[axis] / deviation : 0.0;
    }
}

/// Labels of the published stages: each clusters what the stage before made of every channel.
std::vector<std::int32_t> in_stages(std::vector<Point2> points, std::int64_t groups) {
    Clusters clusters;
    for (std::int64_t stage = 8 * groups; stage >= groups; stage /= 2) {
        if (stage > static_cast<std::int64_t>(points.size())) continue;
        clusters = kmeans(points, stage);
        for (std::size_t c = 0; c < points.size(); ++c) {
            const auto& centre = clusters.centres[static_cast<std::size_t>(clusters.labels[c])];
            points[c] = {centre[0], std::nearbyint(centre[1])};
        }
    }
    return clusters.labels;
}

/// Groups in the order of their mean width, their boundaries at multiples of `align`.
Grouping by_labels(std::span<const Range> channels, std::span<const std::int32_t> labels, std::size_t groups, std::size_t align) {
    std::vector<double> mean(groups, 0);
    std::vector<std::size_t> size(groups, 0);
    for (std::size_t c = 0; c < channels.size(); ++c) {
        const auto g = static_cast<std::size_t>(labels[c]);
        mean[g] += width(channels[c]), ++size[g];
    }
    for (std::size_t g = 0; g < groups; ++g) mean[g] /= static_cast<double>(size[g]);
    Order of_group(groups), order(channels.size());
    std::iota(of_group.begin(), of_group.end(), std::size_t{0});
    std::ranges::stable_sort(of_group, {}, [&](std::size_t g) { return mean[g]; });
    std::vector<std::size_t> rank(groups);
    for (std::size_t i = 0; i < groups; ++i) rank[of_group[i]] = i;
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto key = [&](std::size_t c) { return std::pair(rank[static_cast<std::size_t>(labels[c])], width(channels[c])); };
    std::ranges::stable_sort(order, {}, key);

    std::vector<std::size_t> begins(groups, 0);
    std::size_t end = 0;
    for (std::size_t g = 1; g < groups; ++g) {
        end += size[of_group[g - 1]];
        const auto nearest = (end + align / 2) / align * align;
        begins[g] = std::clamp(nearest, begins[g - 1] + align, (channels.size() / align - (groups - g)) * align);
    }
    return cut(channels, order, begins);
}

}  // namespace

Grouping group_channels(std::span<const Range> channels, const GroupingForm& form) {
    const auto count = static_cast<std::int64_t>(channels.size());
    models::check(form.num_groups >= 1 && form.num_groups <= count && (form.num_groups == count || form.num_groups * form.align <= count),
                  "group_channels: group count out of range");
    if (form.num_groups == count) return per_channel(channels);
    const auto groups = static_cast<std::size_t>(form.num_groups), align = static_cast<std::size_t>(form.align);
    if (form.rule == GroupRule::noise) return by_noise(channels, groups, align);
    auto points = code_points(channels, form.bits);
    if (form.rule == GroupRule::kmeans_raw) return by_labels(channels, in_stages(std::move(points), form.num_groups), groups, align);
    normalise(points);
    return by_labels(channels, kmeans(points, form.num_groups).labels, groups, align);
}

}  // namespace prelude::quant
