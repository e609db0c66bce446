// SPDX-License-Identifier: Apache-2.0
#include "experiments/allocate/knapsack.hpp"

#include <algorithm>
#include <limits>
#include <tuple>

#include "models/error.hpp"

namespace prelude::experiments {

namespace {

/// A choice for the first items: what it sums up to, and the choice it continues.
struct PartialSum {
    std::int64_t cost = 0;
    double damage = 0;
    std::uint32_t parent = 0, alternative = 0;
};

using Front = std::vector<PartialSum>;  ///< costs ascend, damages fall

std::int64_t least_cost(const std::vector<Alternative>& item) { return std::ranges::min_element(item, {}, &Alternative::cost)->cost; }

/// What no other sum beats.
Front front_of(Front sums) {
    std::ranges::sort(sums, {}, [](const PartialSum& sum) { return std::tuple(sum.cost, sum.damage, sum.parent, sum.alternative); });
    double least = std::numeric_limits<double>::infinity();
    std::erase_if(sums, [&](const PartialSum& sum) {
        const bool beaten = sum.damage >= least;
        least = std::min(least, sum.damage);
        return beaten;
    });
    return sums;
}

/// The cheapest sum, and of every cell of cost the one of least damage, which is its last.
Front thinned(const Front& sums, std::size_t limit) {
    if (sums.size() <= limit) return sums;
    const auto width = (sums.back().cost - sums.front().cost) / static_cast<std::int64_t>(limit - 1) + 1;
    const auto cell = [&](const PartialSum& sum) { return (sum.cost - sums.front().cost) / width; };
    Front kept{sums.front()};
    for (std::size_t i = 1; i < sums.size(); ++i)
        if (i + 1 == sums.size() || cell(sums[i]) != cell(sums[i + 1])) kept.push_back(sums[i]);
    return kept;
}

}  // namespace

CostRange cost_range(std::span<const std::vector<Alternative>> items) {
    CostRange range;
    for (const auto& item : items) {
        models::check(!item.empty(), "an item without alternatives");
        range.least += least_cost(item);
        range.most += std::ranges::max_element(item, {}, &Alternative::cost)->cost;
    }
    return range;
}

std::optional<Selection> select_within(std::span<const std::vector<Alternative>> items, std::int64_t budget, std::size_t max_partial_sums) {
    models::check(max_partial_sums >= 2, "at least two partial sums");
    auto least_left = cost_range(items).least;  // of the items that are still to come
    if (least_left > budget) return std::nullopt;
    std::vector<Front> fronts{{PartialSum{}}};
    for (const auto& item : items) {
        least_left -= least_cost(item);
        Front sums;
        const auto& before = fronts.back();
        for (std::uint32_t p = 0; p < before.size(); ++p) {
            for (std::uint32_t a = 0; a < item.size(); ++a) {
                models::check(item[a].cost >= 0, "a negative cost");
                const auto cost = before[p].cost + item[a].cost;
                if (cost + least_left <= budget) sums.push_back({cost, before[p].damage + item[a].damage, p, a});
            }
        }
        fronts.push_back(thinned(front_of(std::move(sums)), max_partial_sums));
    }
    const auto& best = fronts.back().back();
    Selection selection{.chosen = std::vector<std::size_t>(items.size()), .cost = best.cost, .damage = best.damage};
    auto at = static_cast<std::uint32_t>(fronts.back().size() - 1);
    for (std::size_t i = items.size(); i-- > 0;) {
        const auto& sum = fronts[i + 1][at];
        selection.chosen[i] = sum.alternative;
        at = sum.parent;
    }
    return selection;
}

}  // namespace prelude::experiments
