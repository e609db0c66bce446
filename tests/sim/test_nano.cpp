// SPDX-License-Identifier: Apache-2.0
// The shipped network, whole, on one picture and prompt: datapath == engine == oracle at every value, zero differences.
#include <catch2/catch.hpp>

#include "sim/simulate.hpp"
#include "tests/support/node_case.hpp"
#include "tests/support/tiny_model.hpp"

using namespace prelude;
using namespace prelude::tests;

namespace {

enum class Recipe { w8a8, w4a4, w4a4_hybrid };

quant::Settings settings_of(Recipe recipe) {
    quant::Settings settings;
    if (recipe == Recipe::w8a8) return settings;
    settings.weight_bits = settings.activation_bits = 4;
    settings.groups = 4, settings.softmax.log_base = quant::LogBase::sqrt_two;
    if (recipe == Recipe::w4a4_hybrid) settings.mlp_hidden_scheme = quant::HiddenScheme::hluq;
    return settings;
}

}  // namespace

TEST_CASE("The trained sam_nano has one set of words: datapath, engine on both product paths, oracle", "[sim][equality]") {
    const auto recipe = GENERATE(Recipe::w8a8, Recipe::w4a4, Recipe::w4a4_hybrid);
    const auto model = trained_nano(3);
    const auto quantized = model.quantize(settings_of(recipe));

    sim::Design design;
    design.device.dsp_generation = "dsp48e2";
    design.clock_mhz = 300, design.dram.gb_per_s = 19.2;
    std::vector<models::ValueId> wanted;
    for (const auto& node : model.graph.nodes()) wanted.push_back(node.output);
    const sim::FunctionalInput input{.quantized = &quantized, .inputs = model.words, .wanted = wanted};
    const auto functional = sim::simulate(model.graph, quantized.plan, design, {}, &input);
    REQUIRE(functional.infeasible == "");
    const auto timing = sim::simulate(model.graph, quantized.plan, design);

    std::map<int, oracle::Array> given;
    for (const auto& [id, words] : model.words) given.emplace(id, to_oracle(words));
    oracle::Overflows overflows;
    const auto expected = oracle::walk(to_oracle(model.graph, quantized), std::move(given), overflows);
    const auto fast = quant::Engine(model.graph, quantized, quant::ProductPath::automatic).run(model.words, wanted);
    const auto exact = quant::Engine(model.graph, quantized, quant::ProductPath::exact).run(model.words, wanted);

    std::int64_t num_words = 0;
    for (const auto id : wanted) {
        const auto& words = expected.at(id).words;
        INFO("recipe " << static_cast<int>(recipe) << " " << model.graph.value(id).name);
        CHECK(first_difference(words, fast.at(id).values()) == "");
        CHECK(first_difference(words, exact.at(id).values()) == "");
        CHECK(first_difference(words, functional.outputs.at(id).values()) == "");
        num_words += static_cast<std::int64_t>(words.size());
    }
    CHECK(num_words > 1'000'000);

    REQUIRE(timing.segments.size() == functional.segments.size());
    for (std::size_t i = 0; i < timing.segments.size(); ++i) {
        INFO(timing.segments[i].name);
        CHECK(timing.segments[i].cycles == functional.segments[i].cycles);
    }
}
