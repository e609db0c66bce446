// SPDX-License-Identifier: Apache-2.0
#include "experiments/config/canonical.hpp"
#include "experiments/config/configuration.hpp"
#include "experiments/sweep/grid.hpp"
#include "tests/paths.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace prelude;
using namespace prelude::experiments;

namespace {

const std::filesystem::path kArchConfigs = PRELUDE_SOURCE_DIR "/arch_configs";

Configuration read(const std::string& text, const std::vector<std::string>& sets = {}) {
    return read_configuration_text(text, "f.yaml", sets, kArchConfigs);
}

std::string error_of(const std::string& text, const std::vector<std::string>& sets = {}) {
    try {
        (void)read(text, sets);
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "accepted";
}

/// Every key of every point, as text: two configurations with equal dumps mean the same sweep.
std::string dump(const Configuration& configuration) {
    const Grid grid(configuration);
    std::string text;
    for (std::int64_t i = 0; i < grid.size(); ++i) {
        const auto point = grid.at(i);
        text += std::to_string(point.index) + "\n";
        for (const auto& key : all_keys()) text += std::string(key.path) + "=" + key.print(point.settings) + "\n";
        for (const auto& swept : point.swept) text += swept + "\n";
        text += device_text(point.settings.hw.device);
    }
    for (const auto& constraint : configuration.constraints) text += constraint.text() + "\n";
    return text;
}

}  // namespace

TEST_CASE("The message has the shape that the style guide gives") {
    CHECK(error_of("hw:\n  pe:\n    weight_bits: 9\nquant:\n  softmax:\n    log_bsae: 2\n") ==
          "f.yaml:3:18: hw.pe.weight_bits: got 9\n"
          "    allowed   2..8, 16, auto   (bits per weight operand)\n"
          "    because   the product tables cover these widths; see sim/cost/cost_table.hpp\n"
          "f.yaml:6:5: quant.softmax.log_bsae: unknown key. Did you mean 'log_base'?\n"
          "2 errors in 1 file; nothing was run. `explore explain quant.softmax` lists every key.");
}

TEST_CASE("A configuration of one key is complete: everything else has its default") {
    const auto configuration = read("quant: {groups: 4}\n");
    CHECK(configuration.base.quant.groups == 4);
    for (const auto& key : all_keys()) {
        if (key.path == "quant.groups") continue;
        INFO(key.path);
        CHECK(key.print(configuration.base) == key.print(Settings{}));
    }
    CHECK(configuration.base.hw.device.lut == 274080);
    CHECK(Grid(configuration).size() == 1);
    CHECK(configuration.warnings.empty());
}

TEST_CASE("A file overrides the method preset, --set overrides the file, an axis overrides both") {
    const std::string method = "quant: {method: rtn}\n";
    CHECK(read(method).base.quant.softmax.scheme == quant::SoftmaxScheme::uniform);
    const std::string file = "quant: {method: rtn, softmax: {scheme: log}, groups: 2}\n";
    CHECK(read(file).base.quant.softmax.scheme == quant::SoftmaxScheme::log);
    CHECK(read(file).base.quant.groups == 2);
    CHECK(read(file, {"quant.groups=8"}).base.quant.groups == 8);
    CHECK(read(file, {"quant.groups=8", "quant.groups=3"}).base.quant.groups == 3);
    const auto swept = read(file + "sweep: {axes: {quant.groups: [5, 6]}}\n");
    CHECK(Grid(swept).at(1).settings.quant.groups == 6);
}

TEST_CASE("A swept method puts its preset below the keys of the file") {
    const auto configuration = read("quant: {groups: 4}\nsweep: {axes: {quant.method: [custom, rtn, fp32]}}\n");
    const Grid grid(configuration);
    REQUIRE(grid.size() == 3);
    CHECK(grid.at(0).settings.quant.softmax.scheme == quant::SoftmaxScheme::log);
    CHECK(grid.at(1).settings.quant.softmax.scheme == quant::SoftmaxScheme::uniform);
    CHECK(grid.at(1).settings.quant.groups == 4);
    CHECK(grid.at(1).settings.quant.method == "rtn");
    CHECK(grid.at(2).settings.quant.datatype == quant::Datatype::fp32);
}

TEST_CASE("A --set on an axis key replaces the axis, of keys that move together the others stay") {
    const std::string file =
        "sweep: {axes: {\"quant.weight_bits,quant.activation_bits\": [[4, 4], [8, 8], [4, 8]], quant.groups: [1, 4]}}\n";
    const auto one = read(file, {"quant.groups=0"});
    CHECK(Grid(one).columns() == std::vector<std::string>{"quant.weight_bits", "quant.activation_bits"});
    CHECK(Grid(one).at(0).settings.quant.groups == 0);
    const auto other = read(file, {"quant.weight_bits=6"});
    CHECK(Grid(other).columns() == std::vector<std::string>{"quant.activation_bits", "quant.groups"});
    CHECK(Grid(other).size() == 4);  // 4 and 8, once each
    CHECK(Grid(other).at(3).settings.quant.weight_bits == 6);
    CHECK(Grid(read(file, {"sweep.axes.quant.groups=[0]"})).size() == 3);
    CHECK(Grid(read(file, {"sweep.axes.hw.pe.rows=[8, 16]"})).size() == 12);
    CHECK(Grid(read(file, {"sweep.axes={}"})).size() == 1);
}

TEST_CASE("A log code wider than useful is refused where it is pinned and lowered where an axis is involved") {
    CHECK(error_of("quant: {softmax: {bits: 6, log_base: 2}}\n").find("allowed   2..5 with log base 2 and shift cap 15") !=
          std::string::npos);
    CHECK(error_of("quant: {softmax: {bits: 5, log_base: 2}}\n") == "accepted");
    CHECK(error_of("quant: {softmax: {bits: 6, log_base: sqrt2}}\n") == "accepted");
    CHECK(error_of("quant: {softmax: {bits: 8, log_base: 2^(1/4)}}\n") != "accepted");
    CHECK(error_of("quant: {softmax: {bits: 7, log_base: 2^(1/4)}}\n") == "accepted");
    CHECK(error_of("quant: {softmax: {bits: 16, scheme: uniform}}\n") == "accepted");

    const auto swept = read("quant: {softmax: {bits: 6}}\nsweep: {axes: {quant.softmax.log_base: [2, sqrt2]}}\n");
    const Grid grid(swept);
    CHECK(grid.at(0).settings.quant.softmax.bits == 5);
    CHECK(grid.at(0).warnings ==
          std::vector<std::string>{"quant.softmax.bits lowered from 6 to 5, the useful maximum of log base 2 and shift cap 15"});
    CHECK(grid.at(1).settings.quant.softmax.bits == 6);
    CHECK(grid.at(1).warnings.empty());
    // Following the activations is no pinned width: nothing to refuse, nothing to warn of.
    CHECK(Grid(read("quant: {activation_bits: 8}\n")).at(0).warnings.empty());
}

TEST_CASE("A key that was written down but has no effect draws a warning") {
    const auto warnings = read("quant: {softmax: {scheme: uniform, log_base: 2}}\n").warnings;
    REQUIRE(warnings.size() == 1);
    CHECK(warnings[0] == "f.yaml:1:46: quant.softmax.log_base has no effect here; it is effective only while quant.softmax.scheme is log, or lnq of form shift while quant.mode is clean");
    CHECK(read("quant: {softmax: {log_base: 2}}\nsweep: {axes: {quant.softmax.scheme: [uniform, log]}}\n").warnings.empty());
}

TEST_CASE("A relative path is looked up from the working directory, then beside the file") {
    const auto folder = std::filesystem::temp_directory_path() / ("prelude_read_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "weights.safetensors") << "x";
    std::ofstream(folder / "a.yaml") << "model: {checkpoint: weights.safetensors}\n";
    CHECK(read_configuration(folder / "a.yaml", {}, kArchConfigs).base.model.checkpoint == (folder / "weights.safetensors").string());
    CHECK(error_of("model: {checkpoint: weights.safetensors}\n").find("no such file: weights.safetensors") != std::string::npos);
    CHECK(read("model: {checkpoint: none}\n").base.model.checkpoint == "none");
    CHECK(read("model: {checkpoint: auto}\n").base.model.checkpoint.empty());
    std::filesystem::remove_all(folder);
}

TEST_CASE("Reading what was resolved gives the same points") {
    const auto check = [](const Configuration& configuration) {
        const auto text = resolved_yaml(configuration);
        INFO(text);
        const auto again = read_configuration_text(text, "resolved.yaml", {}, kArchConfigs);
        CHECK(dump(again) == dump(configuration));
        CHECK(resolved_yaml(again) == text);
        CHECK(again.warnings.size() == configuration.warnings.size());
    };
    check(read("quant: {groups: 4}\n"));
    // The photographs are not part of the project: any folder stands for them.
    for (const auto& entry : std::filesystem::directory_iterator(kArchConfigs)) {
        if (entry.path().extension() != ".yaml") continue;
        const bool needs_data = entry.path().stem() == "bsds500" || entry.path().stem() == "methods_photographs";
        check(read_configuration(entry.path(), needs_data ? std::vector<std::string>{"data.path=" + kArchConfigs.string()} : std::vector<std::string>{}, kArchConfigs));
    }
    check(
        read("quant: {layers: [{match: \"a\\\"*\\n\", weight_bits: 4}, {match: b, groups: 0}], calibration: {margin: 1.3}}\n"
             "hw: {clock_mhz: 187.5, dram: {gb_per_s: 0.1}}\n"
             "model: {config: {global_blocks: [], relative_positions: false}}\n"
             "sweep: {strategy: random, samples: 3, seed: 9, constraints: [fits, \"power_w<1e1\"], axes: {hw.device: [kv260, u250], "
             "data.kind: [phantom, [phantom, scene]]}}\n"));
    check(read("quant: {groups: 4}\nsweep: {axes: {\"quant.method,quant.weight_bits\": [[rtn, 4], [custom, 8]]}}\n"));
}

TEST_CASE("A refusal of a lower layer points to the place of the key") {
    const auto configuration = read("quant:\n  groups: 60\n");
    CHECK(std::string(rejection(configuration, "quant.groups", "got 60; decoder.lin1 has 64 channels", "0..64").what()) ==
          "f.yaml:2:11: quant.groups: got 60; decoder.lin1 has 64 channels\n"
          "    allowed   0..64\n"
          "1 error in 1 file; nothing was run. `explore explain quant.groups` says more.");
}

TEST_CASE("Quickstart sweeps its three axes: 36 points") {
    const auto configuration = read_configuration(kArchConfigs / "quickstart.yaml", {}, kArchConfigs);
    const Grid grid(configuration);
    CHECK(grid.size() == 36);
    CHECK(grid.columns() ==
          std::vector<std::string>{"quant.weight_bits", "quant.activation_bits", "quant.groups", "quant.softmax.log_base"});
    CHECK(grid.at(35).swept == std::vector<std::string>{"4", "8", "0", "2^(1/4)"});
    CHECK(configuration.base.data.num_images * configuration.base.data.prompts_per_image >= 64);
}
