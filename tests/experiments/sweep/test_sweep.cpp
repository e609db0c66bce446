// SPDX-License-Identifier: Apache-2.0
// Whole sweeps with the fake evaluation, run, killed, interrupted and resumed as programs.
#include <signal.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <sstream>

#include "experiments/columns.hpp"
#include "experiments/store/database.hpp"
#include "tests/support/program.hpp"
#include "tests/paths.hpp"

using namespace prelude::testing;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

constexpr const char* kConfiguration = R"(model: {preset: sam_nano, checkpoint: none}
hw: {device: kv260}
sweep:
  constraints: [fits]
  axes:
    "quant.weight_bits,quant.activation_bits": [[4, 4], [6, 6], [8, 8], [4, 8]]
    quant.groups: [1, 4, 0]
)";

struct Workplace {
    TemporaryFolder folder;
    std::string config = (folder / "sweep.yaml").string();
    Workplace() { write_file(config, kConfiguration); }

    [[nodiscard]] fs::path out(const std::string& name) const { return folder / name; }
    [[nodiscard]] std::vector<std::string> command(const std::string& name, std::vector<std::string> more = {}) const {
        std::vector<std::string> arguments{FAKE_EXPLORE, "--config", config, "--out", out(name).string()};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return arguments;
    }
    [[nodiscard]] std::string file(const std::string& name, const std::string& of) const { return read_file(out(name) / of); }
};

std::size_t count_lines(const std::string& text) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

const std::vector<std::string> kResultFiles = {"results.csv", "layers.csv", "pareto.csv", "config.resolved.yaml", "report.html"};

}  // namespace

TEST_CASE("A sweep writes the files of the contract, ends with a table and 0") {
    const Workplace place;
    const auto ended = run(place.command("a"));
    INFO(ended.err);
    REQUIRE(ended.code == 0);
    CHECK_THAT(ended.out,
               Contains("12 points: 12 ok; 12 satisfy fits") && Contains("Pareto front") && Contains("weight_bits") && Contains("miou"));
    for (const auto* name : {"results.db", "results.csv", "layers.csv", "pareto.csv", "config.resolved.yaml", "report.html", "run.json"})
        CHECK(fs::file_size(place.out("a") / name) > 0);

    const auto csv = place.file("a", "results.csv");
    CHECK(count_lines(csv) == 13);
    CHECK_THAT(csv, Catch::StartsWith("point,status,reason,quant.weight_bits,quant.activation_bits,quant.groups,miou,"));
    CHECK(csv.find("\r\n0,ok,,4,4,1,") != std::string::npos);
    CHECK(csv.find("\r\n11,ok,,4,8,0,") != std::string::npos);
    CHECK_THAT(csv, Contains("\"narrow codes <4 & 4>, \"\"check\"\" the masks\""));
    const auto layers = place.file("a", "layers.csv");
    CHECK(count_lines(layers) == 1 + 12 * 42);
    CHECK_THAT(layers, Catch::StartsWith("point,layer,M,K,N,tile,cycles,bound,"));
    CHECK_THAT(place.file("a", "run.json"),
               Contains("\"wall_s\"") && Contains("\"instruction_set\"") && Contains("\"data.seed\": \"1\"") && Contains("\"points\": 12"));
    CHECK(csv.find("wall") == std::string::npos);
}

TEST_CASE("The record of a run names the release of everything that results depend on") {
    const Workplace place;
    REQUIRE(run(place.command("a")).code == 0);
    const auto versions = nlohmann::json::parse(place.file("a", "run.json")).at("versions");
    for (const auto* name : {"prelude", "systemc", "onednn", "eigen", "boost", "yaml_cpp", "sqlite", "fmt"}) {
        INFO(name << " " << versions);
        REQUIRE(versions.contains(name));
        CHECK_THAT(versions.at(name).get<std::string>(), Catch::Matches("[0-9]+\\.[0-9]+.*"));
    }
}

TEST_CASE("Nothing is computed twice: equal parts of points, and all of it on the next run") {
    const Workplace place;
    const auto log = (place.folder / "log").string();
    REQUIRE(run(place.command("a"), {"PRELUDE_FAKE_LOG=" + log}).code == 0);
    CHECK(count_lines(read_file(log)) == 1 + 1 + 3 * 12);  // one reference, one calibration, all else depends on the swept keys
    const auto first = place.file("a", "results.csv");
    REQUIRE(run(place.command("a"), {"PRELUDE_FAKE_LOG=" + log}).code == 0);
    CHECK(count_lines(read_file(log)) == 38);
    CHECK(place.file("a", "results.csv") == first);
    // A hardware key leaves accuracy alone.
    REQUIRE(run(place.command("a", {"--set", "hw.double_buffer=false"}), {"PRELUDE_FAKE_LOG=" + log}).code == 0);
    CHECK(count_lines(read_file(log)) == 38 + 12);
    // A smaller sweep has its own rows.
    REQUIRE(run(place.command("a", {"--set", "quant.groups=1"}), {"PRELUDE_FAKE_LOG=" + log}).code == 0);
    CHECK(count_lines(place.file("a", "results.csv")) == 5);
    CHECK(count_lines(read_file(log)) == 50);
    REQUIRE(run(place.command("a", {"--fresh"}), {"PRELUDE_FAKE_LOG=" + log}).code == 0);
    CHECK(count_lines(read_file(log)) == 88);
    CHECK(place.file("a", "results.csv") == first);
}

