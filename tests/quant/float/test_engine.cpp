// SPDX-License-Identifier: Apache-2.0
// The floating-point engine gives the numbers of the oracle in every value: operators of prime shape on extreme data, and a whole network.
#include <catch2/catch.hpp>

#include <random>

#include "models/reference/executor.hpp"
#include "quant/float/engine.hpp"
#include "tests/support/oracle/floating.hpp"

using namespace prelude;
using models::Shape;
using models::Tensor;

namespace {

enum class Data { plain, extreme };

/// Numbers of comparable size, or of all sizes: subnormals of binary16, ties of its rounding, and pairs that cancel.
float number(std::mt19937& random, Data data) {
    const float plain = std::uniform_real_distribution<float>(-2, 2)(random);
    if (data == Data::plain) return plain;
    switch (random() % 6) {
        case 0: return std::ldexp(plain, -20 - static_cast<int>(random() % 8));
        case 1: return std::ldexp(std::nearbyint(plain * 1024) + 0.5F, -10);
        case 2: return plain > 0 ? 300.0F : -300.0F;
        case 3: return 0.0F;
        case 4: return 1e-42F;
        default: return plain;
    }
}

struct Case {
    models::Graph graph;
    models::Weights weights{"random"};
    std::map<models::ValueId, Tensor> inputs;
};

/// Weights and inputs for any graph whose constants are named.
Case with_numbers(models::Graph graph, unsigned seed, Data data) {
    Case result{.graph = std::move(graph)};
    std::mt19937 random(seed);
    for (const auto& node : result.graph.nodes()) {
        for (const auto& [name, shape] : models::weight_operands(result.graph, node)) {
            if (result.weights.contains(name)) continue;
            Tensor tensor(shape);
            for (auto& x : tensor.values()) x = 0.4F * number(random, data);
            result.weights.insert(name, std::move(tensor));
        }
    }
    for (const auto id : result.graph.inputs()) {
        Tensor tensor(result.graph.value(id).shape);
        const bool labels = result.graph.value(id).name == "prompt.labels", coordinates = result.graph.value(id).name == "prompt.coordinates";
        for (auto& x : tensor.values()) x = labels ? static_cast<float>(random() % 5) - 1.0F : coordinates ? static_cast<float>(random() % 4000) / 100 : number(random, data);
        result.inputs.emplace(id, std::move(tensor));
    }
    return result;
}

bool moves(const models::Operator& op) {
    return std::holds_alternative<models::Rearrange>(op) || std::holds_alternative<models::WindowPartition>(op) || std::holds_alternative<models::WindowUnpartition>(op) ||
           std::holds_alternative<models::Concat>(op) || std::holds_alternative<models::DensePositionCode>(op);
}

/// Nodes whose engine value differs from the oracle's on the engine's own inputs.
std::vector<std::string> differences(const Case& c, const quant::Settings& settings) {
    const auto floats = quant::make_float_graph({}, c.graph, c.weights, settings);
    const quant::FloatEngine engine(c.graph, floats);
    std::vector<models::ValueId> wanted;
    for (const auto& node : c.graph.nodes()) wanted.push_back(node.output);
    auto values = engine.run(c.inputs, wanted);
    for (const auto& [id, tensor] : c.inputs) {
        auto& stored = values[id] = tensor;
        for (auto& x : stored.values()) x = oracle::stored(floats.plan.format(c.graph.value(id).name).bits, x);
    }
    std::vector<std::string> names;
    for (const auto& node : c.graph.nodes()) {
        if (moves(node.op)) continue;
        std::vector<const Tensor*> inputs;
        for (auto id : node.inputs) inputs.push_back(&values.at(id));
        bool wide = false;  // scores that relative positions join
        for (auto user : c.graph.consumers(node.output)) wide |= std::holds_alternative<models::RelativePosition>(c.graph.node(user).op) && c.graph.node(user).inputs[0] == node.output;
        const auto expected = oracle::float_node(c.graph, node, inputs, c.weights, {.bits = settings.float_bits(), .block = settings.floating.k_block}, wide);
        const auto& actual = values.at(node.output);
        if (!std::ranges::equal(actual.values(), expected.values(), {}, [](float x) { return std::bit_cast<std::uint32_t>(x); },
                                [](float x) { return std::bit_cast<std::uint32_t>(x); })) {
            names.push_back(node.name);
        }
    }
    return names;
}

models::Graph one_layer(models::Operator op, std::vector<std::pair<Shape, std::size_t>> inputs) {
    models::Graph graph;
    std::vector<models::ValueId> ids;
    for (auto& [shape, axis] : inputs) ids.push_back(graph.add_input("x" + std::to_string(ids.size()), std::move(shape), axis));
    graph.add("layer", models::Part::encoder, 0, std::move(op), ids);
    return graph;
}

}  // namespace

