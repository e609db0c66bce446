// SPDX-License-Identifier: Apache-2.0
#include "sim/mapping/channel_gather.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

namespace prelude::sim {

std::int64_t gather_conflicts(const quant::Format& format, std::int64_t channels, std::int64_t lanes) {
    std::vector<std::int64_t> order(static_cast<std::size_t>(channels));
    std::iota(order.begin(), order.end(), std::int64_t{0});
    if (format.group_of.empty()) {
        constexpr std::uint32_t kScatter = 2654435761U;  // golden ratio of 2^32
        std::ranges::stable_sort(order, {}, [](std::int64_t c) { return static_cast<std::uint32_t>(c) * kScatter; });
        std::int64_t begin = 0;
        for (const auto size : format.group_sizes) {  // inside a group channels ascend
            std::sort(order.begin() + begin, order.begin() + begin + size);
            begin += size;
        }
    } else {
        std::ranges::stable_sort(order, {}, [&](std::int64_t c) { return format.group_of[static_cast<std::size_t>(c)]; });
    }
    std::int64_t conflicts = 0;
    std::vector<std::int64_t> reads(static_cast<std::size_t>(lanes));
    for (std::int64_t begin = 0; begin < channels; begin += lanes) {
        std::ranges::fill(reads, 0);
        for (auto i = begin; i < std::min(channels, begin + lanes); ++i) ++reads[static_cast<std::size_t>(order[static_cast<std::size_t>(i)] % lanes)];
        conflicts += std::ranges::max(reads) - 1;
    }
    return conflicts;
}

}  // namespace prelude::sim
