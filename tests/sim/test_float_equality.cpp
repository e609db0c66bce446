// SPDX-License-Identifier: Apache-2.0
// The SystemC datapath computes the numbers of the floating-point engine, whatever the array, the tiles and the fusion; its time is a closed form.
#include <catch2/catch.hpp>

#include "models/reference/executor.hpp"
#include "quant/float/engine.hpp"
#include "quant/float/words.hpp"
#include "tests/sim/random_network.hpp"
#include "tests/sim/small_graphs.hpp"

using namespace prelude;
using namespace prelude::sim;
using namespace prelude::sim::testing;

namespace {

quant::Settings of(quant::Datatype datatype, int block) {
    quant::Settings settings;
    settings.datatype = datatype, settings.floating.k_block = block;
    return settings;
}

struct FloatNetwork {
    models::Graph graph;
    quant::FloatGraph floats;
    quant::FloatEngine::Values inputs;
};

FloatNetwork with_numbers(models::Graph graph, const quant::Settings& settings, unsigned seed) {
    std::mt19937 random(seed);
    const auto uniform = [&](double size) { return static_cast<float>(std::uniform_real_distribution<double>(-size, size)(random)); };
    models::Weights weights("random");
    for (const auto& node : graph.nodes()) {
        for (const auto& [name, shape] : models::weight_operands(graph, node)) {
            if (weights.contains(name)) continue;
            models::Tensor tensor(shape);
            for (auto& x : tensor.values()) x = uniform(0.5);
            weights.insert(name, std::move(tensor));
        }
    }
    FloatNetwork network{std::move(graph), {}, {}};
    network.floats = quant::make_float_graph({}, network.graph, weights, settings);
    for (const auto id : network.graph.inputs()) {
        const auto& value = network.graph.value(id);
        models::Tensor tensor(value.shape);
        const bool labels = value.name == models::sam_values::kPromptLabels;
        for (auto& x : tensor.values()) x = labels ? static_cast<float>(random() % 5) - 1.0F : quant::floating::stored(network.floats.plan.format(value.name).bits, uniform(30));
        network.inputs.emplace(id, std::move(tensor));
    }
    return network;
}

/// Nodes whose words differ between datapath and engine though their inputs agree.
std::vector<std::string> differences(const FloatNetwork& network, const Design& design, const Options& options = {}, NetworkResult* timing = nullptr) {
    FunctionalInput input{.floats = &network.floats, .inputs = {}, .wanted = {}};
    const auto words = [&](models::ValueId id, const models::Tensor& values) { return quant::float_words(network.floats.plan.format(network.graph.value(id).name), values); };
    for (const auto& [id, values] : network.inputs) input.inputs[id] = words(id, values);
    for (const auto& node : network.graph.nodes()) input.wanted.push_back(node.output);
    const auto result = simulate(network.graph, network.floats.plan, design, options, &input);
    if (!result.infeasible.empty()) return {result.infeasible};
    const auto expected = quant::FloatEngine(network.graph, network.floats).run(network.inputs, input.wanted);
    std::vector<std::string> names;
    std::set<models::ValueId> wrong;
    for (const auto& node : network.graph.nodes()) {
        if (result.outputs.at(node.output) == words(node.output, expected.at(node.output))) continue;
        wrong.insert(node.output);
        if (std::ranges::none_of(node.inputs, [&](auto id) { return wrong.contains(id); })) names.push_back(node.name);
    }
    if (names.empty() && !wrong.empty()) names.push_back("inherited differences only");
    if (timing) *timing = result;
    return names;
}

}  // namespace

TEST_CASE("Layers of prime shape have the numbers of the floating-point engine in either dataflow and at any depth of the array", "[sim]") {
    for (const auto datatype : {quant::Datatype::fp32, quant::Datatype::fp16}) {
        for (const int block : {4, 16}) {
            for (const int depth : {1, 3, 8, 40}) {
                for (const auto dataflow : {Dataflow::output_stationary, Dataflow::weight_stationary}) {
                    auto design = small_design();
                    design.pe.depth = depth, design.dataflow = dataflow;
                    design.buffers.weight_kib = design.buffers.activation_kib = 4;  // K in several tiles
                    INFO("fp" << of(datatype, block).float_bits() << " block " << block << " depth " << depth);
                    CHECK(differences(with_numbers(one_layer(models::Linear{"w", "b", 149, 29}, {1, 31, 149}, 2), of(datatype, block), 7), design).empty());
                    CHECK(differences(with_numbers(one_layer(models::Conv{"w", "b", 7, 11, 3, 1, 1}, {1, 7, 5, 9}, 1), of(datatype, block), 1), design).empty());
                }
            }
        }
    }
    CHECK(differences(with_numbers(one_layer(models::ConvTranspose{"w", "b", 7, 5, 2}, {1, 7, 3, 5}, 1), of(quant::Datatype::fp16, 8), 3), small_design()).empty());
}

