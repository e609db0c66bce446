// SPDX-License-Identifier: Apache-2.0
#include "models/graph/layers.hpp"

#include <catch2/catch.hpp>

#include <numeric>
#include <string>
#include <vector>

using namespace prelude::models;

namespace {

LayerGroup network(std::vector<LayerItem> items) { return {.items = std::move(items)}; }

Graph graph_of(std::vector<LayerItem> items) {
    auto built = build_layers(network(std::move(items)));
    for (const auto& problem : built.problems) UNSCOPED_INFO(problem.item << " " << problem.field << ": " << problem.message);
    REQUIRE(built.problems.empty());
    return std::move(built.graph);
}

std::vector<LayerProblem> problems_of(std::vector<LayerItem> items) { return build_layers(network(std::move(items))).problems; }

std::vector<std::string> names(const Graph& graph) {
    std::vector<std::string> result;
    for (const auto& node : graph.nodes()) result.push_back(node.name);
    return result;
}

const Shape& output(const Graph& graph, std::string_view node) { return graph.value(graph.node(*graph.find_node(node)).output).shape; }

}  // namespace

TEST_CASE("a product that states its sizes reads a fresh input, the next reads what stands before it") {
    const auto graph = graph_of({Layer{.name = "fc1", .kind = LayerKind::linear, .rows = 7, .depth = 5, .cols = 11},
                                 Layer{.name = "gelu", .kind = LayerKind::gelu}, Layer{.name = "fc2", .kind = LayerKind::linear, .cols = 3}});
    CHECK(names(graph) == std::vector<std::string>{"fc1", "gelu", "fc2"});
    CHECK(graph.inputs().size() == 1);
    CHECK(output(graph, "fc2") == Shape{1, 7, 3});
    CHECK(num_macs(graph, graph.node(0)) == 7 * 5 * 11);
    CHECK(num_parameters(graph, graph.node(0)) == 5 * 11 + 11);
}

TEST_CASE("a product of two values has fresh operands or named ones, transposed on request") {
    const auto graph = graph_of({Layer{.name = "product", .kind = LayerKind::matmul, .batch = 3, .rows = 7, .depth = 5, .cols = 11},
                                 Layer{.name = "q", .kind = LayerKind::input, .batch = 3, .rows = 7, .cols = 11},
                                 Layer{.name = "scores", .kind = LayerKind::matmul, .of = {"product", "q"}, .transposed = true}});
    CHECK(output(graph, "product") == Shape{3, 7, 11});
    CHECK(output(graph, "scores") == Shape{3, 7, 7});
    CHECK(graph.inputs().size() == 3);
    CHECK(num_macs(graph, graph.node(0)) == 3 * 7 * 5 * 11);
}

TEST_CASE("a group repeats, its `input` is what it began with, and a repetition can be named") {
    const auto graph = graph_of({Layer{.name = "x", .kind = LayerKind::input, .rows = 4, .cols = 6},
                                 LayerGroup{.name = "block",
                                            .repeat = 3,
                                            .items = {Layer{.name = "norm", .kind = LayerKind::layer_norm}, Layer{.name = "fc", .kind = LayerKind::linear, .cols = 6},
                                                      Layer{.name = "sum", .kind = LayerKind::add, .of = {"input"}}}},
                                 Layer{.name = "skip", .kind = LayerKind::add, .of = {"block0"}}});
    CHECK(names(graph) == std::vector<std::string>{"block0.norm", "block0.fc", "block0.sum", "block1.norm", "block1.fc", "block1.sum", "block2.norm", "block2.fc",
                                                   "block2.sum", "skip"});
    const auto out = [&](std::string_view node) { return graph.node(*graph.find_node(node)).output; };
    CHECK(graph.node(*graph.find_node("block1.sum")).inputs == std::vector{out("block1.fc"), out("block0.sum")});
    CHECK(graph.node(*graph.find_node("skip")).inputs == std::vector{out("block2.sum"), out("block0.sum")});
    CHECK(graph.node(*graph.find_node("block2.fc")).block == 2);
}

TEST_CASE("a group without repetitions only adds its name, and names are looked up in the groups around") {
    const auto graph = graph_of({Layer{.name = "x", .kind = LayerKind::input, .rows = 4, .cols = 6},
                                 LayerGroup{.name = "half", .items = {Layer{.name = "fc", .kind = LayerKind::linear, .of = {"x"}, .cols = 6},
                                                                      LayerGroup{.name = "inner", .repeat = 1, .items = {Layer{.name = "sum", .kind = LayerKind::add, .of = {"fc", "x"}}}}}}});
    CHECK(names(graph) == std::vector<std::string>{"half.fc", "half.inner0.sum"});
}

TEST_CASE("a product that reads a sum gets codes of its own beside the residual stream") {
    const auto graph = graph_of({Layer{.name = "sum", .kind = LayerKind::add, .rows = 4, .cols = 6}, Layer{.name = "fc", .kind = LayerKind::linear, .cols = 6}});
    CHECK(names(graph) == std::vector<std::string>{"sum", "fc.in", "fc"});
}

TEST_CASE("attention stands for the nodes that SAM's builder writes") {
    const auto graph = graph_of({Layer{.name = "qkv", .kind = LayerKind::input, .rows = 5, .cols = 24}, Layer{.name = "attention", .kind = LayerKind::attention, .heads = 2}});
    CHECK(names(graph) == std::vector<std::string>{"attention.q", "attention.k", "attention.v", "attention.qk", "attention.softmax", "attention.pv", "attention.merge"});
    CHECK(output(graph, "attention.qk") == Shape{2, 5, 5});
    CHECK(output(graph, "attention.merge") == Shape{1, 5, 8});
}

