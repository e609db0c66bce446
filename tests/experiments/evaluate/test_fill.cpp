// SPDX-License-Identifier: Apache-2.0
// hw.pe.size: fill. The array is the largest of its shapes that fits, and fewer bits are cheaper on it for every log base.
#include <catch2/catch.hpp>

#include "experiments/config/library.hpp"
#include "experiments/evaluate/design_point.hpp"
#include "experiments/sweep/grid.hpp"
#include "sim/simulate.hpp"
#include "tests/paths.hpp"

using namespace prelude;
using namespace prelude::experiments;

namespace {

const std::string kArchConfigs = PRELUDE_SOURCE_DIR "/arch_configs";

Configuration filling(const std::vector<std::string>& sets) {
    return read_configuration_text(
        "model: {preset: sam_nano, checkpoint: none}\n"
        "hw: {device: kv260, pe: {size: fill}, buffers: {weight_kib: 64, activation_kib: 64, partial_sum_kib: 32, score_kib: 64}}\n",
        "f.yaml", sets, kArchConfigs);
}

DesignPoint resolved(const std::vector<std::string>& sets) {
    const auto configuration = filling(sets);
    return resolve_design(Grid(configuration).at(0).settings, configuration.costs.at("default"));
}

sim::Cycle cycles(const std::vector<std::string>& sets) {
    const auto point = resolved(sets);
    const auto result = sim::simulate(point.graph, point.plan, point.design);
    REQUIRE(result.infeasible.empty());
    return result.total.cycles;
}

}  // namespace

TEST_CASE("The filled array has its documented shape on every device, and the next larger ones do not fit") {
    for (const auto& device : names_of_files(std::filesystem::path(kArchConfigs) / "devices")) {
        const auto point = resolved({"hw.device=" + device});
        const auto configuration = filling({"hw.device=" + device});
        const int rows = point.design.pe.rows, cols = point.design.pe.cols;
        INFO(device << " " << rows << " x " << cols);
        CHECK(rows % 2 == 0);
        CHECK((cols == 4 || cols == 8 || cols % 16 == 0));
        CHECK(rows <= cols);
        CHECK(cols <= 4 * rows);
        CHECK((point.resources.fits || rows * cols == 8));
        for (int more = rows; more <= cols && more <= 32; more += 2) {
            auto larger = point.design;
            larger.pe.rows = more, larger.pe.cols = more == rows ? cols + 16 : cols;
            if (more == rows && larger.pe.cols > 4 * rows) continue;
            if (more * larger.pe.cols <= rows * cols) continue;
            CHECK_FALSE(sim::estimate_resources(sim::resolve(larger, point.plan), larger, point.plan, configuration.costs.at("default")).fits);
        }
    }
}

TEST_CASE("Fewer bits take fewer cycles on a filled device, whatever the log base", "[long]") {
    for (const std::string base : {"2", "sqrt2", "2^(1/4)"}) {
        const auto at = [&](const std::string& weight, const std::string& activation) {
            return cycles({"quant.softmax.log_base=" + base, "quant.weight_bits=" + weight, "quant.activation_bits=" + activation});
        };
        const auto four = at("4", "4"), six = at("6", "6"), eight = at("8", "8"), mixed = at("4", "8");
        INFO("base " << base << ": " << four << " " << six << " " << eight << ", 4/8 " << mixed);
        CHECK(static_cast<double>(four) < 0.8 * static_cast<double>(eight));
        CHECK(four < six);
        CHECK(six <= eight);
        CHECK(static_cast<double>(mixed) <= 1.002 * static_cast<double>(eight));  // as many products a slice; arrays may differ in shape
    }
}
