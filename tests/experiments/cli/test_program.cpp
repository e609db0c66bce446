// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "tests/support/program.hpp"
#include "tests/paths.hpp"

using namespace prelude::testing;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

const std::string kQuickstart = PRELUDE_SOURCE_DIR "/arch_configs/quickstart.yaml";

Ended explore(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), FAKE_EXPLORE);
    return run(arguments);
}

}  // namespace

TEST_CASE("Wrong arguments are usage errors with exit code 2") {
    const std::vector<std::vector<std::string>> wrong{
        {},
        {"--unknown"},
        {"--config"},
        {"--jobs", "2"},
        {"--config", kQuickstart, "--jobs", "0"},
        {"--config", kQuickstart, "--jobs", "many"},
        {"--config", kQuickstart, "--shard", "3/2"},
        {"--config", kQuickstart, "--strict=speed"},
        {"--config", kQuickstart, "surplus"},
        {"run", "--config", kQuickstart, "--image", "a.png"},
        {"run", "--config", kQuickstart, "--image", "a.png", "--box", "1,2,3"},
        {"run", "--config", kQuickstart, "--image", "a.png", "--point", "1,x"},
        {"inspect"},
        {"diff", "out"},
        {"diff", "out", "a", "b"},
        {"explain"},
        {"report"},
        {"compare", "out"},
        {"compare", "--by", "quant.groups"},
        {"table", "out", "--rows", "quant.groups"},
    };
    for (const auto& arguments : wrong) {
        std::string text;
        for (const auto& argument : arguments) text += argument + " ";
        CAPTURE(text);
        const auto ended = explore(arguments);
        CHECK(ended.code == 2);
        CHECK_FALSE(ended.err.empty());
        CHECK(ended.out.empty());
    }
}

TEST_CASE("Help names every command, the exit codes and where keys are explained") {
    const auto help = explore({"--help"});
    CHECK(help.code == 0);
    for (const auto* word : {"run", "inspect", "diff", "compare", "table", "validate", "export", "verify", "calibrate-costs", "read-report", "report", "explain",
                             "--dry-run", "--shard", "--strict", "explore explain KEY", "130"})
        CHECK_THAT(help.out, Contains(word));
    CHECK(explore({"run", "--help"}).code == 0);
    CHECK_THAT(explore({"--version"}).out, Contains("explore "));
}

TEST_CASE("explain knows keys, sections and columns, and what was probably meant") {
    CHECK_THAT(explore({"explain", "quant.groups"}).out, Contains("default") && Contains("allowed"));
    CHECK_THAT(explore({"explain", "quant.softmax"}).out, Contains("quant.softmax.log_base"));
    CHECK_THAT(explore({"explain", "latency_ms"}).out, Contains("column of results.csv, in ms"));
    const auto unknown = explore({"explain", "quant.softmax.log_bsae"});
    CHECK(unknown.code == 3);
    CHECK_THAT(unknown.err, Contains("Did you mean 'log_base'?"));
}

TEST_CASE("A rejected configuration is exit code 3 with its text, and nothing is written") {
    const TemporaryFolder folder;
    write_file(folder / "bad.yaml", "quant: {weight_bits: 9}\n");
    const auto ended = explore({"--config", (folder / "bad.yaml").string(), "--out", (folder / "out").string()});
    CHECK(ended.code == 3);
    CHECK_THAT(ended.err, Contains("bad.yaml:1:22: quant.weight_bits: got 9") && Contains("nothing was run"));
    CHECK_FALSE(fs::exists(folder / "out"));
    CHECK(explore({"--config", (folder / "missing.yaml").string()}).code == 3);
    CHECK(explore({"report", (folder / "missing").string()}).code == 3);
    CHECK(explore({"report", folder.path().string()}).code == 3);
    CHECK(explore({"diff", folder.path().string(), "0", "1"}).code == 3);
}

TEST_CASE("A dry run prints points and distinct tasks and writes nothing") {
    const TemporaryFolder folder;
    const auto ended =
        explore({"--config", kQuickstart, "--set", "model.checkpoint=none", "--out", (folder / "out").string(), "--dry-run"});
    INFO(ended.err);
    CHECK(ended.code == 0);
    CHECK_THAT(ended.out, Contains("36 points") && Contains("35  quant.weight_bits=4  quant.activation_bits=8  quant.groups=0") &&
                              Contains("reference        1   used by 36 points"));
    CHECK_FALSE(fs::exists(folder / "out"));
    const auto samples = explore({"--config", kQuickstart, "--set", "model.checkpoint=none", "--set", "sweep.samples=4", "--dry-run"});
    CHECK_THAT(samples.out, Catch::StartsWith("36 points"));
    CHECK_THAT(samples.err, Contains("sweep.samples has no effect here; it is effective only while sweep.strategy is random"));
    const auto shard = explore({"--config", kQuickstart, "--set", "model.checkpoint=none", "--shard", "2/4", "--dry-run"});
    CHECK_THAT(shard.out, Contains("9 points of 36 (shard 2/4)"));
}

