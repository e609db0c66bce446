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

TEST_CASE("A softmax lane has the exponential of its form beside what all forms share") {
    const auto costs = numbered_costs();
    for (const auto& [form, name] : {std::pair{quant::Nonlinear::table, "table"}, {quant::Nonlinear::ibert, "polynomial"}, {quant::Nonlinear::ivit, "shift"}}) {
        const auto lanes = used(form, "softmax_unit");
        CHECK(lanes.dsp == 3 * (costs.at("softmax.dsp").value + costs.at("softmax.exponential_dsp", name).value));
        CHECK(lanes.lut == 3 * (costs.at("softmax.lut").value + costs.at("softmax.exponential_lut", name).value));
        CHECK(lanes.ff == 3 * (costs.at("softmax.ff").value + costs.at("softmax.exponential_ff", name).value));
    }
}

TEST_CASE("A norm has the products of its root, or its dividers") {
    const auto costs = numbered_costs();
    const auto lanes = used(quant::Nonlinear::table, "layernorm_unit");
    CHECK(lanes.dsp == 5 * costs.at("layernorm.dsp").value + costs.at("layernorm.shared_dsp").value);
    CHECK(lanes.lut == 5 * costs.at("layernorm.lut").value + costs.at("layernorm.shared_lut").value);
    CHECK(used(quant::Nonlinear::table, kRootDividers).lut == 0);
    for (const auto form : {quant::Nonlinear::ibert, quant::Nonlinear::ivit}) {
        CHECK(used(form, "layernorm_unit").dsp == 5 * costs.at("layernorm.dsp").value);
        CHECK(used(form, "layernorm_unit").lut == 5 * costs.at("layernorm.lut").value);
        CHECK(used(form, kRootDividers).lut == costs.at("layernorm.normalise_lut").value + 7 * costs.at("layernorm.divider_lut").value);
        CHECK(used(form, kRootDividers).ff == 7 * costs.at("layernorm.divider_ff").value);
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
        CHECK(units["pe_array"].lut == 2 * 3 * 4 * (costs.at("float.multiply_lut", name).value + costs.at("float.add_lut").value));
        CHECK(units["post_unit"].dsp == 3 * (product + 2 * sum));
        CHECK(units["softmax_unit"].dsp == 3 * (product + 2 * sum + costs.at("float.exponential_dsp").value) + costs.at("float.reciprocal_dsp").value);
        CHECK(units["layernorm_unit"].dsp == 5 * (3 * product + 5 * sum) + costs.at("float.root_dsp").value);
        CHECK(units["gelu_unit"].lut == 7 * costs.at("float.gelu_lut").value);
        units = float_units(datatype, "dsp58");
        CHECK(units["pe_array"].dsp == 2 * 3 * 4 * costs.at("float.dsp58").value);
        CHECK(units["layernorm_unit"].dsp == 5 * 5 * costs.at("float.dsp58").value + costs.at("float.root_dsp").value);
        CHECK_FALSE(units.contains(kShiftLanes));
    }
}
