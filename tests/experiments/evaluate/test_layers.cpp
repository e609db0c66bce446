// SPDX-License-Identifier: Apache-2.0
// Networks other than SAM go through everything a SAM goes through.
#include "experiments/commands/inspect.hpp"
#include "experiments/evaluate/design_point.hpp"
#include "experiments/evaluate/tasks.hpp"
#include "tests/paths.hpp"
#include "tests/support/program.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>

using namespace prelude;
using namespace prelude::experiments;
namespace fs = std::filesystem;

namespace {

fs::path scratch() {
    static const testing::TemporaryFolder folder;
    return folder.path();
}

/// One operator of every kind, sizes that leave remainders everywhere.
std::string every_operator() {
    const auto file = scratch() / "every_operator.yaml";
    std::ofstream(file) << R"(layers:
  - {name: patches, op: conv, channels: 3, height: 15, width: 21, filters: 24, kernel: 3, stride: 3}
  - {name: conv, op: conv, filters: 24, kernel: 3, padding: 1}
  - {name: relu, op: relu}
  - {name: image_sum, op: add, of: patches}
  - {name: image_norm, op: layer_norm}
  - {name: tokens, op: tokens}
  - {name: class_token, op: class_token}
  - {name: position, op: position}
  - name: block
    repeat: 2
    layers:
      - {name: norm1, op: layer_norm}
      - {name: qkv, op: linear, cols: 72}
      - {name: attention, op: attention, heads: 2}
      - {name: proj, op: linear, cols: 24}
      - {name: add1, op: add, of: input}
      - {name: lin1, op: linear, cols: 50}
      - {name: gelu, op: gelu}
      - {name: lin2, op: linear, cols: 24}
      - {name: add2, op: add, of: add1}
  - {name: product, op: matmul, batch: 3, rows: 17, depth: 9, cols: 13}
  - {name: second, op: matmul, of: [product, product], transposed: true}
  - {name: probabilities, op: softmax}
  - {name: third, op: matmul, of: [probabilities, product]}
  - {name: alone_softmax, op: softmax, rows: 5, cols: 7}
  - {name: alone_gelu, op: gelu, rows: 5, cols: 7}
  - {name: alone_add, op: add, rows: 5, cols: 7}
  - {name: alone_norm, op: layer_norm, rows: 5, cols: 7}
)";
    return file.string();
}

Configuration configuration(const std::string& layers, const std::string& rest) {
    return read_configuration_text("model: {kind: layers, path: " + layers + "}\n" + rest, "f", {}, PRELUDE_SOURCE_DIR "/arch_configs");
}

Row row_of(const Configuration& configuration, std::int64_t index = 0) {
    const Grid grid(configuration);
    TaskResults results;
    for (const auto& task : tasks_of(grid, index)) {
        CHECK(task.kind == TaskKind::timing);
        results.emplace(task.key, TaskResult{true, "", run_task(task, grid, scratch())});
    }
    return make_row(grid, index, results);
}

}  // namespace

TEST_CASE("A list of layers has latency, power, resources and rows of layers, and no accuracy") {
    const auto config = configuration(every_operator(), "hw: {pe: {rows: 4, cols: 4, depth: 2}}\n");
    const auto row = row_of(config);
    CHECK(row.cells.at("status") == "ok");
    CHECK(row.cells.at("reason") == "no weights: accuracy cells are empty");
    CHECK_FALSE(row.cells.contains("miou"));
    for (const auto* cell : {"cycles", "latency_ms", "power_w", "lut", "dsp", "dram_mb"}) CHECK(std::stod(row.cells.at(cell)) > 0);

    const Grid grid(config);
    const auto point = resolve_design(grid.at(0).settings, config.costs.at("default"));
    std::int64_t macs = 0;
    for (const auto& node : point.graph.nodes()) macs += models::num_macs(point.graph, node);
    CHECK(row.cells.at("macs") == std::to_string(macs));
    std::int64_t cycles = 0;
    for (const auto& layer : row.layers) cycles += std::stoll(layer.at(10)) * std::stoll(layer.at(9));
    CHECK(row.cells.at("cycles") == std::to_string(cycles));
}

TEST_CASE("Every hardware choice runs every kind of layer") {
    const auto file = every_operator();
    for (const auto* hw : {"{attention: unfused}", "{double_buffer: false}", "{dataflow: weight_stationary}", "{layer_overlap: true, axi: {ports: 1}}", "{weights: resident}"}) {
        INFO(hw);
        CHECK(row_of(configuration(file, std::string("hw: ") + hw + "\n")).cells.at("status") == "ok");
    }
}

TEST_CASE("Widths of layers follow quant.layers by the names of the file") {
    const auto config = configuration(every_operator(), "quant: {weight_bits: 8, activation_bits: 8, layers: [{match: block*.lin1, weight_bits: 4, activation_bits: 6}]}\n");
    const auto point = resolve_design(Grid(config).at(0).settings, config.costs.at("default"));
    CHECK(point.plan.contraction("block1.lin1").right_bits == 4);
    CHECK(point.plan.contraction("block1.lin1").left_bits == 6);
    CHECK(point.plan.contraction("block1.lin2").right_bits == 8);
    CHECK(point.plan.assumed);
}

TEST_CASE("Keys of a SAM do not change the results of a list of layers") {
    const auto file = every_operator();
    const auto key = [&](const std::string& rest) {
        const auto config = configuration(file, rest);
        return tasks_of(Grid(config), 0).at(0).key;
    };
    const auto plain = key("");
    CHECK(key("workload: {parts: decoder, prompts_per_image: 7}\ndata: {num_images: 3}\n") == plain);
    CHECK(key("quant: {weight_bits: 5}\n") != plain);
    CHECK(row_of(configuration(file, "workload: {parts: decoder}\n")).cells.at("cycles") == row_of(configuration(file, "")).cells.at("cycles"));
}

TEST_CASE("What a file of layers holds is part of what a result depends on") {
    const auto file = (scratch() / "changes.yaml").string();
    const auto key = [&](const std::string& cols) {
        std::ofstream(file) << "layers:\n  - {name: fc, op: linear, rows: 4, depth: 8, cols: " << cols << "}\n";
        const auto config = configuration(file, "");
        return tasks_of(Grid(config), 0).at(0).key;
    };
    const auto first = key("8");
    CHECK(key("160") != first);
}

TEST_CASE("Files of layers can be an axis, and inspect prints one") {
    const auto folder = std::string(PRELUDE_SOURCE_DIR "/arch_configs/workloads/");
    const auto config = configuration(folder + "matmul_128.yaml", "sweep: {axes: {model.path: [" + folder + "matmul_128.yaml, " + every_operator() + "]}}\n");
    CHECK(row_of(config, 0).cells.at("macs") == std::to_string(128 * 128 * 128));
    CHECK(row_of(config, 1).cells.at("status") == "ok");
    const auto text = print_description(describe(Grid(config).at(0).settings, config.costs.at("default")), false);
    CHECK(text.find("matmul_128.yaml; weights: none (shapes only)") != std::string::npos);
    CHECK(text.find("product") != std::string::npos);
}
