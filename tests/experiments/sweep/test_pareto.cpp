// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>

#include "experiments/sweep/pareto.hpp"

using namespace prelude::experiments;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
using Front = std::vector<std::size_t>;
using Costs = std::vector<std::vector<double>>;

Row row(std::string status, std::string miou, std::string latency, std::string power, std::string fits = "true") {
    return {0,
            {{"status", std::move(status)},
             {"miou", std::move(miou)},
             {"latency_ms", std::move(latency)},
             {"power_w", std::move(power)},
             {"fits", std::move(fits)}},
            {}};
}

SweepInfo default_objectives() {
    SweepInfo info;
    info.maximize = {"miou"};
    info.minimize = {"latency_ms", "power_w"};
    return info;
}

}  // namespace

TEST_CASE("The front of nothing, of one point and without objectives") {
    CHECK(pareto_front({}).empty());
    CHECK(pareto_front(Costs{{3, 4}}) == Front{0});
    CHECK(pareto_front(Costs{{}, {}}).empty());
}

TEST_CASE("Points that are equal in every objective are all on the front") {
    CHECK(pareto_front(Costs{{1, 2}, {1, 2}, {1, 3}, {0, 9}, {1, 2}}) == Front{0, 1, 3, 4});
}

TEST_CASE("A tie in one objective is decided by the others") {
    CHECK(pareto_front(Costs{{1, 5}, {1, 4}}) == Front{1});
    CHECK(pareto_front(Costs{{5, 1}, {4, 1}}) == Front{1});
}

TEST_CASE("A point with a NaN is not on the front and beats nobody") {
    CHECK(pareto_front(Costs{{kNan, 0}, {1, 1}, {0, kNan}, {2, 0}}) == Front{1, 3});
    CHECK(pareto_front(Costs{{kNan, kNan}}).empty());
}

TEST_CASE("The front agrees with its definition on random points with many ties") {
    std::mt19937 random(7);
    for (int trial = 0; trial < 50; ++trial) {
        Costs costs;
        for (int i = 0; i < 60; ++i)
            costs.push_back({static_cast<double>(random() % 5), static_cast<double>(random() % 5), static_cast<double>(random() % 5)});
        Front expected;
        for (std::size_t p = 0; p < costs.size(); ++p) {
            bool beaten = false;
            for (const auto& q : costs) {
                bool no_worse = true, better = false;
                for (std::size_t k = 0; k < 3; ++k) {
                    no_worse = no_worse && q[k] <= costs[p][k];
                    better = better || q[k] < costs[p][k];
                }
                beaten = beaten || (no_worse && better);
            }
            if (!beaten) expected.push_back(p);
        }
        REQUIRE(pareto_front(costs) == expected);
    }
}

TEST_CASE("Only finite numbers and booleans are numbers") {
    const auto read = [](std::string text) { return number_in({0, {{"x", std::move(text)}}, {}}, "x"); };
    CHECK(read("0.5") == 0.5);
    CHECK(read("1e-3") == 1e-3);
    CHECK(read("true") == 1);
    CHECK(read("false") == 0);
    for (const auto* text : {"", "nan", "inf", "-inf", "1 ", " 1", "1,5", "0x10", "ok"}) CHECK_FALSE(read(text));
    CHECK_FALSE(number_in({}, "x"));
}

TEST_CASE("Rows that failed, do not fit, break a constraint or lack an objective are not on the front") {
    auto info = default_objectives();
    info.constraints = {"fits", "power_w < 10"};
    const std::vector<Row> rows{
        row("ok", "0.8", "5", "4"),      row("ok", "0.7", "9", "4"),  // beaten by the first
        row("failed", "0.99", "1", "1"), row("infeasible", "0.99", "1", "1", "false"),
        row("ok", "0.9", "5", "12"),     row("ok", "", "1", "1"),
        row("cancelled", "", "", ""),    row("ok", "nan", "1", "1"),
        row("ok", "0.9", "6", "4"),
    };
    const auto ranking = rank(info, rows);
    CHECK(ranking.on_front == std::vector<bool>{true, false, false, false, false, false, false, false, true});
    CHECK(ranking.num_feasible == 5);
    CHECK(ranking.num_on_front == 2);
    CHECK(ranking.num_lacking == 2);
    CHECK(ranking.lacked == std::vector<std::string>{"miou"});
}

TEST_CASE("An empty cell satisfies no constraint") {
    auto info = default_objectives();
    info.constraints = {"fits"};
    CHECK(rank(info, std::vector<Row>{row("ok", "0.8", "", "", "")}).num_feasible == 0);
}
