// SPDX-License-Identifier: Apache-2.0
// A part of a graph is a graph of its own.
#include "models/graph/subgraph.hpp"

#include <catch2/catch.hpp>

#include "models/graph/sam.hpp"

using namespace prelude::models;

namespace {

const SamConfig kConfig{.image_size = 32, .patch_size = 8, .width = 16, .mlp_width = 32, .depth = 2, .num_heads = 2};

}  // namespace

TEST_CASE("A part keeps its nodes as they are, reads the rest as inputs and brings its constants along") {
    const auto whole = build_sam(kConfig);
    const std::vector<std::string> names{"encoder.block0.add1", "encoder.block0.norm2", "encoder.block0.lin1", "encoder.embed", "no.such.node"};
    const auto nodes = nodes_named(whole, names);
    REQUIRE(nodes.size() == 4);
    const auto part = subgraph(whole, nodes);
    std::vector<std::string> kept, inputs;
    for (const auto& node : part.nodes()) {
        kept.push_back(node.name);
        const auto& original = whole.node(*whole.find_node(node.name));
        CHECK(node.part == original.part);
        CHECK(node.block == original.block);
        CHECK(operator_name(node.op) == operator_name(original.op));
        CHECK(num_macs(part, node) == num_macs(whole, original));
        CHECK(num_parameters(part, node) == num_parameters(whole, original));
        REQUIRE(node.inputs.size() == original.inputs.size());
        for (std::size_t i = 0; i < node.inputs.size(); ++i) CHECK(part.value(node.inputs[i]).name == whole.value(original.inputs[i]).name);
    }
    CHECK(kept == std::vector<std::string>{"encoder.pos_embed", "encoder.embed", "encoder.block0.add1", "encoder.block0.norm2", "encoder.block0.lin1"});
    for (const auto id : part.inputs()) inputs.push_back(part.value(id).name);
    CHECK(inputs == std::vector<std::string>{"encoder.patch_tokens.out", "encoder.block0.window_unpartition.out"});
    for (const auto& value : part.values()) {
        const auto& original = whole.value(*whole.find_value(value.name));
        CHECK(value.shape == original.shape);
        CHECK(value.channel_axis == original.channel_axis);
    }
}

TEST_CASE("All nodes together are the whole graph") {
    const auto whole = build_sam(kConfig);
    std::vector<NodeId> all;
    for (std::size_t i = 0; i < whole.nodes().size(); ++i) all.push_back(static_cast<NodeId>(i));
    const auto part = subgraph(whole, all);
    REQUIRE(part.nodes().size() == whole.nodes().size());
    for (std::size_t i = 0; i < all.size(); ++i) CHECK(part.nodes()[i].name == whole.nodes()[i].name);
    CHECK(part.inputs().size() == whole.inputs().size());
}
