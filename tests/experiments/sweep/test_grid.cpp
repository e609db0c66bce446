// SPDX-License-Identifier: Apache-2.0
#include "experiments/sweep/grid.hpp"
#include "tests/paths.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

using namespace prelude::experiments;

namespace {

Configuration read(const std::string& text) {
    return read_configuration_text(text, "f.yaml", {}, PRELUDE_SOURCE_DIR "/arch_configs");
}

}  // namespace

TEST_CASE("The last axis moves fastest and joined keys move together") {
    const auto configuration =
        read("sweep: {axes: {quant.groups: [1, 4], \"hw.pe.rows, hw.pe.cols\": [[8, 16], [16, 8]], quant.softmax.log_base: [2, sqrt2]}}\n");
    const Grid grid(configuration);
    REQUIRE(grid.size() == 8);
    CHECK(grid.columns() == std::vector<std::string>{"quant.groups", "hw.pe.rows", "hw.pe.cols", "quant.softmax.log_base"});
    CHECK(grid.at(0).swept == std::vector<std::string>{"1", "8", "16", "2"});
    CHECK(grid.at(1).swept == std::vector<std::string>{"1", "8", "16", "sqrt2"});
    CHECK(grid.at(2).swept == std::vector<std::string>{"1", "16", "8", "2"});
    CHECK(grid.at(7).swept == std::vector<std::string>{"4", "16", "8", "sqrt2"});
    CHECK(grid.at(7).settings.hw.pe.cols == 8);
    CHECK(grid.at(7).settings.quant.groups == 4);
}

TEST_CASE("Each point carries the figures of its device") {
    const auto configuration = read("sweep: {axes: {hw.device: [pynq_z2, u250]}}\n");
    const Grid grid(configuration);
    CHECK(grid.at(0).settings.hw.device.dsp == 220);
    CHECK(grid.at(1).settings.hw.device.dsp == 12288);
}

TEST_CASE("A random sweep draws different points, in grid order, the same for the same seed") {
    const auto points = [](const std::string& sweep) {
        const auto configuration = read("sweep: {strategy: random, " + sweep +
                                        ", axes: {hw.pe.rows: [1, 2, 3, 4, 5, 6, 7], hw.pe.cols: [1, 2, 3, 4, 5, 6, 7]}}\n");
        const Grid grid(configuration);
        std::vector<std::int64_t> indices;
        for (std::int64_t i = 0; i < grid.size(); ++i) {
            const auto point = grid.at(i);
            indices.push_back(point.index);
            CHECK(grid.combination(point.index).swept == point.swept);
        }
        return indices;
    };
    const auto drawn = points("samples: 10, seed: 3");
    CHECK(drawn.size() == 10);
    CHECK(std::is_sorted(drawn.begin(), drawn.end()));
    CHECK(std::set<std::int64_t>(drawn.begin(), drawn.end()).size() == 10);
    CHECK(points("samples: 10, seed: 3") == drawn);
    CHECK(points("samples: 10, seed: 4") != drawn);
    CHECK(points("samples: 1000").size() == 49);
}

TEST_CASE("A draw is uniform: every subset of two out of four comes up equally often") {
    std::map<std::vector<std::int64_t>, int> counts;
    constexpr int kDraws = 6000;
    for (std::uint64_t seed = 0; seed < kDraws; ++seed) ++counts[draw(2, 4, seed)];
    CHECK(counts.size() == 6);
    for (const auto& [subset, count] : counts) CHECK(std::abs(count - kDraws / 6) < 150);  // 5 standard deviations
}

TEST_CASE("A sample of a huge product is drawn without enumerating it") {
    std::string axes;
    for (const auto* key : {"hw.pe.rows", "hw.pe.cols", "hw.pe.depth", "hw.softmax.lanes", "hw.layernorm.lanes", "hw.gelu.lanes"}) {
        axes += (axes.empty() ? "" : ", ") + std::string(key) + ": [1";
        for (int i = 2; i <= 1000; ++i) axes += "," + std::to_string(i);
        axes += "]";
    }
    const auto configuration = read("sweep: {strategy: random, samples: 20, axes: {" + axes + "}}\n");
    const Grid grid(configuration);
    CHECK(grid.num_combinations() == 1'000'000'000'000'000'000);
    CHECK(grid.size() == 20);
    CHECK(grid.at(19).index > grid.at(0).index);
}

TEST_CASE("Combinations beyond 62 bits are counted as too many, not wrapped") {
    std::vector<Axis> axes(63);
    for (auto& axis : axes) axis.tuples.resize(2);
    CHECK_FALSE(count_combinations(axes));
    axes.resize(62);
    CHECK(count_combinations(axes) == std::int64_t{1} << 62);
    CHECK(count_combinations({}) == 1);
}
