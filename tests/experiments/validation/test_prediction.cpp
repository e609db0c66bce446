// SPDX-License-Identifier: Apache-2.0
#include "experiments/validation/prediction.hpp"

#include "tests/paths.hpp"
#include "tests/support/program.hpp"

#include <catch2/catch.hpp>

#include <filesystem>

using namespace prelude::experiments;
namespace fs = std::filesystem;

namespace {

const fs::path kArchConfigs = PRELUDE_SOURCE_DIR "/arch_configs";

using prelude::testing::TemporaryFolder;

void write(const TemporaryFolder& folder, const std::string& file, const std::string& text) { prelude::testing::write_file(folder / file, text); }

std::string matmul() { return "model: {kind: layers, path: " + (kArchConfigs / "workloads/matmul_128.yaml").string() + "}\n"; }

void write_folder(const TemporaryFolder& folder) {
    write(folder, "a.yaml", matmul() + "hw: {pe: {rows: 4}}\n");
    write(folder, "designs.yaml", "designs:\n  - {name: one, runs: [a], figure: cycles}\n  - {name: twice, runs: [a, a], figure: cycles, copies: 3}\n");
    write(folder, "assumptions.yaml",
          "assumptions:\n  hw.pe.rows: {slow: 1, default: 16, fast: 32}\n  hw.axi.ports: {slow: 1, default: 4, fast: 8}\n"
          "  hw.double_buffer: {slow: false, default: true, fast: true}\n");
}

/// Cycles are 1000 / ports, and 10 more without double buffering; four rows are needed.
TaskSet linear_evaluation(int& runs) {
    return {.tasks_of = [](const Grid&, std::int64_t index) { return std::vector<Task>{{.kind = TaskKind::timing, .key = std::to_string(index), .combination = index, .needs = {}}}; },
            .run_task =
                [&runs](const Task& task, const Grid& grid, const fs::path&, const prelude::models::ReportProgress&) {
                    ++runs;
                    const auto& hw = grid.combination(task.combination).settings.hw;
                    CHECK(hw.pe.rows == 4);
                    CHECK(hw.device.max_utilization_lut == 1.0);  // it was built
                    CHECK(hw.device.fmax_mhz.value > 1000);
                    return nlohmann::json{{"cycles", 1000 / hw.axi.ports + (hw.double_buffer ? 0 : 10)}, {"fits", hw.axi.ports <= 8}};
                },
            .make_row =
                [](const Grid&, std::int64_t index, const TaskResults& results) {
                    const auto& value = results.at(std::to_string(index)).value;
                    Row row{.point = index, .cells = {}, .layers = {}};
                    row.cells["status"] = value.at("fits").get<bool>() ? "ok" : "infeasible";
                    row.cells["reason"] = value.at("fits").get<bool>() ? "" : "no weights: accuracy cells are empty; too many ports";
                    row.cells["cycles"] = std::to_string(value.at("cycles").get<int>());
                    return row;
                },
            .layer_columns = {}};
}

Protocol read(const fs::path& folder) {
    Problems problems;
    auto protocol = read_protocol(folder, problems);
    INFO(problems.text());
    CHECK(problems.empty());
    return protocol;
}

/// Of the folder's first design.
Prediction prediction_of(const TemporaryFolder& folder) {
    const auto protocol = read(folder.path());
    int runs = 0;
    const auto task_set = linear_evaluation(runs);
    return Predictor(protocol, folder.path(), kArchConfigs, task_set).of(protocol.designs[0]);
}

}  // namespace

TEST_CASE("A prediction is the default and the range of what the design leaves open, and stated keys stay") {
    const TemporaryFolder folder;
    write_folder(folder);
    const auto protocol = read(folder.path());
    int runs = 0;
    const auto task_set = linear_evaluation(runs);
    Predictor predictor(protocol, folder.path(), kArchConfigs, task_set);
    const auto one = predictor.of(protocol.designs[0]);
    CHECK(one.standard == 250);
    CHECK(one.low == 125);
    CHECK(one.high == 1010);
    CHECK(one.assumed == std::set<std::string>{"hw.axi.ports", "hw.double_buffer"});
    CHECK(one.decisive == "hw.axi.ports +300 %");
    CHECK(one.num_points == 6);  // default, slow, fast; ports at both ends, double buffering at its other
    CHECK(runs == 6);
    const auto twice = predictor.of(protocol.designs[1]);
    CHECK(twice.standard == 2 * 3 * 250);
    CHECK(twice.high == 2 * 3 * 1010);
    CHECK(runs == 6);  // the same configuration is run once
}

