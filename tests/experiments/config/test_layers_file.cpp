// SPDX-License-Identifier: Apache-2.0
#include "experiments/config/layers_file.hpp"

#include "experiments/config/configuration.hpp"
#include "tests/paths.hpp"
#include "tests/support/expected_text.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <map>

using namespace prelude;
using namespace prelude::experiments;
namespace fs = std::filesystem;

namespace {

const fs::path kWorkloads = PRELUDE_SOURCE_DIR "/arch_configs/workloads";

std::int64_t macs_of(const models::Graph& graph) {
    std::int64_t macs = 0;
    for (const auto& node : graph.nodes()) macs += models::num_macs(graph, node);
    return macs;
}

}  // namespace

TEST_CASE("Every broken file of layers is refused with its exact message", "[expected]") {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(PRELUDE_SOURCE_DIR "/tests/data/bad/layers")) {
        if (entry.path().extension() != ".yaml") continue;
        ++count;
        INFO(entry.path().string());
        Problems problems;
        CHECK_FALSE(read_layers(entry.path(), problems));
        check_expected_text(fs::path(entry.path()).replace_extension(".expected"), with_placeholder(problems.text(), entry.path().string(), "{file}") + "\n");
    }
    CHECK(count >= 9);
}

TEST_CASE("The shipped workloads have the MACs of the networks they name") {
    // GMAC of linear layers, attention and patch embedding, from the published sizes; a table to three or four digits.
    const std::map<std::string, double> expected{{"deit_tiny", 1.254},  {"deit_small", 4.599}, {"vit_b_224", 17.56},
                                                 {"vit_b_256", 23.20}, {"m3vit_tiny", 0.783}, {"matmul_128", 128.0 * 128 * 128 * 1e-9}};
    for (const auto& [name, gmac] : expected) {
        INFO(name);
        CHECK(static_cast<double>(macs_of(layers_graph(kWorkloads / (name + ".yaml")))) * 1e-9 == Approx(gmac).epsilon(5e-4));
    }
}

TEST_CASE("The two parts of Edge-MoE's network together are the network") {
    const auto macs = [](const std::string& name) { return macs_of(layers_graph(kWorkloads / (name + ".yaml"))); };
    CHECK(macs("m3vit_tiny_linear") + macs("m3vit_tiny_attention") == macs("m3vit_tiny"));
}

TEST_CASE("Every shipped file of layers is read without a problem") {
    for (const auto& entry : fs::recursive_directory_iterator(kWorkloads)) {
        INFO(entry.path().string());
        if (!entry.is_regular_file()) continue;
        Problems problems;
        CHECK(read_layers(entry.path(), problems));
        CHECK(problems.text() == Problems{}.text());
    }
}

TEST_CASE("Sizes that mean nothing to a list of layers are pointed out, and a path without layers, too") {
    const auto layers = "model: {kind: layers, path: " + (kWorkloads / "matmul_128.yaml").string() + "}\n";
    const auto warnings = [](const std::string& text) {
        return read_configuration_text(text, "f", {}, PRELUDE_SOURCE_DIR "/arch_configs").warnings;
    };
    CHECK(warnings(layers).empty());
    REQUIRE(warnings(layers + "data: {num_images: 3}\n").size() == 1);
    CHECK(warnings(layers + "data: {num_images: 3}\n")[0] == "f:2:20: data.num_images has no effect here; it is effective only while model.kind is sam");
    REQUIRE(warnings("model: {path: " + (kWorkloads / "matmul_128.yaml").string() + "}\n").size() == 1);
}
