// SPDX-License-Identifier: Apache-2.0
// Pruning: what is not simulated is dominated, so that the Pareto front is that of the whole grid.
#include "experiments/sweep/prune.hpp"

#include <catch2/catch.hpp>

#include "tests/paths.hpp"
#include "tests/support/program.hpp"
#include "tests/support/tiny_configuration.hpp"

using namespace prelude::experiments;
using Catch::Contains;

namespace {

Row row(std::int64_t point, double latency, double miou, const std::string& status = "ok") {
    return {.point = point, .cells = {{"status", status}, {"latency_ms", std::to_string(latency)}, {"miou", std::to_string(miou)}, {"fits", "true"}}, .layers = {}};
}

BestCase best(double latency, double miou) { return {.least = {{"latency_ms", latency}, {"miou", miou}}, .most = {{"miou", miou}}}; }

const SweepInfo kInfo = [] {
    SweepInfo info;
    info.maximize = {"miou"}, info.minimize = {"latency_ms"}, info.constraints = {"fits"};
    return info;
}();

/// The lines of pareto.csv without the first column names' line, and how many rows of results.csv were pruned.
struct Sweep {
    std::string front, results;
    int code = -1;
    std::size_t pruned = 0;
};

Sweep sweep_of(const std::string& text, const std::vector<std::string>& more) {
    const prelude::testing::TemporaryFolder folder;
    prelude::testing::write_file(folder / "sweep.yaml", text);
    std::vector<std::string> arguments{EXPLORE, "--config", (folder / "sweep.yaml").string(), "--out", (folder / "out").string(), "--quiet"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto ended = prelude::testing::run(arguments);
    INFO(ended.err);
    Sweep sweep{.front = prelude::testing::read_file(folder / "out" / "pareto.csv"), .results = prelude::testing::read_file(folder / "out" / "results.csv"), .code = ended.code};
    for (std::size_t at = 0; (at = sweep.results.find("by its bound", at)) != std::string::npos; ++at) ++sweep.pruned;
    // A second run finds everything in the store and says the same.
    REQUIRE(prelude::testing::run(arguments).code == ended.code);
    CHECK(prelude::testing::read_file(folder / "out" / "results.csv") == sweep.results);
    return sweep;
}

void check_front(const std::string& text) {
    const auto whole = sweep_of(text, {"--jobs", "2"}), pruned = sweep_of(text, {"--jobs", "2", "--set", "sweep.prune=true"}),
               alone = sweep_of(text, {"--jobs", "1", "--set", "sweep.prune=true"});
    CHECK(whole.code == 0);
    CHECK(whole.pruned == 0);
    CHECK(pruned.pruned > 0);
    CHECK(pruned.front == whole.front);
    CHECK(pruned.results == alone.results);
}

}  // namespace

TEST_CASE("A point is pruned when a simulated one beats the best it could be, and not when it only equals it") {
    const std::vector<Row> simulated{row(4, 10, 0.8), row(7, 20, 0.9), row(8, 1, 1, "failed")};
    const std::vector<BestCase> open{best(11, 0.8), best(10, 0.8), best(10, 0.79), best(9, 0.5), best(20.5, 0.85), best(30, 0.91)};
    const auto round = prune(kInfo, simulated, open);
    std::vector<std::pair<std::size_t, std::int64_t>> pruned;
    for (const auto& [point, by] : round.pruned) pruned.emplace_back(point, by);
    CHECK(pruned == std::vector<std::pair<std::size_t, std::int64_t>>{{0, 4}, {2, 4}, {4, 7}});
    CHECK(round.simulate == std::vector<std::size_t>{1, 3, 5});
}

TEST_CASE("A point that breaks a constraint prunes nothing") {
    auto large = row(1, 1, 1);
    large.cells["fits"] = "false";
    CHECK(prune(kInfo, std::vector{large}, std::vector{best(5, 0.5)}).pruned.empty());
}

TEST_CASE("What is not known of a point counts as the best there can be") {
    const std::vector<Row> simulated{row(0, 1, 1)};
    auto unknown = best(5, 0.5);
    unknown.most.clear();
    CHECK(prune(kInfo, simulated, std::vector{unknown}).pruned.empty());
    auto maximised = kInfo;
    maximised.maximize = {"latency_ms"}, maximised.minimize = {"miou"};  // a lower bound says nothing of how large a value can get
    CHECK(prune(maximised, simulated, std::vector{best(5, 2)}).pruned.empty());
}

TEST_CASE("A round simulates the points whose best values no other open point's dominate") {
    const auto round = prune(kInfo, {}, std::vector{best(10, 0.8), best(11, 0.8), best(12, 0.9), best(9, 0.95)});
    CHECK(round.simulate == std::vector<std::size_t>{3});
    CHECK(round.pruned.empty());
}

TEST_CASE("Pruning leaves the Pareto front of a grid of hardware keys as it is, for any number of workers", "[long]") {
    check_front(R"(model: {preset: sam_nano, checkpoint: none}
hw: {clock_mhz: 150, pe: {rows: 8, cols: 8, depth: 8}, buffers: {weight_kib: 64, activation_kib: 64, partial_sum_kib: 64, score_kib: 128}}
sweep:
  objectives: {max: [fps], min: [lut, bram36]}
  axes:
    hw.pe.rows: [4, 8, 16]
    hw.softmax.lanes: [2, 8]
    hw.dram.gb_per_s: [1, 10]
    hw.buffers.weight_kib: [32, 128]
)");
}

TEST_CASE("Pruning leaves the Pareto front as it is where accuracy is an objective", "[long]") {
    check_front(prelude::testing::tiny_model() + R"(data: {kind: scene, num_images: 1, prompts_per_image: 1, prompts: [box]}
hw: {clock_mhz: 150, pe: {rows: 8, cols: 8, depth: 8}}
sweep:
  objectives: {max: [sqnr_db], min: [latency_ms, dsp]}
  axes:
    "quant.weight_bits,quant.activation_bits": [[4, 4], [8, 8]]
    hw.pe.rows: [4, 8]
    hw.dram.gb_per_s: [1, 10]
)");
}

TEST_CASE("A shard does not prune") {
    const prelude::testing::TemporaryFolder folder;
    prelude::testing::write_file(folder / "sweep.yaml", "model: {preset: sam_nano, checkpoint: none}\nsweep: {prune: true, axes: {hw.pe.rows: [4, 8]}}\n");
    const auto ended = prelude::testing::run({EXPLORE, "--config", (folder / "sweep.yaml").string(), "--out", (folder / "out").string(), "--shard", "1/2"});
    CHECK(ended.code == 3);
    CHECK_THAT(ended.err, Contains("--shard: with sweep.prune"));
}
