// SPDX-License-Identifier: Apache-2.0
// The timeline of an inference: valid trace JSON whose slices add up to the counters.
#include <catch2/catch.hpp>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "models/graph/sam.hpp"
#include "sim/trace.hpp"
#include "tests/sim/small_graphs.hpp"

using namespace prelude;
using namespace prelude::sim;
using namespace prelude::sim::testing;

namespace {

constexpr double kClock = 300;

NetworkResult simulated() {
    const auto graph = models::build_sam(small_config(3, {2}));
    Design design;
    design.clock_mhz = kClock;
    design.dram.gb_per_s = 2.0;
    design.pe = {.rows = 8, .cols = 8, .depth = 8};
    design.attention = AttentionFusion::fused_row;
    return simulate(graph, quant::make_plan(graph, {}), design, {.prompts_per_image = 3, .timeline = true});
}

}  // namespace

TEST_CASE("Slices of a trace follow each other in every row and add up to the counters of the units", "[sim]") {
    const auto result = simulated();
    const auto path = std::filesystem::temp_directory_path() / "prelude_test_trace.json";
    write_trace(path, result, kClock);
    const auto trace = nlohmann::json::parse(std::ifstream(path));
    std::filesystem::remove(path);
    CHECK(trace.at("displayTimeUnit") == "ns");

    const auto cycles = [](const nlohmann::json& microseconds) { return std::llround(microseconds.get<double>() * kClock); };
    std::map<int, std::string> rows;
    std::map<std::string, std::map<std::string, Cycle>> sums;
    std::map<std::string, Cycle> ends;
    for (const auto& event : trace.at("traceEvents")) {
        if (event.at("ph") == "M") {
            if (event.at("name") == "thread_name") rows[event.at("tid").get<int>()] = event.at("args").at("name").get<std::string>();
            continue;
        }
        REQUIRE(event.at("ph") == "X");
        const auto& row = rows.at(event.at("tid").get<int>());
        const auto begin = cycles(event.at("ts")), length = cycles(event.at("dur"));
        REQUIRE(begin >= ends[row]);
        ends[row] = begin + length;
        sums[row][event.at("cat").get<std::string>()] += length;
    }
    CHECK(sums.at("segments").at("segment") == result.total.cycles);
    for (std::size_t u = 0; u < kNumUnits; ++u) {
        INFO(kUnitNames[u]);
        const auto& unit = result.total.units[u];
        Cycle stalls = 0;
        for (const auto stall : unit.stall_cycles) stalls += stall;
        CHECK(sums[kUnitNames[u]]["busy"] == unit.busy_cycles);
        CHECK(sums[kUnitNames[u]]["wait"] == stalls);
        CHECK(ends[kUnitNames[u]] <= result.total.cycles);
    }
}
