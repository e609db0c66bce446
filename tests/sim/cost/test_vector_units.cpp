// SPDX-License-Identifier: Apache-2.0
// What the forms of the nonlinear functions occupy: the terms of the cost table, a lane or a unit each.
#include <catch2/catch.hpp>

#include "models/graph/graph.hpp"
#include "sim/cost/resources.hpp"

using namespace prelude;
using namespace prelude::sim;

namespace {

/// Every term has a value of its own, so that a wrong one shows.
CostTable numbered_costs() {
    CostTable table;
    double value = 0;
    for (const auto& term : cost_terms()) table.terms.emplace(term.name, Figure{.value = ++value, .unit = {}, .source = {}});
    return table;
}

struct Used {
    double dsp = 0, lut = 0, ff = 0;
};

Used used(quant::Nonlinear form, const std::string& name) {
    models::Graph graph;
    const auto x = graph.add_input("x", {1, 4, 8}, 2);
    graph.add("norm", models::Part::encoder, 0, models::LayerNorm{"g", "b", 1e-6}, {x});
    quant::Settings settings;
    settings.nonlinear = form;
    const auto plan = quant::make_plan(graph, settings);
    Design design;
    design.device.dsp_generation = "dsp48e2";
    design.clock_mhz = 100, design.dram.gb_per_s = 1;
    design.softmax_lanes = 3, design.layernorm_lanes = 5, design.layernorm_dividers = 7;
    for (const auto& unit : estimate_resources(resolve(design, plan), design, plan, numbered_costs()).units) {
        if (unit.unit == name) return {unit.dsp.value, unit.lut.value, unit.ff.value};
    }
    return {};
}

}  // namespace

TEST_CASE("A softmax unit has the exponential of its form beside what all forms share") {
    const auto costs = numbered_costs();
    const auto place = [&](double lut) { return lut * costs.at("band.lut").value; };
    const SoftmaxShape shape{.lanes = 3, .max_words = (4096 + 2) / 3, .code_bits = 2};
    const auto rest = softmax_rest(shape), exponentials = softmax_exponentials(shape);
    const auto table = used(quant::Nonlinear::table, "softmax_unit");
    CHECK(table.dsp == static_cast<double>(rest.dsp + exponentials.dsp));
    CHECK(table.lut == Approx(place(lut_of(rest, costs).value + lut_of(exponentials, costs).value)));
    for (const auto& [form, name] : {std::pair{quant::Nonlinear::ibert, "polynomial"}, {quant::Nonlinear::ivit, "shift"}}) {
        const auto unit = used(form, "softmax_unit");
        CHECK(unit.dsp == static_cast<double>(rest.dsp) + 3 * costs.at("softmax.exponential_dsp", name).value);
        CHECK(unit.lut == Approx(place(lut_of(rest, costs).value + 3 * costs.at("softmax.exponential_lut", name).value)));
        CHECK(unit.ff == Approx(costs.at("band.ff").value * (packed_ff_of(rest, costs).value + 3 * costs.at("softmax.exponential_ff", name).value)));
    }
}

TEST_CASE("A norm has the products of its root, or its dividers") {
    const auto costs = numbered_costs();
    const auto seeded = used(quant::Nonlinear::table, "layernorm_unit");
    const auto root = layernorm_root({.lanes = 5, .word_bits = 16});
    CHECK(used(quant::Nonlinear::table, kRootDividers).lut == 0);
    for (const auto form : {quant::Nonlinear::ibert, quant::Nonlinear::ivit}) {
        CHECK(seeded.dsp - used(form, "layernorm_unit").dsp == static_cast<double>(root.dsp));
        CHECK(seeded.lut - used(form, "layernorm_unit").lut == Approx(costs.at("band.lut").value * lut_of(root, costs).value));
        CHECK(used(form, kRootDividers).lut == Approx(costs.at("band.lut").value * (costs.at("layernorm.normalise_lut").value + 7 * costs.at("layernorm.divider_lut").value)));
        CHECK(used(form, kRootDividers).ff == Approx(costs.at("band.ff").value * 7 * costs.at("layernorm.divider_ff").value));
    }
}
