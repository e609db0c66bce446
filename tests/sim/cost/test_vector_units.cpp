// SPDX-License-Identifier: Apache-2.0
// What the forms of the nonlinear functions occupy: the terms of the cost table, a lane or a unit each.
#include <catch2/catch.hpp>

#include <map>

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

namespace {

std::map<std::string, Used> float_units(quant::Datatype datatype, const std::string& dsp_generation) {
    models::Graph graph;
    const auto x = graph.add_input("x", {1, 4, 8}, 2);
    graph.add("layer", models::Part::encoder, 0, models::Linear{"w", "b", 8, 8}, {x});
    quant::Settings settings;
    settings.datatype = datatype;
    const auto plan = quant::make_plan(graph, settings);
    Design design;
    design.device.dsp_generation = dsp_generation;
    design.clock_mhz = 100, design.dram.gb_per_s = 1;
    design.pe = {.rows = 2, .cols = 3, .depth = 4, .weight_bits = 4, .drain_rows = 1, .multiplier = Multiplier::lut};
    design.softmax_lanes = 3, design.layernorm_lanes = 5, design.gelu_lanes = 7;
    std::map<std::string, Used> units;
    for (const auto& unit : estimate_resources(resolve(design, plan), design, plan, numbered_costs()).units) units[unit.unit] = {unit.dsp.value, unit.lut.value, unit.ff.value};
    return units;
}

}  // namespace

TEST_CASE("A floating-point element is as many products as sums, in slices and logic or in slices that do both") {
    const auto costs = numbered_costs();
    for (const auto& [datatype, name] : {std::pair{quant::Datatype::fp32, "fp32"}, {quant::Datatype::fp16, "fp16"}}) {
        auto units = float_units(datatype, "dsp48e2");
        const double product = costs.at("float.multiply_dsp", name).value, sum = costs.at("float.add_dsp").value;
        CHECK(units["pe_array"].dsp == 2 * 3 * 4 * (product + sum));
        const double placed = costs.at("band.lut").value;
        CHECK(units["pe_array"].lut == 2 * 3 * 4 * (costs.at("float.multiply_lut", name).value + costs.at("float.add_lut").value) * placed);
        CHECK(units["post_unit"].dsp == 3 * (product + 2 * sum));
        CHECK(units["softmax_unit"].dsp == 3 * (product + 2 * sum + costs.at("float.exponential_dsp").value) + costs.at("float.reciprocal_dsp").value);
        CHECK(units["layernorm_unit"].dsp == 5 * (3 * product + 5 * sum) + costs.at("float.root_dsp").value);
        CHECK(units["gelu_unit"].lut == 7 * costs.at("float.gelu_lut").value * placed);
        units = float_units(datatype, "dsp58");
        CHECK(units["pe_array"].dsp == 2 * 3 * 4 * costs.at("float.dsp58").value);
        CHECK(units["layernorm_unit"].dsp == 5 * 5 * costs.at("float.dsp58").value + costs.at("float.root_dsp").value);
        CHECK_FALSE(units.contains(kShiftLanes));
    }
}
