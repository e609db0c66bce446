// SPDX-License-Identifier: Apache-2.0
#include "experiments/allocate/budget.hpp"

#include <catch2/catch.hpp>

using prelude::experiments::Budget;
using prelude::experiments::parse_budget;

TEST_CASE("Budgets are read in every form there is") {
    const std::vector<std::tuple<std::string, Budget::Kind, double, bool>> forms{
        {"weight_bits=4.0", Budget::Kind::weight_bits, 4, false},    {"weight_bits=3.25", Budget::Kind::weight_bits, 3.25, false},
        {"weight_bytes=600000", Budget::Kind::weight_bytes, 6e5, false}, {"latency=400000", Budget::Kind::cycles, 4e5, true},
        {"latency=1.6ms", Budget::Kind::milliseconds, 1.6, true},    {"latency=0.9x", Budget::Kind::relative_latency, 0.9, true}};
    for (const auto& [text, kind, amount, latency] : forms) {
        CAPTURE(text);
        const auto budget = parse_budget(text);
        REQUIRE(budget);
        CHECK(budget->kind == kind);
        CHECK(budget->amount == amount);
        CHECK(budget->is_latency() == latency);
        CHECK(budget->text == text);
    }
}

TEST_CASE("A budget of another form is none") {
    for (const auto* text : {"", "4", "weight_bits", "weight_bits=", "weight_bits=four", "weight_bits=0", "weight_bits=-4", "weight_bits=4 ", "weight_bits=4x", "weight_bytes=1KiB", "latency=1s",
                             "latency= 1ms", "latency=nan", "latency=inf", "energy=3", "Latency=1ms"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_budget(text));
    }
}