TEST_CASE("A trace of several points is refused") {
    const auto ended = explore({"--config", kQuickstart, "--set", "model.checkpoint=none", "--trace", "trace.txt"});
    CHECK(ended.code == 3);
    CHECK_THAT(ended.err, Contains("a trace is of one design point, this sweep has 36"));
}

TEST_CASE("A trace into a folder that is not there is refused before anything runs") {
    const auto ended = explore({"--config", kQuickstart, "--set", "model.checkpoint=none", "--trace", "no_such_folder/trace.json"});
    CHECK(ended.code == 3);
    CHECK_THAT(ended.err, Contains("there is no folder") && Contains("no_such_folder"));
}

TEST_CASE("diff shows keys, results and the layers that make the difference") {
    const TemporaryFolder folder;
    const auto out = (folder / "out").string();
    REQUIRE(explore({"--config", kQuickstart, "--set", "model.checkpoint=none", "--out", out, "--quiet"}).code == 0);
    const auto ended = explore({"diff", out, "0", "18"});
    CHECK(ended.code == 0);
    CHECK_THAT(ended.out, Contains("quant.weight_bits") && Contains("latency_ms") && Contains("x1.88") && Contains("encoder.block0.lin1") &&
                              Contains("All layers together: +"));
    CHECK_THAT(ended.out, !Contains("quant.groups"));
    CHECK_THAT(explore({"diff", out, "3", "3"}).out,
               Contains("No swept key differs.") && Contains("No result differs.") && Contains("Every layer takes the same cycles."));
    const auto unknown = explore({"diff", out, "0", "36"});
    CHECK(unknown.code == 3);
    CHECK_THAT(unknown.err, Contains("has no point 36"));
}

TEST_CASE("A sweep compares and tabulates what it is asked to, in its output, its folder and its report, and so do the commands") {
    const TemporaryFolder folder;
    const auto out = (folder / "out").string();
    const std::vector<std::string> sweep{"--config", kQuickstart, "--set", "model.checkpoint=none", "--out", out, "--quiet"};
    auto asked = sweep;
    asked.insert(asked.end(), {"--set", "sweep.compare=quant.groups", "--set", "sweep.table.rows=quant.groups", "--set", "sweep.table.columns=quant.weight_bits,quant.activation_bits"});
    const auto ended = explore(asked);
    INFO(ended.out << ended.err);
    CHECK(ended.code == 0);
    CHECK_THAT(ended.out, Contains("Compared along quant.groups") && Contains("groups \\ weight_bits,activation_bits") && Contains("weight_bits 4, activation_bits 4, log_base 2"));
    CHECK_THAT(read_file(fs::path(out) / "comparison.csv"), Contains("better") && Contains("point_a,point_b,quant.weight_bits"));
    CHECK_THAT(read_file(fs::path(out) / "report.html"), Contains("\"comparison\":{\"by\":\"quant.groups\""));
    CHECK_THAT(explore({"report", out}).out, Contains("Compared along quant.groups"));

    const auto compared = explore({"compare", out, "--by", "quant.softmax.log_base", "--reference", "sqrt2"});
    CHECK(compared.code == 0);
    CHECK_THAT(compared.out, Contains("undecided") && Contains("64 prompts on 16 images"));
    const auto csv = explore({"compare", out, "--by", "quant.groups", "--csv"});
    CHECK(csv.out == read_file(fs::path(out) / "comparison.csv"));
    CHECK_THAT(explore({"table", out, "--rows", "quant.groups", "--columns", "quant.softmax.log_base", "--cell", "latency_ms", "--markdown"}).out, Contains("| groups"));

    for (const auto& [arguments, message] : std::vector<std::pair<std::vector<std::string>, std::string>>{
             {{"compare", out, "--by", "quant.gruops"}, "Did you mean 'groups'?"},
             {{"compare", out, "--by", "hw.device"}, "hw.device: not swept\n    allowed   swept keys, joined by commas: quant.weight_bits"},
             {{"compare", out, "--by", "quant.groups", "--reference", "7"}, "no point has the value 7"},
             {{"table", out, "--rows", "quant.groups", "--columns", "quant.softmax.log_base", "--cell", "mio"}, "Did you mean 'miou'?"},
             {{"compare", folder.path().string(), "--by", "quant.groups"}, "no such store"}}) {
        const auto refused = explore(arguments);
        CHECK(refused.code == 3);
        CHECK_THAT(refused.err, Contains(message));
        CHECK(refused.out.empty());
    }
    const auto shapes = (folder / "shapes").string();
    auto without = sweep;
    without[5] = shapes;
    (void)run([&] { auto arguments = without; arguments.insert(arguments.begin(), FAKE_EXPLORE); return arguments; }(), {"PRELUDE_FAKE_SHAPES_ONLY=1"});
    const auto lacking = explore({"compare", shapes, "--by", "quant.groups"});
    CHECK(lacking.code == 3);
    CHECK_THAT(lacking.err, Contains("no accuracy of point 0 (ok)") && Contains("allowed   points with accuracy"));
}