TEST_CASE("Every operator has the numbers of the oracle, both datatypes, several blocks, plain and extreme data") {
    const std::vector<models::Graph> graphs{
        one_layer(models::Linear{"w", "b", 67, 29}, {{{1, 31, 67}, 2}}),
        one_layer(models::Linear{"w", "", 5, 3}, {{{1, 2, 5}, 2}}),
        one_layer(models::Conv{"w", "b", 7, 11, 3, 1, 1}, {{{1, 7, 5, 9}, 1}}),
        one_layer(models::Conv{"w", "", 5, 13, 2, 2, 0}, {{{2, 5, 6, 10}, 1}}),
        one_layer(models::ConvTranspose{"w", "b", 7, 5, 2}, {{{1, 7, 3, 5}, 1}}),
        one_layer(models::MatMul{true, 0.3}, {{{3, 13, 71}, 2}, {{3, 17, 71}, 2}}),
        one_layer(models::MatMul{}, {{{2, 13, 71}, 2}, {{2, 71, 5}, 2}}),
        one_layer(models::LayerNorm{"g", "b"}, {{{1, 13, 97}, 2}}),
        one_layer(models::LayerNorm{"g", "b"}, {{{1, 19, 3, 5}, 1}}),
        one_layer(models::Softmax{}, {{{2, 7, 101}, 2}}),
        one_layer(models::Gelu{}, {{{1, 13, 31}, 2}}),
        one_layer(models::Relu{}, {{{1, 13, 31}, 2}}),
        one_layer(models::Add{}, {{{1, 5, 3, 7}, 1}, {{1, 5, 1, 7}, 1}}),
        one_layer(models::RelativePosition{"h", "v", 3, 5, 11}, {{{2, 15, 15}, 2}, {{2, 15, 11}, 2}}),
        one_layer(models::Resize{13, 29, 11, 23}, {{{1, 2, 7, 5}, 1}}),
    };
    for (const auto datatype : {quant::Datatype::fp32, quant::Datatype::fp16}) {
        for (const int block : {8, 64}) {
            for (const auto data : {Data::plain, Data::extreme}) {
                quant::Settings settings;
                settings.datatype = datatype, settings.floating.k_block = block;
                for (const auto& graph : graphs) {
                    INFO(models::operator_name(graph.nodes()[0].op) << " fp" << settings.float_bits() << " block " << block << (data == Data::extreme ? " extreme" : ""));
                    CHECK(differences(with_numbers(graph, 5, data), settings).empty());
                }
            }
        }
    }
}

TEST_CASE("A whole small SAM has the numbers of the oracle in every value") {
    models::SamConfig config;
    config.image_size = 40, config.patch_size = 8, config.width = 12, config.mlp_width = 20, config.depth = 2, config.num_heads = 2;
    config.window_size = 3, config.global_blocks = {1};
    config.prompt_width = 8, config.mask_in_channels = 8, config.decoder_heads = 2, config.decoder_mlp_width = 14, config.iou_head_width = 10;
    const auto graph = models::build_sam(config, {.num_prompt_tokens = 5, .input_height = 27, .input_width = 40, .original_height = 31, .original_width = 47, .one_format = true});
    for (const auto datatype : {quant::Datatype::fp32, quant::Datatype::fp16}) {
        quant::Settings settings;
        settings.datatype = datatype, settings.floating.k_block = 16;
        INFO("fp" << settings.float_bits());
        CHECK(differences(with_numbers(graph, 9, Data::plain), settings) == std::vector<std::string>{});
    }
}

TEST_CASE("A graph of one format has no changes of format, and a float graph names what its checkpoint lacks") {
    const auto config = *models::sam_preset("sam_nano");
    const auto graph = models::build_sam(config, {.one_format = true});
    CHECK(std::ranges::none_of(graph.nodes(), [](const auto& node) { return std::holds_alternative<models::Requantize>(node.op); }));
    quant::Settings settings;
    settings.datatype = quant::Datatype::fp16;
    const models::Weights none("empty.safetensors");
    CHECK_THROWS_AS(quant::make_float_graph(config, graph, none, settings), models::CheckpointError);
    const auto plan = quant::make_plan(graph, settings);
    CHECK(plan.float_bits == 16);
    CHECK_FALSE(plan.assumed);
    CHECK(plan.format("encoder.block0.qkv.out").bits == 16);
    CHECK(plan.format("prompt.coordinates").bits == 32);
}
