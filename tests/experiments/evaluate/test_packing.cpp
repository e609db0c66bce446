// SPDX-License-Identifier: Apache-2.0
// How many products a DSP slice makes has one source: the cost table. Slices counted, cycles simulated and keys hashed all follow it.
#include <catch2/catch.hpp>

#include <cmath>

#include "experiments/evaluate/design_point.hpp"
#include "experiments/evaluate/tasks.hpp"
#include "experiments/sweep/grid.hpp"
#include "tests/paths.hpp"

using namespace prelude;
using namespace prelude::experiments;

namespace {

constexpr const char* kShapesOnly = "model: {preset: sam_nano, checkpoint: none}\n";

Configuration configuration(const std::vector<std::string>& sets = {}) {
    return read_configuration_text(kShapesOnly, "f.yaml", sets, PRELUDE_SOURCE_DIR "/arch_configs");
}

/// Products per slice and cycle of w x a bits, written down a second time: WP486, WP521, AM004 and the widths of the ports.
double expected(const std::string& generation, int w, int a) {
    const int narrow = std::min(w, a), wide = std::max(w, a);
    if (generation == "dsp58") return wide <= 8 ? 3 : narrow <= 4 ? 2 : 1;
    if (generation == "dsp48e1") return wide > 8 ? 1 : narrow <= 4 ? 2 : 1;
    return wide <= 4 ? 4 : wide <= 8 || narrow <= 4 ? 2 : 1;
}

}  // namespace

TEST_CASE("Slices built and products made per cycle agree at every pair of widths on every generation of DSP slice") {
    const auto base = configuration();
    const auto& costs = base.costs.at("default");
    const auto point = resolve_design(Grid(base).at(0).settings, costs);
    for (const std::string generation : {"dsp48e1", "dsp48e2", "dsp58"}) {
        const auto slices = [&](int w, int a) {
            auto design = point.design;
            design.device.dsp_generation = generation;
            design.packing = costs.packing(generation);
            design.pe.weight_bits = w, design.pe.activation_bits = a;
            const auto hardware = sim::resolve(design, point.plan);
            const auto resources = sim::estimate_resources(hardware, design, point.plan, costs);
            const double multipliers = static_cast<double>(design.pe.rows) * design.pe.cols * design.pe.depth;
            for (const auto& unit : resources.units) {
                if (unit.unit == "pe_array") return std::pair{multipliers / unit.dsp.value, hardware.pe};
            }
            throw std::runtime_error("no PE array");
        };
        const auto eight = slices(8, 8).second;
        for (int w = 2; w <= 16; ++w) {
            for (int a = 2; a <= 16; ++a) {
                const auto [built, pe] = slices(w, a);
                INFO(generation << " " << w << " x " << a);
                CHECK(costs.mac_per_dsp(generation, w, a).value == expected(generation, w, a));
                CHECK(pe.packing.rate(w, a) == expected(generation, w, a));
                CHECK(built == Approx(expected(generation, w, a)).epsilon(0.01));
                // On ports of 8 x 8 narrower operands run as much faster as they pack, rounded down; wider ones in passes.
                const sim::ProductForm form{.left_bits = a, .right_bits = w, .left_zero_point = false};
                CHECK(sim::streams(eight, form, false).first.positions == eight.depth * std::max(1, static_cast<int>(expected(generation, w, a) / expected(generation, 8, 8))));
            }
        }
    }
}

TEST_CASE("Unpacked slices make one product whatever the table says") {
    const auto fixed = configuration({"hw.pe.precision=fixed"});
    const auto point = resolve_design(Grid(fixed).at(0).settings, fixed.costs.at("default"));
    CHECK(sim::resolve(point.design, point.plan).pe.packing == sim::DspPacking{});
}

TEST_CASE("A timing key changes with the packing of the device's slices and with nothing else of the cost table") {
    const auto key = [](const char* term, double value) {
        auto changed = configuration();
        changed.costs.at("default").terms.at(term).value = value;
        for (const auto& task : tasks_of(Grid(changed), 0)) {
            if (task.kind == TaskKind::timing) return task.key;
        }
        return std::string("no timing task");
    };
    const auto reference = key("dsp.mac_per_cycle.dsp48e2.w4a4", 4);
    CHECK(key("dsp.mac_per_cycle.dsp48e2.w4a4", 3) != reference);
    CHECK(key("dsp.mac_per_cycle.dsp58.w4a4", 4) == reference);
    CHECK(key("energy.dsp_pj.ultrascale_plus", 4) == reference);
}
