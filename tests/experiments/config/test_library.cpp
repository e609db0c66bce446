// SPDX-License-Identifier: Apache-2.0
#include "experiments/config/library.hpp"
#include "tests/paths.hpp"

#include <catch2/catch.hpp>

using namespace prelude;
using namespace prelude::experiments;

namespace {

const std::filesystem::path kArchConfigs = PRELUDE_SOURCE_DIR "/arch_configs";

sim::CostTable default_costs() {
    Problems problems;
    auto costs = read_cost_table(kArchConfigs / "costs/default.yaml", problems);
    INFO(problems.text());
    REQUIRE(costs);
    return *costs;
}

}  // namespace

TEST_CASE("Every device file is complete, and every figure has a band and a source") {
    const auto names = names_of_files(kArchConfigs / "devices");
    CHECK(names ==
          std::vector<std::string>{"kv260", "pynq_z2", "u200", "u250", "u280", "u50", "u55c", "vck190", "vcu118", "zc706", "zcu102", "zcu104"});
    const auto costs = default_costs();
    for (const auto& name : names) {
        Problems problems;
        const auto device = read_device(kArchConfigs / "devices" / (name + ".yaml"), problems);
        INFO(problems.text());
        REQUIRE(device);
        CHECK(device->name == name);
        CHECK(static_cast<double>(device->ff) == Approx(2.0 * static_cast<double>(device->lut)).epsilon(0.01));  // all these families
        CHECK(device->reserved.lut < device->lut);
        CHECK(device->fmax_mhz.low <= device->fmax_mhz.value);
        CHECK_FALSE(device->static_w.source.empty());
        // The cost table knows the generation, family and memory of each.
        CHECK(costs.mac_per_dsp(device->dsp_generation, 8, 8).value >= 1);
        CHECK(costs.at("energy.dsp_pj", device->family).value > 0);
        CHECK(costs.at("energy.dram_pj_per_bit", device->dram_kind).value > 0);
        if (device->uram > 0) CHECK(costs.at("energy.uram_access_pj", device->family).value > 0);
    }
}

TEST_CASE("Devices have the capacities of their data sheets") {
    Problems problems;
    const auto zcu102 = read_device(kArchConfigs / "devices/zcu102.yaml", problems);
    REQUIRE(zcu102);
    CHECK(zcu102->lut == 274080);
    CHECK(zcu102->dsp == 2520);
    CHECK(zcu102->bram36 == 912);
    CHECK(zcu102->dsp_generation == "dsp48e2");
    CHECK(zcu102->max_utilization_lut == 0.7);
    CHECK(zcu102->capacity_status == sim::Provenance::published);
    CHECK(zcu102->static_w.status == sim::Provenance::assumed);
    const auto kv260 = read_device(kArchConfigs / "devices/kv260.yaml", problems);
    REQUIRE(kv260);
    CHECK(kv260->uram == 64);
}

TEST_CASE("A cost table without a term, or with another one, is refused") {
    Problems problems;
    CHECK_FALSE(read_cost_table(PRELUDE_SOURCE_DIR "/tests/data/bad/configs/cost_table_terms.arch/costs/short.yaml", problems));
    const auto text = problems.text();
    CHECK(text.find("terms.band.latency: missing") != std::string::npos);
    CHECK(text.find("terms.dma.lutt: unknown key. Did you mean 'dma.lut'?") != std::string::npos);
}

TEST_CASE("Hash texts of a device and a cost table change with any figure") {
    auto costs = default_costs();
    const auto before = cost_text(costs);
    for (auto& [name, figure] : costs.terms) {
        INFO(name);
        const auto kept = figure;
        figure.high += 1;
        CHECK(cost_text(costs) != before);
        figure = kept;
        figure.source = "another sentence";
        CHECK(cost_text(costs) == before);
        figure = kept;
    }
}
