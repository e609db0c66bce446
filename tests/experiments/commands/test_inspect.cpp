// SPDX-License-Identifier: Apache-2.0
#include "experiments/commands/inspect.hpp"

#include "experiments/sweep/grid.hpp"
#include "tests/support/program.hpp"
#include "tests/support/tiny_configuration.hpp"
#include "tests/paths.hpp"

#include <catch2/catch.hpp>

using namespace prelude::experiments;
using Catch::Contains;

namespace {

nlohmann::json description_of(const std::string& text) {
    const auto configuration = read_configuration_text(text, "f.yaml", {}, PRELUDE_SOURCE_DIR "/arch_configs");
    const auto settings = Grid(configuration).at(0).settings;
    return describe(settings, configuration.costs.at(settings.cost_table));
}

std::string shapes_only(const std::string& preset) { return "model: {preset: " + preset + ", checkpoint: none}\n"; }

double encoder_gmac(const nlohmann::json& description) { return description.at("parts").at("encoder").at("macs").get<double>() / 1e9; }

}  // namespace

TEST_CASE("The encoders of the published models have the published products") {
    const auto fp32 = std::string("quant: {method: fp32}\n");
    CHECK(encoder_gmac(description_of(shapes_only("sam_vit_b") + fp32)) == Approx(486.0).epsilon(0.005));
    CHECK(encoder_gmac(description_of(shapes_only("sam_vit_l") + fp32)) == Approx(1492.8).epsilon(0.005));
    CHECK(encoder_gmac(description_of(shapes_only("sam_vit_h") + fp32)) == Approx(2980.5).epsilon(0.005));
}

TEST_CASE("Parts of a description sum to its totals") {
    const auto description = description_of(shapes_only("sam_nano"));
    std::int64_t macs = 0, parameters = 0, nodes = 0, node_macs = 0;
    for (const auto& [name, part] : description.at("parts").items()) {
        macs += part.at("macs").get<std::int64_t>();
        parameters += part.at("parameters").get<std::int64_t>();
        nodes += part.at("nodes").get<std::int64_t>();
    }
    for (const auto& node : description.at("nodes")) node_macs += node.at("macs").get<std::int64_t>();
    const auto& totals = description.at("totals");
    CHECK(totals.at("macs") == macs);
    CHECK(totals.at("macs") == node_macs);
    CHECK(totals.at("parameters") == parameters);
    CHECK(totals.at("nodes") == nodes);
    CHECK(description.at("nodes").size() == static_cast<std::size_t>(nodes));
}

TEST_CASE("Formats of a description are those of the settings") {
    const auto description =
        description_of(shapes_only("sam_nano") + "quant: {weight_bits: 4, activation_bits: 6, groups: 4, residual_bits: 14, softmax: {log_base: 2^(1/4), bits: 5}}\n");
    const auto node = [&](const std::string& name) -> const nlohmann::json& {
        for (const auto& each : description.at("nodes"))
            if (each.at("name") == name) return each;
        throw std::runtime_error(name);
    };
    const auto& qkv = node("encoder.block0.qkv");
    CHECK(qkv.at("contraction").at("left_bits") == 6);
    CHECK(qkv.at("contraction").at("right_bits") == 4);
    CHECK(qkv.at("contraction").at("depth") == qkv.at("inputs").at(0).at("shape").at(2));
    CHECK(qkv.at("contraction").at("terms") == 4);
    CHECK(qkv.at("inputs").at(0).at("format").at("groups") == 4);
    const auto accumulator = qkv.at("contraction").at("accumulator_bits").get<int>(), product = qkv.at("contraction").at("product_bits").get<int>();
    CHECK(accumulator >= product);
    bool has_probability = false, has_residual = false;
    for (const auto& each : description.at("nodes")) {
        const auto& format = each.at("output").at("format");
        if (format.at("kind") == "probability") has_probability = format.at("bits") == 5 && format.at("log_base") == "2^(1/4)";
        has_residual = has_residual || (format.at("kind") == "fixed" && format.at("bits") == 14);
    }
    CHECK(has_probability);
    CHECK(has_residual);
    CHECK(description.at("formats_assumed") == true);
    CHECK(description.at("hardware").at("device") == "zcu102");
    const auto& tiling = description.at("tiling");
    CHECK(std::any_of(tiling.begin(), tiling.end(), [](const auto& entry) { return entry.at("segment") == "encoder.block0.qkv" && entry.contains("tiles"); }));
    CHECK_THAT(print_description(description, false), Contains("encoder.block*.qkv"));
}

TEST_CASE("Blocks that are alike are shown once, and every node with --all") {
    const auto description = description_of(shapes_only("sam_vit_b"));
    const auto brief = print_description(description, false), whole = print_description(description, true);
    CHECK_THAT(brief, Contains("encoder blocks 0, 1, 3, 4, 6, 7, 9, 10 (each)"));
    CHECK_THAT(brief, Contains("encoder blocks 2, 5, 8, 11 (each)"));
    CHECK_THAT(brief, !Contains("encoder.block1.qkv"));
    CHECK_THAT(brief, !Contains("requantize"));
    for (const auto& node : description.at("nodes")) {
        INFO(node.at("name"));
        CHECK_THAT(whole, Contains(node.at("name").get<std::string>()));
    }
    CHECK_THAT(brief, Contains("all"));
}

TEST_CASE("A design in floating point has its formats and hardware, one of mode compat neither") {
    const auto floating = description_of(prelude::testing::tiny_model() + "quant: {method: fp32}\n");
    CHECK(floating.at("nodes").at(0).at("output").at("format") == nlohmann::json{{"kind", "float"}, {"bits", 32}});
    CHECK(floating.contains("hardware"));
    CHECK_FALSE(floating.at("formats_assumed").get<bool>());
    CHECK(floating.at("model").at("depth") == 4);
    const auto compat = description_of(prelude::testing::tiny_model() + "quant: {mode: compat}\n");
    CHECK_FALSE(compat.contains("hardware"));
    CHECK_FALSE(compat.at("nodes").at(0).at("output").contains("format"));
    CHECK_THAT(print_description(compat, false), Contains("hardware  none: quant.mode compat"));
}

TEST_CASE("explore inspect prints tables or JSON, and what it refuses is exit code 3") {
    const auto config = std::string(PRELUDE_SOURCE_DIR "/arch_configs/sam_b_zcu102.yaml");
    const auto tables = prelude::testing::run({FAKE_EXPLORE, "inspect", "--config", config});
    CHECK(tables.code == 0);
    CHECK_THAT(tables.out, Contains("encoder.block0.qkv") && Contains("totals"));
    const auto as_json = prelude::testing::run({FAKE_EXPLORE, "inspect", "--config", config, "--json", "--set", "model.preset=sam_nano"});
    CHECK(as_json.code == 0);
    CHECK(nlohmann::json::parse(as_json.out).at("model").at("preset") == "sam_nano");
    const auto refused = prelude::testing::run({FAKE_EXPLORE, "inspect", "--config", config, "--set", "quant.groups=100000"});
    CHECK(refused.code == 3);
    CHECK_FALSE(refused.err.empty());
    CHECK(refused.out.empty());
}
