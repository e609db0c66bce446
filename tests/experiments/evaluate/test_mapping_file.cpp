// SPDX-License-Identifier: Apache-2.0
// hw.mapping: a file of mappings, from `explore inspect` back into a sweep.
#include <catch2/catch.hpp>

#include "experiments/config/mapping_file.hpp"
#include "experiments/evaluate/hardware.hpp"
#include "experiments/evaluate/tasks.hpp"
#include "experiments/sweep/grid.hpp"
#include "tests/paths.hpp"
#include "tests/support/program.hpp"

using namespace prelude;
using namespace prelude::experiments;
using Catch::Contains;

namespace {

const std::string kDesign = "model: {preset: sam_nano, checkpoint: none}\nhw: {clock_mhz: 150, pe: {rows: 8, cols: 8, depth: 8}}\n";

nlohmann::json timing_of(const std::string& text, const std::vector<std::string>& sets = {}) {
    const auto configuration = read_configuration_text(text, "f.yaml", sets, PRELUDE_SOURCE_DIR "/arch_configs");
    const auto settings = Grid(configuration).at(0).settings;
    return simulate_timing(resolve_design(settings, configuration.costs.at("default")), settings.workload);
}

std::string timing_key(const std::string& text, const std::vector<std::string>& sets) {
    const auto configuration = read_configuration_text(text, "f.yaml", sets, PRELUDE_SOURCE_DIR "/arch_configs");
    return tasks_of(Grid(configuration), 0).back().key;
}

}  // namespace

TEST_CASE("explore inspect writes all mappings of a design, and the design pinned to them takes the same cycles") {
    const prelude::testing::TemporaryFolder folder;
    const auto config = (folder / "f.yaml").string(), mapping = (folder / "mapping.yaml").string();
    prelude::testing::write_file(config, kDesign);
    const auto inspected = prelude::testing::run({EXPLORE, "inspect", "--config", config, "--mapping-out", mapping});
    INFO(inspected.err);
    REQUIRE(inspected.code == 0);
    CHECK_THAT(inspected.out, Contains("rows: ") && Contains("queries: "));
    const auto chosen = timing_of(kDesign), replayed = timing_of(kDesign, {"hw.mapping=" + mapping, "hw.mapping_candidates=1"});
    REQUIRE(replayed.at("infeasible") == "");
    REQUIRE(replayed.at("segments").size() == chosen.at("segments").size());
    CHECK(replayed.at("warnings").empty());
    for (std::size_t i = 0; i < chosen.at("segments").size(); ++i) {
        const auto &a = chosen.at("segments")[i], &b = replayed.at("segments")[i];
        INFO(a.at("name"));
        CHECK(a.at("cycles") == b.at("cycles"));
        CHECK(a.at("mapping") == b.at("mapping"));
    }
}

TEST_CASE("The identity of a simulation holds what the mapping file says, not where it is") {
    const prelude::testing::TemporaryFolder folder;
    const auto a = (folder / "a.yaml").string(), b = (folder / "b.yaml").string();
    prelude::testing::write_file(a, "mappings: [{segment: encoder.block0.norm1, rows: 4}]\n");
    prelude::testing::write_file(b, "mappings: [{segment: encoder.block0.norm1, rows: 4}]\n");
    const auto automatic = timing_key(kDesign, {}), first = timing_key(kDesign, {"hw.mapping=" + a});
    CHECK(first != automatic);
    CHECK(timing_key(kDesign, {"hw.mapping=" + b}) == first);
    prelude::testing::write_file(folder / "c.yaml", "mappings: [{segment: encoder.block0.norm1, rows: 5}]\n");
    CHECK(timing_key(kDesign, {"hw.mapping=" + (folder / "c.yaml").string()}) != first);
}

TEST_CASE("A pin that only some designs of a sweep can use makes the others infeasible, and one that some lack a warning") {
    const prelude::testing::TemporaryFolder folder;
    const auto mapping = (folder / "m.yaml").string();
    prelude::testing::write_file(mapping, "mappings:\n  - {segment: encoder.block0.lin1, rows: 32, cols: 64, depth: 64}\n  - {segment: encoder.block0.softmax, rows: 1}\n");
    const std::string text = kDesign + "sweep: {axes: {hw.buffers.partial_sum_kib: [256, 8], hw.attention: [fused_row, unfused]}}\n";
    const auto configuration = read_configuration_text(text, "f.yaml", {"hw.mapping=" + mapping}, PRELUDE_SOURCE_DIR "/arch_configs");
    const Grid grid(configuration);
    REQUIRE(grid.size() == 4);
    const auto timing = [&](std::int64_t i) {
        const auto settings = grid.at(i).settings;
        return simulate_timing(resolve_design(settings, configuration.costs.at("default")), settings.workload);
    };
    const auto fused = timing(0), unfused = timing(1), small = timing(2);
    CHECK(fused.at("infeasible") == "");
    CHECK(fused.at("warnings") == nlohmann::json::array({"hw.mapping: this design has no segment encoder.block0.softmax"}));
    CHECK(unfused.at("warnings").empty());
    CHECK_THAT(small.at("infeasible").get<std::string>(), Contains("encoder.block0.lin1: hw.mapping: the partial_sum buffer overflows by "));
}