TEST_CASE("An end that does not fit is left out with its reason") {
    const TemporaryFolder folder;
    write_folder(folder);
    write(folder, "assumptions.yaml", "assumptions:\n  hw.axi.ports: {slow: 2, default: 4, fast: 9}\n");
    const auto prediction = prediction_of(folder);
    CHECK(prediction.low == 250);
    CHECK(prediction.high == 500);
    CHECK(prediction.left_out == std::vector<std::string>{"a, fast: too many ports", "a, hw.axi.ports: too many ports"});
}

TEST_CASE("Alternatives of a design widen its range, the first is its default") {
    const TemporaryFolder folder;
    write_folder(folder);
    write(folder, "a.yaml", matmul() + "hw: {pe: {rows: 4}}\nsweep: {axes: {hw.axi.ports: [2, 5, 8]}}\n");
    const auto prediction = prediction_of(folder);
    CHECK(prediction.standard == 500);
    CHECK(prediction.low == 125);
    CHECK(prediction.high == 510);
    CHECK(prediction.assumed == std::set<std::string>{"hw.double_buffer"});
}

TEST_CASE("The table has the deviation of the default and whether the figure is inside") {
    PublishedDesign design{.name = "one", .runs = {}, .figure = "cycles", .unit = "cycles"};
    prelude::sim::Figure inside{.value = 300, .unit = "cycles", .source = ""}, outside{.value = 2000, .unit = "cycles", .source = ""};
    Prediction prediction{.low = 100, .standard = 330, .high = 1000, .assumed = {"hw.axi.ports"}, .decisive = "", .left_out = {}};
    const std::vector<ValidationRow> rows{{&design, prediction, &inside}, {&design, prediction, &outside}, {&design, prediction, nullptr}};
    const auto text = print_validation(rows, ValidationForm::markdown);
    CHECK(text.find("+10.0 % | yes") != std::string::npos);
    CHECK(text.find("-83.5 % | no") != std::string::npos);
    CHECK(print_validation(rows, ValidationForm::csv).starts_with("design,figure,unit,min,default,max,points,"));
}

TEST_CASE("Everything wrong with a folder is found at once") {
    const TemporaryFolder folder;
    write_folder(folder);
    write(folder, "designs.yaml", "designs:\n  - {name: one, runs: [a, b, ../a], figure: cycles}\n  - {name: one, runs: [], figure: reason, copies: 0}\n  - 3\n");
    write(folder, "assumptions.yaml", "assumptions:\n  hw.axi.prots: {slow: 1, default: 4, fast: 8}\n  hw.axi.ports: {slow: 0, default: 3}\n  sweep.seed: {slow: 1, default: 1, fast: 1}\n");
    write(folder, "published.yaml", "published:\n  one: {value: 3, unit: ms, status: published, source: x}\n  two: {value: 3}\n");
    Problems problems;
    (void)read_protocol(folder.path(), problems);
    const auto text = problems.text();
    for (const auto* part : {"designs.runs: no file b.yaml beside it", "designs.runs: got ../a", "designs: one stands twice", "designs.runs: got a list", "designs.figure: got reason",
                             "designs.copies: got 0", "designs: got 3", "Did you mean 'ports'?", "hw.axi.ports.slow: got 0", "hw.axi.ports.fast: missing",
                             "not a key that a design may leave open", "published.one.unit: got ms", "published.two: unknown key"}) {
        INFO(text);
        CHECK(text.find(part) != std::string::npos);
    }
}

TEST_CASE("The shipped folder is complete, and its defaults are those of the keys") {
    const auto protocol = read(kArchConfigs / "validation");
    CHECK(protocol.designs.size() == protocol.published.size());
    for (const auto& assumption : protocol.assumptions) {
        INFO(assumption.key->path);
        CHECK(assumption.key->domain.print(assumption.standard) == assumption.key->print(Settings{}));
    }
    std::set<std::string> runs;
    for (const auto& design : protocol.designs) runs.insert(design.runs.begin(), design.runs.end());
    for (const auto& run : runs) {
        INFO(run);
        const auto configuration = read_configuration(kArchConfigs / "validation" / (run + ".yaml"), {}, kArchConfigs);
        CHECK(configuration.base.model.kind == ModelKind::layers);
        CHECK(configuration.warnings.empty());
    }
}

TEST_CASE("explore validate predicts a folder end to end") {
    const TemporaryFolder folder;
    write_folder(folder);
    write(folder, "published.yaml", "published:\n  one: {value: 20000, unit: cycles, status: published, source: x}\n");
    const auto ended = prelude::testing::run({EXPLORE, "validate", folder.path().string()});
    INFO(ended.out << ended.err);
    CHECK(ended.code == 0);
    CHECK(ended.out.find("2e+04") != std::string::npos);  // what was published
    CHECK(ended.out.find(" %") != std::string::npos);
    CHECK(prelude::testing::run({EXPLORE, "validate", (folder / "nowhere").string()}).code == 3);
}
