// SPDX-License-Identifier: Apache-2.0
// The timing task of a design point: its timeline, where one is asked for.
#include <catch2/catch.hpp>

#include <fstream>

#include "experiments/evaluate/tasks.hpp"
#include "tests/paths.hpp"
#include "tests/support/program.hpp"

using namespace prelude;
using namespace prelude::experiments;

TEST_CASE("A timing task leaves a trace of its point where it is told to, and the same result") {
    const testing::TemporaryFolder folder;
    const auto configuration = read_configuration(PRELUDE_SOURCE_DIR "/arch_configs/quickstart.yaml", {"model.checkpoint=none"}, PRELUDE_SOURCE_DIR "/arch_configs");
    const Grid grid(configuration);
    const auto tasks = tasks_of(grid, 0);
    REQUIRE(tasks.size() == 1);
    REQUIRE(tasks.front().kind == TaskKind::timing);
    const auto trace = folder / "trace.json";
    const auto result = run_task(tasks.front(), grid, folder.path(), {}, trace);
    const auto events = nlohmann::json::parse(std::ifstream(trace)).at("traceEvents");
    const auto segments = std::ranges::count_if(events, [](const nlohmann::json& event) { return event.value("cat", "") == "segment"; });
    CHECK(segments == static_cast<std::ptrdiff_t>(result.at("segments").size()));
    CHECK(run_task(tasks.front(), grid, folder.path()) == result);
    CHECK_THROWS(run_task(tasks.front(), grid, folder.path(), {}, folder / "no" / "trace.json"));
}
