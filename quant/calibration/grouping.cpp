// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/grouping.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace prelude::quant {

Grouping group_channels(std::span<const Range> channels, std::int64_t num_groups) {
    const auto count = channels.size();
    models::check(num_groups >= 1 && num_groups <= static_cast<std::int64_t>(count), "group_channels: group count out of range");
    Grouping result;
    result.group_of.resize(count);
    result.ranges.resize(static_cast<std::size_t>(num_groups));
    if (num_groups == static_cast<std::int64_t>(count)) {
        std::iota(result.group_of.begin(), result.group_of.end(), 0);
        std::ranges::copy(channels, result.ranges.begin());
        return result;
    }
    std::vector<std::size_t> order(count);
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, {}, [&](std::size_t c) { return channels[c].hi - channels[c].lo; });

    // cost[g][n]: least cost of the first n channels in g + 1 groups; cut[g][n]: where the last of them starts.
    const auto groups = static_cast<std::size_t>(num_groups);
    std::vector<std::vector<double>> cost(groups, std::vector<double>(count + 1, std::numeric_limits<double>::infinity()));
    std::vector<std::vector<std::size_t>> cut(groups, std::vector<std::size_t>(count + 1, 0));
    for (std::size_t end = 1; end <= count; ++end) {
        Range envelope;
        for (std::size_t begin = end; begin-- > 0;) {
            envelope.include(channels[order[begin]]);
            const double width = envelope.hi - envelope.lo;
            const double own = static_cast<double>(end - begin) * width * width;
            if (begin == 0) {
                cost[0][end] = own;
                break;
            }
            for (std::size_t g = 1; g < groups; ++g) {
                if (const double total = cost[g - 1][begin] + own; total < cost[g][end]) {
                    cost[g][end] = total;
                    cut[g][end] = begin;
                }
            }
        }
    }
    auto end = count;
    for (auto g = groups; g-- > 0;) {
        const auto begin = g == 0 ? 0 : cut[g][end];
        for (auto i = begin; i < end; ++i) {
            result.group_of[order[i]] = static_cast<std::int32_t>(g);
            result.ranges[g].include(channels[order[i]]);
        }
        end = begin;
    }
    return result;
}

}  // namespace prelude::quant