TEST_CASE("The files do not depend on the number of jobs nor on shards, byte for byte") {
    const Workplace place;
    REQUIRE(run(place.command("one", {"--jobs", "1"})).code == 0);
    REQUIRE(run(place.command("two", {"--jobs", "2"})).code == 0);
    REQUIRE(run(place.command("five", {"--jobs", "5"})).code == 0);
    REQUIRE(run(place.command("shards", {"--shard", "2/2"})).code == 0);
    CHECK(fs::exists(place.out("shards") / "results.2-of-2.db"));
    CHECK_FALSE(fs::exists(place.out("shards") / "results.db"));
    CHECK_FALSE(fs::exists(place.out("shards") / "results.csv"));
    CHECK_FALSE(fs::exists(place.out("shards") / "report.html"));

    const std::vector<std::string> report{FAKE_EXPLORE, "report", place.out("shards").string()};
    const auto missing = run(report);
    CHECK(missing.code == 3);
    CHECK_THAT(missing.err, Contains("results.1-of-2.db"));
    CHECK_FALSE(fs::exists(place.out("shards") / "results.db"));

    REQUIRE(run(place.command("shards", {"--shard", "1/2"})).code == 0);
    for (int again = 0; again < 2; ++again) {
        const auto merged = run(report);
        INFO(merged.err);
        REQUIRE(merged.code == 0);
        for (const auto& name : kResultFiles) {
            CAPTURE(name);
            CHECK(place.file("one", name) == place.file("two", name));
            CHECK(place.file("one", name) == place.file("five", name));
            CHECK(place.file("one", name) == place.file("shards", name));
        }
    }
}

TEST_CASE("A merged sweep shows the masks that its shards kept") {
    const Workplace place;
    REQUIRE(run(place.command("a", {"--shard", "1/2"})).code == 0);
    REQUIRE(run(place.command("a", {"--shard", "2/2"})).code == 0);
    REQUIRE(run({FAKE_EXPLORE, "report", place.out("a").string()}).code == 0);
    CHECK_THAT(place.file("a", "report.html"), Contains("\"masks\":{\"points\":[") && Contains("\"name\":\"grey \\u003c60"));
}

TEST_CASE("A random sweep has its samples as rows, numbered as in the grid, and constraints judge them") {
    const Workplace place;
    const std::vector<std::string> random{"--set", "sweep.strategy=random", "--set", "sweep.samples=5", "--set", "sweep.seed=3"};
    REQUIRE(run(place.command("grid")).code == 0);
    auto constrained = random;
    constrained.insert(constrained.end(), {"--jobs", "3", "--set", "sweep.constraints=[fits, \"power_w < 4\"]"});
    const auto ended = run(place.command("a", constrained));
    INFO(ended.out << ended.err);
    REQUIRE(ended.code == 0);
    CHECK_THAT(ended.out, Contains("5 points: 5 ok; ") && Contains(" satisfy fits and power_w < 4"));
    std::istringstream rows(place.file("a", "results.csv"));
    const auto grid = place.file("grid", "results.csv");
    std::size_t count = 0;
    for (std::string row; std::getline(rows, row); ++count) CHECK(grid.find(row + "\n") != std::string::npos);
    CHECK(count == 6);

    auto impossible = random;
    impossible.insert(impossible.end(), {"--set", "sweep.constraints=[\"power_w < 0\"]"});
    CHECK(run(place.command("b", impossible)).code == 4);
    REQUIRE(run(place.command("c", random)).code == 0);
    for (const auto* shard : {"1/2", "2/2"}) {
        auto part = random;
        part.insert(part.end(), {"--shard", shard});
        REQUIRE(run(place.command("shards", part)).code == 0);
    }
    REQUIRE(run({FAKE_EXPLORE, "report", place.out("shards").string()}).code == 0);
    CHECK(place.file("shards", "results.csv") == place.file("c", "results.csv"));
}