TEST_CASE("images become tokens, with a class token and positions") {
    const auto graph = graph_of({Layer{.name = "patches", .kind = LayerKind::conv, .channels = 3, .height = 9, .width = 12, .filters = 8, .kernel = 3, .stride = 3},
                                 Layer{.name = "conv", .kind = LayerKind::conv, .filters = 4, .kernel = 3, .padding = 1}, Layer{.name = "relu", .kind = LayerKind::relu},
                                 Layer{.name = "tokens", .kind = LayerKind::tokens}, Layer{.name = "class_token", .kind = LayerKind::class_token},
                                 Layer{.name = "position", .kind = LayerKind::position}});
    CHECK(output(graph, "patches") == Shape{1, 8, 3, 4});
    CHECK(output(graph, "conv") == Shape{1, 4, 3, 4});
    CHECK(output(graph, "position") == Shape{1, 13, 4});
}

TEST_CASE("every problem of a list is found at once, at its layer and size, and what follows from one is not another") {
    const auto problems = problems_of({Layer{.name = "norm", .kind = LayerKind::layer_norm},
                                       Layer{.name = "x", .kind = LayerKind::input, .rows = 4, .cols = 6, .channels = 3},
                                       Layer{.name = "follows", .kind = LayerKind::linear, .cols = 8},
                                       Layer{.name = "y", .kind = LayerKind::input, .rows = 4, .cols = 6},
                                       Layer{.name = "fc", .kind = LayerKind::linear, .of = {"y"}, .depth = 5, .cols = 8},
                                       Layer{.name = "half", .kind = LayerKind::linear, .depth = 5, .cols = 8},
                                       Layer{.name = "wide", .kind = LayerKind::linear, .of = {"y"}, .cols = 8, .kernel = 3},
                                       Layer{.name = "nowhere", .kind = LayerKind::gelu, .of = {"z"}},
                                       LayerGroup{.name = "g", .repeat = 2, .items = {Layer{.name = "heads", .kind = LayerKind::attention, .of = {"y"}, .heads = 4}}},
                                       Layer{.name = "y", .kind = LayerKind::gelu, .of = {"y"}},
                                       Layer{.name = "input", .kind = LayerKind::gelu, .of = {"g0"}},
                                       Layer{.name = "image", .kind = LayerKind::conv, .of = {"y"}, .filters = 3, .kernel = 1},
                                       Layer{.name = "sum", .kind = LayerKind::add}});
    const std::vector<LayerProblem> expected{
        {0, "", "norm: nothing stands before it to read"},
        {1, "", "x: an input has rows and cols (and batch), or channels, height and width"},
        {4, "depth", "fc: says depth 5, but reads [1, 4, 6]"},
        {5, "", "half: a fresh input needs rows, too; `of` names an earlier value"},
        {6, "kernel", "wide: linear has no kernel"},
        {7, "of", "nowhere: there is no z before it"},
        {9, "heads", "g0.heads: 4 heads of queries, keys and values do not divide the 6 channels it reads"},
        {10, "name", "y: a name stands twice"},
        {11, "name", "input: the name means another value"},
        {13, "", "sum: reads two values; `of` names them"}};
    REQUIRE(problems.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        INFO(problems[i].item << " " << problems[i].field << ": " << problems[i].message);
        CHECK(problems[i] == expected[i]);
    }
}

TEST_CASE("limits bound the work of hostile lists before anything is made of them") {
    const auto linear = [](std::int64_t rows, std::int64_t depth, std::int64_t cols) {
        return Layer{.name = "fc", .kind = LayerKind::linear, .rows = rows, .depth = depth, .cols = cols};
    };
    CHECK(problems_of({linear(65536, 4096, 1)}).empty());
    CHECK(problems_of({linear(65536, 4097, 1)}).at(0).message == "fc: a value of [1, 65536, 4097] has more than 2^28 elements");
    CHECK(problems_of({linear(1, 65536, 65536)}).at(0).message == "fc: more than 2^28 weights");
    CHECK(problems_of({linear(4096, 65536, 4096)}).empty());
    CHECK(problems_of({LayerGroup{.name = "b", .repeat = 12, .items = {linear(4096, 65536, 4096)}}}).at(0).message ==
          "b9.fc: up to here the network has more than 10 TMAC");
    LayerGroup nested{.name = "n", .repeat = 4096, .items = {}};
    for (int depth = 0; depth < 6; ++depth) {
        auto outer = LayerGroup{.name = "n", .repeat = 4096, .items = {}};
        outer.items.emplace_back(std::move(nested));
        nested = std::move(outer);
    }
    const auto problems = problems_of({nested});
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].message.ends_with("more than 4096 layers, repetitions counted"));
}

TEST_CASE("names of layers and repetitions do not collide") {
    const auto fc = Layer{.name = "out", .kind = LayerKind::input, .rows = 1, .cols = 1};
    const auto problems = problems_of({Layer{.name = "b1", .kind = LayerKind::gelu, .rows = 2, .cols = 2}, LayerGroup{.name = "b", .repeat = 2, .items = {fc}}});
    REQUIRE(problems.size() == 1);
    CHECK(problems[0] == LayerProblem{1, "name", "b1: a name stands twice"});
}
