// SPDX-License-Identifier: Apache-2.0
// explore accumulators: what it prints of a small model, and what it refuses.
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/program.hpp"
#include "tests/support/tiny_configuration.hpp"
#include "tests/paths.hpp"

using prelude::testing::run;
using prelude::testing::TemporaryFolder;

namespace {

std::string configuration(const TemporaryFolder& folder, const std::string& rest) {
    const auto file = folder.path() / "tiny.yaml";
    std::ofstream(file) << prelude::testing::tiny_model() << "data: {num_images: 1, prompts_per_image: 1}\n" << rest;
    return file.string();
}

}  // namespace

TEST_CASE("The accumulator study prints a line per kind of layer, its three widths in order") {
    const TemporaryFolder folder;
    const auto ended = run({EXPLORE, "accumulators", "--config", configuration(folder, "quant: {weight_bits: 4, activation_bits: 4}\n"), "--images", "1"});
    INFO(ended.out << ended.err);
    REQUIRE(ended.code == 0);
    CHECK(ended.out.find("bits of the running sums A_t, W4A4") != std::string::npos);
    std::istringstream lines(ended.out);
    std::size_t layers = 0;
    for (std::string line; std::getline(lines, line);) {
        std::istringstream cells(line);
        std::string name;
        int times = 0, depth = 0, sums = 0, operands = 0, weights = 0, observed = 0;
        if (!(cells >> name >> times >> depth >> sums >> operands >> weights >> observed)) continue;
        ++layers;
        INFO(line);
        CHECK((times >= 1 && depth >= 1 && observed <= weights && weights <= operands));
    }
    CHECK(layers > 10);
    CHECK(ended.out.find("encoder.block*.qkv") != std::string::npos);
}

TEST_CASE("The accumulator study refuses a network without integers or weights") {
    const TemporaryFolder folder;
    const auto floats = run({EXPLORE, "accumulators", "--config", configuration(folder, "quant: {datatype: fp32}\n")});
    CHECK(floats.code == 3);
    CHECK(floats.err.find("quant.datatype: a design point without integers") != std::string::npos);
    const auto shapes = run({EXPLORE, "accumulators", "--config", configuration(folder, ""), "--set", "model.checkpoint=none", "--set", "model.preset=sam_nano", "--set", "model.config.decoder_heads=auto"});
    INFO(shapes.err);
    CHECK(shapes.code == 3);
    CHECK(run({EXPLORE, "accumulators"}).code == 2);
}