TEST_CASE("Shards of different configurations are not merged") {
    const Workplace place;
    REQUIRE(run(place.command("a", {"--shard", "1/2"})).code == 0);
    REQUIRE(run(place.command("a", {"--shard", "2/2", "--set", "data.seed=2"})).code == 0);
    const auto merged = run({FAKE_EXPLORE, "report", place.out("a").string()});
    CHECK(merged.code == 3);
    CHECK_THAT(merged.err, Contains("results.2-of-2.db: has another resolved configuration"));
}

TEST_CASE("A sweep killed twice in the middle and resumed ends with the files of an undisturbed one") {
    const Workplace place;
    REQUIRE(run(place.command("whole")).code == 0);
    const auto log = (place.folder / "log").string();
    const std::vector<std::string> slow{"PRELUDE_FAKE_SLEEP_MS=60", "PRELUDE_FAKE_LOG=" + log};
    for (const std::size_t lines : {6U, 18U}) {
        Running sweep(place.command("killed", {"--jobs", "2"}), slow);
        REQUIRE(eventually([&] { return count_lines(read_file(log)) >= lines; }));
        sweep.send(SIGKILL);
        CHECK(sweep.wait().signal == SIGKILL);
        // The store is valid at once, although nobody closed it.
        const auto partial = run({FAKE_EXPLORE, "report", place.out("killed").string()});
        CHECK(partial.code == 0);
        CHECK(count_lines(place.file("killed", "results.csv")) == 13);
    }
    REQUIRE(run(place.command("killed", {"--jobs", "2"}), slow).code == 0);
    for (const auto& name : kResultFiles) {
        CAPTURE(name);
        CHECK(place.file("killed", name) == place.file("whole", name));
    }
    const auto started = count_lines(read_file(log));
    CHECK(started >= 38);
    CHECK(started <= 38 + 2 * 4);  // what was under way when it was killed is all that was done again
}

TEST_CASE("A second writer is refused while a sweep runs, a shard beside it is not") {
    const Workplace place;
    const auto log = (place.folder / "log").string();
    Running sweep(place.command("a"), {"PRELUDE_FAKE_SLEEP_MS=150", "PRELUDE_FAKE_LOG=" + log});
    REQUIRE(eventually([&] { return !read_file(log).empty(); }));
    const auto second = run(place.command("a"));
    CHECK(second.code == 3);
    CHECK_THAT(second.err, Contains("another explore is writing here"));
    const auto report = run({FAKE_EXPLORE, "report", place.out("a").string()});
    CHECK(report.code == 3);
    CHECK(run(place.command("a", {"--shard", "1/2"})).code == 0);
    CHECK(sweep.wait().code == 0);
}

TEST_CASE("Ctrl-C ends with 130, a valid store and the report of what is done, the same command resumes") {
    const Workplace place;
    REQUIRE(run(place.command("whole")).code == 0);
    const auto log = (place.folder / "log").string();
    Running sweep(place.command("a", {"--jobs", "2"}), {"PRELUDE_FAKE_SLEEP_MS=60", "PRELUDE_FAKE_LOG=" + log});
    REQUIRE(eventually([&] { return count_lines(read_file(log)) >= 12; }));
    sweep.send(SIGINT);
    const auto ended = sweep.wait();
    CHECK(ended.code == 130);
    CHECK_THAT(ended.err, Contains("interrupted"));
    const auto csv = place.file("a", "results.csv");
    CHECK(count_lines(csv) == 13);
    CHECK_THAT(csv, Contains(",cancelled,not evaluated,4,8,0,"));
    CHECK_THAT(place.file("a", "report.html"), Contains("cancelled"));
    CHECK_THAT(place.file("a", "run.json"), Contains("\"interrupted\": true"));
    REQUIRE(run(place.command("a")).code == 0);
    CHECK(place.file("a", "results.csv") == place.file("whole", "results.csv"));
}

TEST_CASE("A second Ctrl-C does not wait") {
    const Workplace place;
    const auto log = (place.folder / "log").string();
    Running sweep(place.command("a"), {"PRELUDE_FAKE_SLEEP_MS=60000", "PRELUDE_FAKE_LOG=" + log});
    REQUIRE(eventually([&] { return !read_file(log).empty(); }));
    sweep.send(SIGINT);
    sweep.send(SIGINT);
    CHECK(eventually([&] { return !sweep.is_running(); }, 10));
    CHECK(sweep.wait().code == 130);
}

TEST_CASE("A crash costs the points that need it, which say why, every point failed is 5, or 3 for bad input, the next run tries again") {
    const Workplace place;
    const auto crashed = run(place.command("a"), {"PRELUDE_FAKE_CRASH=bit_check"});
    CHECK(crashed.code == 5);
    CHECK_THAT(crashed.err,
               Contains("12 points failed: bit_check: the process crashed with SIGSEGV (invalid memory access): about to crash"));
    CHECK_THAT(place.file("a", "results.csv"), Contains(",failed,bit_check: the process crashed"));
    const auto refused = run(place.command("a"), {"PRELUDE_FAKE_REFUSE=bit_check"});
    CHECK(refused.code == 3);
    CHECK_THAT(refused.err, Contains("the fake refuses, as asked"));
    CHECK(run(place.command("a")).code == 0);
}

