// SPDX-License-Identifier: Apache-2.0
// The claim of the design: hardware choices change time, area and energy, never a bit.
#include <catch2/catch.hpp>

#include <map>

#include "experiments/config/keys.hpp"
#include "experiments/evaluate/accuracy.hpp"
#include "experiments/evaluate/hardware.hpp"
#include "experiments/sweep/grid.hpp"
#include "quant/calibration/calibrate.hpp"
#include "quant/quantize.hpp"
#include "tests/support/tiny_configuration.hpp"
#include "tests/paths.hpp"

using namespace prelude;
using namespace prelude::experiments;

namespace {

/// Other values of every hardware key; a key of the table that is not here fails the test.
const std::map<std::string, std::vector<std::string>, std::less<>> kOtherValues{
    {"hw.device", {"u250", "pynq_z2"}},
    {"hw.costs", {"default"}},
    {"hw.clock_mhz", {"50"}},
    {"hw.pe.rows", {"3", "40"}},
    {"hw.pe.cols", {"5", "64"}},
    {"hw.pe.depth", {"1", "7", "32"}},
    {"hw.pe.shift_lanes", {"1", "5"}},
    {"hw.pe.drain_rows", {"1", "3", "16"}},
    {"hw.pe.weight_bits", {"4", "8", "16"}},
    {"hw.pe.activation_bits", {"4", "8", "16"}},
    {"hw.pe.precision", {"fixed", "fused"}},
    {"hw.pe.size", {"fill"}},
    {"hw.pe.max_dsp", {"300"}},
    {"hw.pe.multiplier", {"lut"}},
    {"hw.pe.zero_point", {"subtract"}},
    {"hw.buffers.weight_kib", {"16", "2048"}},
    {"hw.buffers.activation_kib", {"16", "2048"}},
    {"hw.buffers.partial_sum_kib", {"16", "512"}},
    {"hw.buffers.score_kib", {"8", "1024"}},
    {"hw.weights", {"resident", "auto"}},
    {"hw.double_buffer", {"false"}},
    {"hw.layer_overlap", {"true"}},
    {"hw.dram.gb_per_s", {"0.5", "200"}},
    {"hw.dram.channels", {"3"}},
    {"hw.axi.ports", {"1", "7"}},
    {"hw.axi.data_bits", {"32", "512"}},
    {"hw.axi.outstanding", {"1"}},
    {"hw.axi.max_burst", {"1", "64"}},
    {"hw.softmax.lanes", {"1", "13"}},
    {"hw.layernorm.lanes", {"1", "13"}},
    {"hw.layernorm.dividers", {"1", "13"}},
    {"hw.gelu.lanes", {"1", "13"}},
    {"hw.dataflow", {"output_stationary", "weight_stationary"}},
    {"hw.attention", {"unfused", "fused_row", "fused_recompute"}},
    {"hw.mapping", {}},  // auto alone: a mapping file is pinned by its own tests
    {"hw.mapping_candidates", {"1", "8"}},
};

}  // namespace

namespace {

/// Sets every hardware key to every other value; `check_of(point)` is the bit check of what the base configuration computes.
template <class Check>
int num_feasible_with_equal_bits(const std::string& text, const Check& check_of) {
    const bool floating = text.find("datatype") != std::string::npos;
    int num_feasible = 0;
    const auto check = [&](const std::vector<std::string>& sets) {
        const auto configuration = read_configuration_text(text, "f.yaml", sets, PRELUDE_SOURCE_DIR "/arch_configs");
        const auto settings = Grid(configuration).at(0).settings;
        const auto verdict = check_of(resolve_design(settings, configuration.costs.at(settings.cost_table)));
        INFO((sets.empty() ? std::string("base") : sets.front()) << ": " << verdict.dump());
        const bool infeasible = verdict.contains("infeasible");
        CHECK((infeasible || verdict.at("equal").template get<bool>()));
        num_feasible += !infeasible;
    };
    check({});
    for (const auto& key : all_keys()) {
        if (!std::string_view(key.path).starts_with("hw.")) continue;
        INFO(key.path);
        const auto found = kOtherValues.find(key.path);
        REQUIRE(found != kOtherValues.end());
        for (const auto& value : found->second)
            if (!(floating && value == "fused_recompute")) check({std::string(key.path) + "=" + value});  // refused there
    }
    return num_feasible;
}

/// What a configuration of the tiny model computes.
struct Computed {
    Settings settings;
    LoadedModel model;
    models::EvaluationImage item;
    std::unique_ptr<models::EvaluationSet> set;
    explicit Computed(const std::string& text)
        : settings(Grid(read_configuration_text(text, "f.yaml", {}, PRELUDE_SOURCE_DIR "/arch_configs")).at(0).settings), model(load_model(settings.model)),
          set(evaluation_set(settings.data, model.config)) {
        item = set->image(0);
    }
};

std::string configuration_of(const std::string& quant) {
    return testing::tiny_model() + "data: {kind: scene, num_images: 1, prompts_per_image: 1, prompts: [box]}\nquant: " + quant + "\n";
}

}  // namespace

TEST_CASE("No hardware key changes a bit: every value of every key gives the words of the engine", "[long]") {
    const auto text = configuration_of("{weight_bits: 4, activation_bits: 6, groups: 3, softmax: {log_base: sqrt2}, nonlinear: ibert}");
    const Computed c(text);
    models::Predictor predictor(c.model.config, *c.model.weights);
    const auto ranges = quant::calibrate(predictor, *c.set, c.settings.quant);
    const auto quantized = quant::quantize(c.model.config, models::build_sam(c.model.config), *c.model.weights, c.settings.quant, ranges);
    CHECK(num_feasible_with_equal_bits(text, [&](DesignPoint point) {
        point.plan = quantized.plan;
        return check_bits(point, quantized, c.item);
    }) >= 40);
}

TEST_CASE("No hardware key changes a bit of a floating-point design", "[long]") {
    for (const std::string datatype : {"fp32", "fp16"}) {
        const auto text = configuration_of("{datatype: " + datatype + ", float: {k_block: 16}}");
        const Computed c(text);
        const auto graph = models::build_sam(c.model.config, {.one_format = true});
        const auto floats = quant::make_float_graph(c.model.config, graph, *c.model.weights, c.settings.quant);
        INFO(datatype);
        CHECK(num_feasible_with_equal_bits(text, [&](const DesignPoint& point) { return check_bits(point, floats, c.item); }) >= 40);
    }
}
