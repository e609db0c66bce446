// SPDX-License-Identifier: Apache-2.0
#pragma once

// One alternative per item, least damage, within a budget: the multiple-choice knapsack. Numbers alone; nothing here knows networks.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace prelude::experiments {

/// What an item may become.
struct Alternative {
    std::int64_t cost = 0;  ///< >= 0
    double damage = 0;
    friend bool operator==(const Alternative&, const Alternative&) = default;
};

struct Selection {
    std::vector<std::size_t> chosen;  ///< per item, among its alternatives
    std::int64_t cost = 0;
    double damage = 0;
    friend bool operator==(const Selection&, const Selection&) = default;
};

/// Least and largest sum of costs.
struct CostRange {
    std::int64_t least = 0, most = 0;
};
[[nodiscard]] CostRange cost_range(std::span<const std::vector<Alternative>> items);

inline constexpr std::size_t kMaxPartialSums = std::size_t{1} << 14;

/// Chooses one alternative of every item.
///
/// Meaning   min sum_i d_i(a_i)  subject to  sum_i c_i(a_i) <= budget: item by item, the partial sums that no other one beats in both cost and damage are kept
/// Contract  exact while at most `max_partial_sums` of them are kept; beyond, one per cell of cost stays (of equal cells, the least damage in each) and the cheapest:
///           still within the budget, whenever any choice is. Deterministic: of equal damage the lower cost, then the earlier alternatives
/// Returns   nothing when every choice is above the budget
/// Limits    every item has an alternative; the sum of all costs fits 63 bits
/// Source    Nemhauser and Ullmann, Discrete dynamic programming and capital allocation, 1969
[[nodiscard]] std::optional<Selection> select_within(std::span<const std::vector<Alternative>> items, std::int64_t budget, std::size_t max_partial_sums = kMaxPartialSums);

}  // namespace prelude::experiments
