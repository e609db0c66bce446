// SPDX-License-Identifier: Apache-2.0
#include "models/graph/sam.hpp"

#include <catch2/catch.hpp>

using namespace prelude::models;

namespace {

struct Macs {
    double encoder = 0, decoder = 0;
};

Macs giga_macs(const Graph& graph) {
    Macs macs;
    for (const auto& node : graph.nodes()) {
        (node.part == Part::encoder ? macs.encoder : macs.decoder) += static_cast<double>(num_macs(graph, node)) * 1e-9;
    }
    return macs;
}

}  // namespace

TEST_CASE("SAM-B, L and H have the multiply-accumulates computed from their published dimensions") {
    SamConfig config;
    CHECK(giga_macs(build_sam(config)).encoder == Approx(486.0).epsilon(0.001));
    CHECK(giga_macs(build_sam(config)).decoder == Approx(1.81).epsilon(0.005));
    config.width = 1024, config.mlp_width = 4096, config.depth = 24, config.num_heads = 16, config.global_blocks = {5, 11, 17, 23};
    CHECK(giga_macs(build_sam(config)).encoder == Approx(1492.8).epsilon(0.001));
    config.width = 1280, config.mlp_width = 5120, config.depth = 32, config.global_blocks = {7, 15, 23, 31};
    CHECK(giga_macs(build_sam(config)).encoder == Approx(2980.5).epsilon(0.001));
}

TEST_CASE("a slice holds the nodes between the given and the wanted values, and names what is missing") {
    const auto graph = build_sam(SamConfig{});
    const auto embedding = *graph.find_value(sam_values::kImageEmbedding);
    const auto first = *graph.find_value("encoder.block0.add2.out");
    const auto last = *graph.find_value("encoder.block1.add2.out");
    const auto nodes = slice(graph, std::vector{first}, std::vector{last});
    CHECK(graph.node(nodes.front()).name == "encoder.block1.norm1");
    CHECK(graph.node(nodes.back()).name == "encoder.block1.add2");
    CHECK_THROWS_WITH(slice(graph, {}, std::vector{embedding}), Catch::Contains("'image'"));
}

TEST_CASE("every operand of a product that lives on the residual stream passes a requantize node") {
    const auto graph = build_sam(SamConfig{}, {.num_prompt_tokens = 3, .mask_prompt = true});
    for (const auto& node : graph.nodes()) {
        const bool product = std::holds_alternative<Linear>(node.op) || std::holds_alternative<Conv>(node.op) ||
                             std::holds_alternative<ConvTranspose>(node.op) || std::holds_alternative<MatMul>(node.op);
        if (!product) continue;
        for (auto input : node.inputs) {
            const auto* producer = graph.producer(input);
            INFO(node.name);
            CHECK((producer == nullptr || !std::holds_alternative<Add>(producer->op)));
        }
    }
}

TEST_CASE("node names do not depend on the prompt") {
    const auto one = build_sam(SamConfig{}, {.num_prompt_tokens = 2});
    const auto other = build_sam(SamConfig{}, {.num_prompt_tokens = 5, .num_masks = 3, .input_height = 700, .original_height = 1400});
    REQUIRE(one.nodes().size() == other.nodes().size());
    for (std::size_t index = 0; index < one.nodes().size(); ++index) CHECK(one.nodes()[index].name == other.nodes()[index].name);
}
