// SPDX-License-Identifier: Apache-2.0
#include "experiments/allocate/knapsack.hpp"

#include <catch2/catch.hpp>

#include <numeric>
#include <random>

using namespace prelude::experiments;

namespace {

using Items = std::vector<std::vector<Alternative>>;

/// Every choice there is.
std::optional<Selection> brute_force(const Items& items, std::int64_t budget) {
    std::optional<Selection> best;
    std::vector<std::size_t> chosen(items.size(), 0);
    while (true) {
        Selection selection{.chosen = chosen, .cost = 0, .damage = 0};
        for (std::size_t i = 0; i < items.size(); ++i) selection.cost += items[i][chosen[i]].cost, selection.damage += items[i][chosen[i]].damage;
        if (selection.cost <= budget && (!best || selection.damage < best->damage || (selection.damage == best->damage && selection.cost < best->cost))) best = selection;
        std::size_t i = 0;
        while (i < items.size() && ++chosen[i] == items[i].size()) chosen[i++] = 0;
        if (i == items.size()) return best;
    }
}

/// Whole damages, so that sums are exact in any order; few costs, so that ties are met.
Items random_items(std::mt19937& random) {
    Items items(1 + random() % 6);
    for (auto& item : items) {
        item.resize(1 + random() % 5);
        for (auto& alternative : item) alternative = {.cost = static_cast<std::int64_t>(random() % 20), .damage = static_cast<double>(random() % 30)};
    }
    return items;
}

}  // namespace

TEST_CASE("A selection within a budget is as good as the best of all choices") {
    std::mt19937 random(1);
    std::size_t feasible = 0, infeasible = 0;
    for (int trial = 0; trial < 3000; ++trial) {
        const auto items = random_items(random);
        const auto budget = static_cast<std::int64_t>(random() % 80);
        const auto expected = brute_force(items, budget);
        const auto found = select_within(items, budget);
        CAPTURE(trial, budget);
        REQUIRE(found.has_value() == expected.has_value());
        ++(found ? feasible : infeasible);
        if (!found) continue;
        CHECK(found->damage == expected->damage);
        CHECK(found->cost == expected->cost);
        std::int64_t cost = 0;
        for (std::size_t i = 0; i < items.size(); ++i) cost += items[i].at(found->chosen[i]).cost;
        CHECK(cost == found->cost);
    }
    CHECK((feasible > 1000 && infeasible > 100));
}

TEST_CASE("A selection stays within the budget however few partial sums are kept") {
    std::mt19937 random(2);
    for (int trial = 0; trial < 1000; ++trial) {
        const auto items = random_items(random);
        const auto range = cost_range(items);
        const auto budget = range.least + static_cast<std::int64_t>(random() % 20);
        const auto exact = select_within(items, budget);
        const auto rough = select_within(items, budget, 2 + random() % 6);
        CAPTURE(trial, budget);
        REQUIRE(exact);
        REQUIRE(rough);
        CHECK(rough->cost <= budget);
        CHECK(rough->damage >= exact->damage);
    }
}

TEST_CASE("A larger budget never damages more, and one that pays for everything takes the best of each") {
    std::mt19937 random(3);
    for (int trial = 0; trial < 200; ++trial) {
        const auto items = random_items(random);
        const auto range = cost_range(items);
        double last = std::numeric_limits<double>::infinity();
        for (auto budget = range.least; budget <= range.most; ++budget) {
            const auto found = select_within(items, budget);
            REQUIRE(found);
            CHECK(found->damage <= last);
            last = found->damage;
        }
        const double best = std::accumulate(items.begin(), items.end(), 0.0, [](double sum, const auto& item) { return sum + std::ranges::min_element(item, {}, &Alternative::damage)->damage; });
        CHECK(last == best);
    }
}

TEST_CASE("Of equal choices the earlier one is taken") {
    const Items items{{{.cost = 3, .damage = 1}, {.cost = 3, .damage = 1}}, {{.cost = 2, .damage = 0}, {.cost = 2, .damage = 0}, {.cost = 1, .damage = 0}}};
    const auto found = select_within(items, 10);
    REQUIRE(found);
    CHECK(found->chosen == std::vector<std::size_t>{0, 2});
    CHECK_FALSE(select_within(items, 3));
    CHECK(select_within({}, 0)->cost == 0);
}