TEST_CASE("A whole small SAM has the numbers of the floating-point engine in every value, and functional and timing runs take equal cycles", "[sim]") {
    const auto config = tiny_config();
    const auto datatype = GENERATE(quant::Datatype::fp32, quant::Datatype::fp16);
    const auto form = GENERATE(AttentionFusion::fused_row, AttentionFusion::unfused);
    const models::SamWorkload workload{.num_prompt_tokens = 3, .input_height = 27, .input_width = 40, .original_height = 31, .original_width = 47, .one_format = true};
    const auto network = with_numbers(models::build_sam(config, workload), of(datatype, 8), 11);
    auto design = small_design();
    design.attention = form;
    NetworkResult functional;
    CHECK(differences(network, design, {}, &functional) == std::vector<std::string>{});
    const auto timing = simulate(network.graph, network.floats.plan, design);
    REQUIRE(timing.segments.size() == functional.segments.size());
    for (std::size_t i = 0; i < timing.segments.size(); ++i) {
        INFO(timing.segments[i].name);
        CHECK(timing.segments[i].cycles == functional.segments[i].cycles);
    }
    CHECK(std::ranges::none_of(timing.segments, [](const auto& segment) { return segment.kind == "requantize"; }));
}

TEST_CASE("A pinned mapping that cuts a block is refused, one that cuts between blocks keeps the bits", "[sim]") {
    const auto network = with_numbers(one_layer(models::Linear{"w", "b", 149, 29}, {1, 31, 149}, 2), of(quant::Datatype::fp32, 16), 7);
    Mapping mapping{.tile_rows = 8, .tile_cols = 12, .tile_depth = 40};
    const auto refused = differences(network, small_design(), {.pinned = {{"layer", mapping}}});
    REQUIRE(refused.size() == 1);
    CHECK(refused[0] == "layer: hw.mapping: depth 40, but the product can be cut only at multiples of 16");
    mapping.tile_depth = 48;
    CHECK(differences(network, small_design(), {.pinned = {{"layer", mapping}}}).empty());
}

TEST_CASE("The running sum of floating-point products holds the array where blocks are short", "[sim]") {
    PeShape pe{.rows = 1, .cols = 1, .depth = 8, .weight_bits = 32, .activation_bits = 32, .drain_rows = 1, .float_bits = 32};
    const auto cycles = [&](int block, std::int64_t depth) {
        ProductForm form{.left_bits = 32, .right_bits = 32, .left_word_bits = 32, .left_zero_point = false, .float_block = block};
        return pe_occupancy(pe, form, false, false, 1, 1, 0, depth).cycles;
    };
    CHECK(cycles(64, 768) == 96);       // 8 beats a block, as many as an addition takes
    CHECK(cycles(128, 768) == 96);
    CHECK(cycles(32, 768) == 23 * 8 + 4);   // 4 beats a block, 8 apart
    CHECK(cycles(64, 64) == 8);
    CHECK(cycles(64, 65) == 9);
    CHECK(cycles(8, 8) == 1);
    CHECK(cycles(4, 8) == 9);           // half of the lanes: two blocks of one beat
    pe.depth = 12;                      // eight of twelve lanes make a tree
    CHECK(cycles(64, 768) == 96);
    pe.depth = 16;
    CHECK(cycles(64, 768) == 11 * 8 + 4);
    CHECK(cycles(128, 768) == 48);
}

TEST_CASE("Held weights of floating-point elements stream whole blocks past every row", "[sim]") {
    const PeShape pe{.rows = 4, .cols = 1, .depth = 8, .weight_bits = 32, .activation_bits = 32, .drain_rows = 4, .float_bits = 32};
    const ProductForm form{.left_bits = 32, .right_bits = 32, .left_word_bits = 32, .left_zero_point = false, .float_block = 64};
    const auto busy = pe_occupancy(pe, form, true, false, 40, 1, 0, 160);
    CHECK(busy.cycles == 2 * (8 + 10 * 8) + (4 + 10 * 4));  // two blocks of 64 and one of 32: loaded, then ten sub-tiles of rows
    CHECK(busy.sum_rounds == 3);
}