TEST_CASE("What needs a failed task fails with its reason") {
    const Workplace place;
    const auto ended = run(place.command("a"), {"PRELUDE_FAKE_CRASH=ranges"});
    CHECK(ended.code == 5);
    CHECK_THAT(ended.err, Contains("12 points failed: ranges: the process crashed"));
}

TEST_CASE("A bit check that differs is a failed point and exit code 1") {
    const Workplace place;
    const auto ended = run(place.command("a"), {"PRELUDE_FAKE_MISMATCH=1"});
    CHECK(ended.code == 1);
    CHECK_THAT(place.file("a", "results.csv"), Contains(",failed,\"the datapath differs from the engine, \"\"first\"\" word 17\""));
    CHECK_THAT(ended.out, Contains("6 ok, 6 failed"));
}

TEST_CASE("No feasible point is 4, and the rows remain") {
    const Workplace place;
    const auto ended = run(place.command("a"), {"PRELUDE_FAKE_NOTHING_FITS=1"});
    CHECK(ended.code == 4);
    CHECK(count_lines(place.file("a", "results.csv")) == 13);
    CHECK(count_lines(place.file("a", "pareto.csv")) == 1);
    CHECK(run(place.command("b", {"--shard", "1/2"}), {"PRELUDE_FAKE_NOTHING_FITS=1"}).code == 0);  // a part cannot know
}

TEST_CASE("Rows without an objective are left out of the front and counted") {
    const Workplace place;
    const auto ended = run(place.command("a", {"--set", "sweep.objectives.max=[miou]"}), {"PRELUDE_FAKE_SHAPES_ONLY=1"});
    CHECK(ended.code == 0);
    CHECK_THAT(ended.out, Contains("12 left out for lack of miou"));
    CHECK(count_lines(place.file("a", "pareto.csv")) == 1);
}

TEST_CASE("Option --strict refuses assumed figures, names the columns and writes no results") {
    const Workplace place;
    const std::vector<std::string> assumed{"PRELUDE_FAKE_STATUS=assumed"};
    const auto all = run(place.command("a", {"--strict"}), assumed);
    CHECK(all.code == 3);
    CHECK_THAT(all.err, Contains("latency_status") && Contains("power_status") && Contains("resource_status"));
    CHECK_FALSE(fs::exists(place.out("a") / "results.csv"));
    const auto one = run(place.command("a", {"--strict=power"}), assumed);
    CHECK(one.code == 3);
    CHECK_THAT(one.err, Contains("power_status") && !Contains("latency_status"));
    CHECK(run(place.command("b", {"--strict=power,latency"})).code == 0);
}

TEST_CASE("Shared files that were cut short or removed are computed again, not trusted") {
    const Workplace place;
    const auto log = (place.folder / "log").string();
    REQUIRE(run(place.command("a")).code == 0);
    const auto before = place.file("a", "results.csv");
    std::vector<fs::path> shared;
    for (const auto& entry : fs::directory_iterator(place.out("a") / "cache"))
        if (entry.is_regular_file() && entry.path().extension() != ".samples") shared.push_back(entry.path());
    REQUIRE(shared.size() == 2);
    fs::resize_file(shared[0], 1000);
    fs::remove(shared[1]);
    // Nobody needs them: nothing happens.
    REQUIRE(run(place.command("a"), {"PRELUDE_FAKE_LOG=" + log}).code == 0);
    CHECK(read_file(log).empty());
    // Whoever needs them gets them anew.
    prelude::experiments::Database(place.out("a") / "results.db").execute("DELETE FROM tasks WHERE kind = 'accuracy'");
    const auto again = run(place.command("a"), {"PRELUDE_FAKE_LOG=" + log});
    INFO(again.err);
    REQUIRE(again.code == 0);
    CHECK(count_lines(read_file(log)) == 14);
    CHECK(place.file("a", "results.csv") == before);
}

TEST_CASE("Jobs share the cores: threads of each times jobs is the number of cores, at least one") {
    const Workplace place;
    const auto log = (place.folder / "log").string();
    REQUIRE(run(place.command("a", {"--jobs", "64"}), {"PRELUDE_FAKE_LOG=" + log}).code == 0);
    std::istringstream lines(read_file(log));
    std::string kind, key;
    int threads = 0, num_lines = 0;
    for (; lines >> kind >> key >> threads; ++num_lines) CHECK(threads == 1);
    CHECK(num_lines == 38);
}
