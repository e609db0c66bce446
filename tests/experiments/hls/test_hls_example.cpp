// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <cstdio>
#include <string>
#include <vector>

#include "experiments/hls/params_header.hpp"
#include "models/graph/subgraph.hpp"
#include "tests/support/example_kernel.hpp"
#include "tests/support/host_compiler.hpp"
#include "tests/support/tiny_model.hpp"

// The example kernel, compiled as an HLS engineer would compile it, against the words of the integer engine.

namespace prelude::experiments {
namespace {

constexpr const char* kFaults = PRELUDE_SOURCE_DIR "/tests/experiments/hls/example_faults.txt";

/// Header and words of the example's layers in a model.
struct Exported {
    models::Graph part;
    quant::QuantizedGraph quantized;
    testing::ExampleData data;
    std::string header;
};

Exported exported(const tests::CalibratedModel& model) {
    const auto names = testing::example_nodes();
    Exported result{.part = models::subgraph(model.graph, models::nodes_named(model.graph, names)), .quantized = {}, .data = {}, .header = {}};
    REQUIRE(result.part.nodes().size() == names.size());
    const auto quantized = model.quantize(testing::example_settings());
    quant::Words words;
    const quant::Engine engine(model.graph, quantized);
    const std::vector<models::ValueId> wanted{model.id(models::sam_values::kMasks), model.id(models::sam_values::kIou)};
    (void)engine.run(model.words, wanted, [&](const models::Graph& graph, models::ValueId id, models::IntTensor& value) {
        if (const auto own = result.part.find_value(graph.value(id).name)) words[*own] = value;
    });
    result.quantized = quant::restricted_to(quantized, result.part);
    result.data = testing::example_data(result.part, result.quantized, words);
    result.header = params_header(result.part, result.quantized, {}, "the example");
    return result;
}

}  // namespace

TEST_CASE("the example kernel gives every word of the integer engine", "[hls][long]") {
    if (const auto missing = testing::missing_for_kernels(); !missing.empty()) {
        WARN("skipped: " << missing);
        return;
    }
    const auto model = tests::trained_nano(0);
    const auto layers = exported(model);
    const testing::TemporaryFolder folder;
    testing::write_data(folder / "golden", layers.data.inputs);
    testing::write_data(folder / "golden", layers.data.outputs);
    const testing::ExampleKernel kernel(folder / "kernel", layers.header);
    REQUIRE(kernel.build() == "");
    CHECK(kernel.run(folder / "golden", folder / "actual") == "");
    CHECK(testing::differing(layers.data.outputs, folder / "actual").empty());
    CHECK(kernel.run(folder / "golden", folder / "isolated", true) == "");
    CHECK(testing::differing(layers.data.outputs, folder / "isolated").empty());
}

TEST_CASE("every single fault of the example still finds its line", "[hls]") {
    const auto model = tests::trained_nano(0);
    const auto layers = exported(model);
    const auto faults = testing::read_faults(kFaults);
    CHECK(faults.size() >= 18);
    for (const auto& fault : faults) {
        const testing::TemporaryFolder folder;
        INFO(fault.name);
        CHECK(testing::ExampleKernel(folder.path(), layers.header).plant(fault));
    }
}

TEST_CASE("the example runs from export to verify as its script says", "[hls][long]") {
    if (const auto missing = testing::missing_for_kernels(); !missing.empty()) {
        WARN("skipped: " << missing);
        return;
    }
    const testing::TemporaryFolder folder;
    const auto ended = testing::run({PRELUDE_SOURCE_DIR "/experiments/hls_example/run", (folder / "out").string()}, {"EXPLORE=" EXPLORE});
    INFO(ended.err);
    INFO(ended.out);
    CHECK(ended.code == 0);
    CHECK(ended.out.find("9 equal, 0 failed") != std::string::npos);
}

/// Minutes: `test_experiments [faults]`.
TEST_CASE("every single fault of the example builds and shows in a word", "[.][faults]") {
    const auto model = tests::trained_nano(0);
    const auto layers = exported(model);
    const testing::TemporaryFolder folder;
    testing::write_data(folder / "golden", layers.data.inputs);
    testing::write_data(folder / "golden", layers.data.outputs);
    for (const auto& fault : testing::read_faults(kFaults)) {
        const testing::TemporaryFolder own;
        const testing::ExampleKernel kernel(own / "kernel", layers.header);
        INFO(fault.name);
        REQUIRE(kernel.plant(fault));
        REQUIRE(kernel.build() == "");
        CHECK(kernel.run(folder / "golden", own / "actual", true) == "");
        const auto differences = testing::differing(layers.data.outputs, own / "actual");
        CHECK_FALSE(differences.empty());
        for (const auto& difference : differences) UNSCOPED_INFO(difference);
        std::printf("%-34s %s\n", fault.name.c_str(), differences.empty() ? "SURVIVED" : differences.front().c_str());
        std::fflush(stdout);
    }
}

}  // namespace prelude::experiments
