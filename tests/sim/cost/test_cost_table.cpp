// SPDX-License-Identifier: Apache-2.0
#include "sim/cost/cost_table.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace prelude::sim;

namespace {

CostTable numbered() {
    CostTable table;
    double value = 0;
    for (const auto& term : cost_terms()) table.terms.emplace(term.name, Figure{.value = ++value});
    return table;
}

}  // namespace

TEST_CASE("Cost terms have different names, a unit and a sentence") {
    std::set<std::string_view> names;
    for (const auto& term : cost_terms()) {
        INFO(term.name);
        CHECK(names.insert(term.name).second);
        CHECK_FALSE(term.unit.empty());
        CHECK(term.sentence.ends_with('.'));
        CHECK(find_cost_term(term.name) == &term);
    }
    CHECK(find_cost_term("lut") == nullptr);
}

TEST_CASE("The packing of a DSP slice is that of the narrowest class that holds both operands") {
    const auto table = numbered();
    const auto packing = [&](int w, int a) { return table.mac_per_dsp("dsp48e2", w, a).value; };
    const auto entry = [&](const char* operands) { return table.at("dsp.mac_per_cycle.dsp48e2", operands).value; };
    for (int w = 2; w <= 16; ++w)
        for (int a = 2; a <= 16; ++a) {
            INFO(w << " x " << a);
            const auto* expected = w <= 4 && a <= 4 ? "w4a4" : w <= 8 && a <= 8 ? (w <= 4 || a <= 4 ? "w4a8" : "w8a8") : w <= 4 || a <= 4 ? "w4a16" : "w16a16";
            CHECK(packing(w, a) == entry(expected));
        }
}
