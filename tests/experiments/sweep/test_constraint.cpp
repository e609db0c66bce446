// SPDX-License-Identifier: Apache-2.0
#include "experiments/sweep/constraint.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace prelude::experiments;

namespace {

Constraint good(std::string_view text) {
    auto parsed = parse_constraint(text);
    REQUIRE(std::holds_alternative<Constraint>(parsed));
    return std::get<Constraint>(parsed);
}

bool bad(std::string_view text) {
    return std::holds_alternative<BadConstraint>(parse_constraint(text));
}

}  // namespace

TEST_CASE("A constraint is a boolean column or a comparison with a number") {
    CHECK(good("fits") == Constraint{"fits", Comparison::equal, 1});
    CHECK(good("power_w < 10") == Constraint{"power_w", Comparison::less, 10});
    CHECK(good("power_w<=1e1") == Constraint{"power_w", Comparison::less_equal, 10});
    CHECK(good(" miou >= 0.5 ") == Constraint{"miou", Comparison::greater_equal, 0.5});
    CHECK(good("dsp != -1") == Constraint{"dsp", Comparison::not_equal, -1});
    for (const auto* text : {"", "power_w", "power_w <", "power_w < x", "power_w < nan", "power_w < inf", "power_w << 3", "power_w = 3",
                             "fits < 1", "10 > power_w", "power < 3", "bound == 1", "power_w < 3 4"}) {
        INFO(text);
        CHECK(bad(text));
    }
}

TEST_CASE("A constraint's text parses to itself") {
    for (const auto* text : {"fits", "power_w < 10", "miou >= 0.1", "lut != 5", "dsp == 3", "latency_ms > 2.5"}) {
        CHECK(good(text).text() == text);
        CHECK(good(good(text).text()) == good(text));
    }
}

TEST_CASE("Every comparison holds exactly where it says, and an empty cell satisfies none") {
    const struct {
        const char* text;
        bool below, equal, above;
    } cases[] = {{"lut < 5", true, false, false}, {"lut <= 5", true, true, false},  {"lut > 5", false, false, true},
                 {"lut >= 5", false, true, true}, {"lut == 5", false, true, false}, {"lut != 5", true, false, true}};
    for (const auto& item : cases) {
        INFO(item.text);
        CHECK(holds(good(item.text), 4) == item.below);
        CHECK(holds(good(item.text), 5) == item.equal);
        CHECK(holds(good(item.text), 6) == item.above);
        CHECK_FALSE(holds(good(item.text), std::nullopt));
    }
}

TEST_CASE("An unknown column is named with the one that was meant") {
    CHECK(std::get<BadConstraint>(parse_constraint("latency < 3")).message == "unknown column 'latency'. Did you mean 'latency_ms'?");
    CHECK(check_objective("mioo")->message == "unknown column 'mioo'. Did you mean 'miou'?");
    CHECK(check_objective("bound"));
    CHECK_FALSE(check_objective("gops_per_w"));
}
