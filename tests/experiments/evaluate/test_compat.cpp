// SPDX-License-Identifier: Apache-2.0
// quant.mode compat from the configuration to a row.
#include "experiments/config/canonical.hpp"
#include "experiments/evaluate/tasks.hpp"
#include "experiments/sweep/grid.hpp"
#include "tests/paths.hpp"
#include "tests/support/program.hpp"
#include "tests/support/tiny_configuration.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

using namespace prelude;
using namespace prelude::experiments;

namespace {

Configuration configuration_of(const std::string& quant, const std::string& more = {}) {
    return read_configuration_text(testing::tiny_model() + "data: {kind: scene, num_images: 2, prompts_per_image: 1}\nquant: {weight_bits: 4, activation_bits: 4, calibration: {num_images: 1}, " +
                                       quant + "}\n" + more,
                                   "f.yaml", {}, PRELUDE_SOURCE_DIR "/arch_configs");
}

std::string error_of(const std::string& quant) {
    try {
        (void)configuration_of(quant);
        return "accepted";
    } catch (const ConfigError& error) {
        return error.what();
    }
}

std::string numeric_text_of(const std::string& quant) { return numeric_text(configuration_of(quant).base); }

}  // namespace

TEST_CASE("A compat point has accuracy alone, and its row says why the hardware cells are empty", "[long]") {
    const auto configuration = configuration_of("mode: compat, groups: 4, mlp_hidden_scheme: hluq, hluq: {variant: reference}");
    const Grid grid(configuration);
    const testing::TemporaryFolder folder;
    const auto tasks = tasks_of(grid, 0);
    REQUIRE(tasks.size() == 2);
    CHECK(tasks[0].kind == TaskKind::reference);
    CHECK(tasks[1].kind == TaskKind::accuracy);
    CHECK(tasks[1].needs == std::vector<std::string>{tasks[0].key});
    TaskResults results;
    for (const auto& task : tasks) results[task.key] = {true, {}, run_task(task, grid, folder.path())};
    auto row = make_row(grid, 0, results);
    CHECK(row.cells.at("status") == "ok");
    CHECK(row.cells.at("reason") == "compat: fake quantization in float, accuracy only, hardware cells are empty");
    CHECK(row.cells.at("numeric_hash") == tasks[1].key);
    for (const auto* cell : {"miou", "miou_fp32", "mask_agreement", "sqnr_db", "num_prompts"}) CHECK_FALSE(row.cells.at(cell).empty());
    for (const auto* cell : {"cycles", "latency_ms", "lut", "power_w", "hardware_hash", "overflow_count", "bits_checked"}) CHECK(row.cells[cell].empty());
    CHECK(std::stod(row.cells.at("sqnr_db")) < 30);  // it is quantized
    CHECK(row.layers.empty());
    // A killed sweep resumes with the same numbers.
    CHECK(run_task(tasks[1], grid, folder.path()) == results.at(tasks[1].key).value);
}

TEST_CASE("Both modes share the FP32 reference and nothing else") {
    const auto configuration = configuration_of("groups: 4", "sweep: {axes: {quant.mode: [clean, compat]}}\n");
    const Grid grid(configuration);
    std::set<std::string> clean, compat, both;
    for (const auto& task : tasks_of(grid, 0)) clean.insert(task.key);
    for (const auto& task : tasks_of(grid, 1)) compat.insert(task.key);
    std::ranges::set_intersection(clean, compat, std::inserter(both, both.end()));
    CHECK(both == std::set<std::string>{tasks_of(grid, 0).front().key});
}

TEST_CASE("What belongs to the integer path changes no key of a compat point, what the published code knows does") {
    const auto plain = numeric_text_of("mode: compat, mlp_hidden_scheme: hluq");
    for (const auto* idle : {"residual_bits: 12", "weight_symmetric: false", "edge_bits: 4", "softmax: {scale: tensor, shift_cap: 9, zero_code: saturate}", "hluq: {shift_cap: 9}",
                             "accumulator: {overflow: wrap}", "softmax: {bits: 4}"}) {
        INFO(idle);
        CHECK(numeric_text_of(std::string("mode: compat, mlp_hidden_scheme: hluq, ") + idle) == plain);
    }
    for (const auto* effective : {"groups: 4", "big: true", "acnr: true", "hluq: {variant: reference}", "hluq: {alpha: 0.3}", "softmax: {log_base: 2}", "softmax: {bits: 6}",
                                  "softmax: {scheme: uniform}"}) {
        INFO(effective);
        CHECK(numeric_text_of(std::string("mode: compat, mlp_hidden_scheme: hluq, ") + effective) != plain);
    }
    const auto companded = numeric_text_of("mode: compat, softmax: {scheme: lnq}");
    CHECK(numeric_text_of("mode: compat, softmax: {scheme: lnq, form: lut, table_bits: 6, log_base: 2}") == companded);
    CHECK(numeric_text_of("mode: compat, softmax: {scheme: lnq, alpha: 5}") != companded);
    CHECK(numeric_text_of("mode: compat, softmax: {log_base: search}") != numeric_text_of("mode: compat"));
    // Wider log codes than an integer needs are what the published code has.
    CHECK(numeric_text_of("mode: compat, softmax: {log_base: 2, bits: 8}") != numeric_text_of("mode: compat, softmax: {log_base: 2, bits: 5}"));
}

TEST_CASE("What the published code does not know is refused by name, all of it at once") {
    const auto message = error_of("mode: compat, weight_rounding: gptq, smooth: 0.5, mlp_hidden_scheme: hluq, hluq: {aligned: true}, layers: [{match: '*', weight_bits: 8}]");
    for (const auto* part : {"quant.weight_rounding: gptq with quant.mode compat", "allowed   nearest, or quant.mode: clean", "quant.smooth: 0.5 with", "quant.hluq.aligned: true with",
                             "quant.layers: ", "4 errors in 1 file"}) {
        INFO(message);
        CHECK(message.find(part) != std::string::npos);
    }
    CHECK(error_of("mlp_hidden_scheme: hluq, hluq: {variant: reference}").find("quant.hluq.variant: reference with quant.mode clean") != std::string::npos);
    CHECK(error_of("mode: compat, mlp_hidden_scheme: search").find("quant.mlp_hidden_scheme: search with quant.mode compat") != std::string::npos);
    CHECK(error_of("hluq: {variant: reference}") == "accepted");  // without effect
    CHECK(error_of("mode: compat, hluq: {aligned: true}") == "accepted");
}

TEST_CASE("The presets of the methods that the compat walk knows combine with it, those of others do not") {
    for (const auto* method : {"rtn", "ptq4sam", "ahcptq", "ahcq_sam"}) {
        INFO(method);
        CHECK(error_of(std::string("mode: compat, method: ") + method) == "accepted");
    }
    CHECK(error_of("mode: compat, method: repq").find("quant.reparam: true with quant.mode compat") != std::string::npos);
    CHECK(error_of("mode: compat, method: dfq_sam").find("quant.reparam: true with quant.mode compat") != std::string::npos);
    CHECK(error_of("mode: compat, method: ours").find("quant.reparam: true with quant.mode compat") != std::string::npos);
}
