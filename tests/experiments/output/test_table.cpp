// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <catch2/catch.hpp>
#include <sstream>

#include "experiments/output/progress.hpp"
#include "experiments/output/table.hpp"

using namespace prelude::experiments;
using Catch::Contains;

namespace {

Results some_results(int num_points) {
    Results results;
    results.info.swept = {"quant.groups"};
    results.info.maximize = {"miou"};
    results.info.minimize = {"latency_ms"};
    for (int i = 0; i < num_points; ++i)
        results.rows.push_back({i,
                                {{"point", std::to_string(i)},
                                 {"status", "ok"},
                                 {"quant.groups", std::to_string(i % 3)},
                                 {"miou", "0.7" + std::to_string(i % 7)},
                                 {"latency_ms", std::to_string(100 + i % 11)},
                                 {"fits", "true"},
                                 {"bound", i == 0 ? "compute" : "memory"}},
                                {}});
    results.ranking = rank(results.info, results.rows);
    return results;
}

std::size_t widest(const std::string& text) {
    std::size_t most = 0;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) most = std::max(most, line.size());
    return most;
}

}  // namespace

TEST_CASE("The table leaves out what says nothing and marks the front") {
    const auto text = print_table(some_results(3), 0);
    CHECK(text ==
          "   point  groups    miou  latency_ms  bound\n"
          "*      0       0  0.7000         100  compute\n"
          "*      1       1  0.7100         101  memory\n"
          "*      2       2  0.7200         102  memory\n"
          "   the same everywhere: fits true\n");
}

TEST_CASE("Where the width does not suffice the least important columns go, never the swept keys") {
    const auto results = some_results(5);
    CHECK_THAT(print_table(results, 46), Contains("bound"));
    const auto narrow = print_table(results, 38);
    CHECK(widest(narrow) <= 38);
    CHECK_THAT(narrow, Contains("miou") && Contains("groups") && !Contains("bound"));
    CHECK_THAT(print_table(results, 1), Contains("groups"));
}

TEST_CASE("Of very many points the table shows the front") {
    const auto text = print_table(some_results(1000), 0);
    CHECK(std::count(text.begin(), text.end(), '\n') <= static_cast<std::ptrdiff_t>(kMaxTableRows) + 2);
    CHECK_THAT(text, Contains("all 1000 rows are in results.csv"));
}

TEST_CASE("Points that are not ok bring status and reason into the table, on one line each") {
    auto results = some_results(2);
    results.rows[1].cells["status"] = "failed";
    results.rows[1].cells["reason"] = "first line\nsecond line that goes on for much longer than anybody wants to read in a table";
    results.ranking = rank(results.info, results.rows);
    const auto text = print_table(results, 0);
    CHECK_THAT(text, Contains("failed") && Contains("first line second line") && Contains("..."));
    CHECK(std::count(text.begin(), text.end(), '\n') == 4);  // header, two points, what is the same everywhere
}

TEST_CASE("The time that is left is guessed from tasks of the same kind") {
    Estimate estimate(2);
    for (int i = 0; i < 4; ++i) estimate.expect("accuracy");
    for (int i = 0; i < 2; ++i) estimate.expect("timing");
    CHECK(estimate.seconds_left() < 0);
    estimate.took("accuracy", 10);
    CHECK(estimate.seconds_left() == Approx((3 * 10 + 2 * 10) / 2.0));  // timing is not known yet: the mean of what is
    estimate.took("timing", 1);
    CHECK(estimate.seconds_left() == Approx((3 * 10 + 1 * 1) / 2.0));
    estimate.drop("accuracy");
    CHECK(estimate.seconds_left() == Approx((2 * 10 + 1 * 1) / 2.0));
    const std::vector<Estimate::Running> running{{"accuracy", 6, 0.3}, {"timing", 5, 0}};  // 14 s of the first are left; the second has not said
    CHECK(estimate.seconds_left(running) == Approx((14 + 1 * (10 + 20) / 2.0 + 1 * 1) / 2.0));
}

TEST_CASE("Durations are short and readable") {
    CHECK(print_duration(0.4) == "0 s");
    CHECK(print_duration(59.4) == "59 s");
    CHECK(print_duration(200) == "3 min 20 s");
    CHECK(print_duration(7500) == "2 h 05 min");
}
