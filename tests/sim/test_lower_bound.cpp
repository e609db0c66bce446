// SPDX-License-Identifier: Apache-2.0
// The lower bound that sweeps are pruned by: never above a simulation, and in the order of simulations.
#include <catch2/catch.hpp>

#include <random>

#include "tests/sim/small_graphs.hpp"
#include "tests/support/pruning_grid.hpp"

using namespace prelude;
using namespace prelude::sim;
using namespace prelude::sim::testing;

TEST_CASE("The bound of a network is never above its simulated cycles, whatever the hardware and the formats", "[sim]") {
    std::mt19937 random(11);
    const auto pick = [&](int lo, int hi) { return std::uniform_int_distribution<int>(lo, hi)(random); };
    const auto graph = models::build_sam(small_config(2, {1}));
    int feasible = 0;
    for (int trial = 0; trial < 60; ++trial) {
        Design design;
        design.packing = {{4, 2, 2, 2, 1}};
        design.clock_mhz = 250;
        design.dram = {.gb_per_s = 0.4 * pick(1, 40), .channels = pick(1, 2)};
        design.pe = {.rows = pick(1, 20), .cols = pick(1, 20), .depth = pick(1, 16), .shift_lanes = pick(0, 4), .drain_rows = pick(1, 4)};
        design.pe.multiplier = pick(0, 3) == 0 ? Multiplier::lut : Multiplier::dsp;
        design.buffers = {.weight_kib = pick(2, 32), .activation_kib = pick(2, 32), .partial_sum_kib = pick(4, 32), .score_kib = pick(2, 32)};
        design.softmax_lanes = pick(1, 12), design.layernorm_lanes = pick(1, 12), design.gelu_lanes = pick(1, 12);
        design.axi = {.ports = pick(1, 4), .data_bits = 32 << pick(0, 3), .outstanding = pick(1, 8), .max_burst = 16};
        design.weights = static_cast<WeightPlacement>(pick(0, 2) == 2 ? 2 : 0);
        design.double_buffer = pick(0, 2) > 0, design.layer_overlap = pick(0, 2) == 0;
        design.dataflow = static_cast<Dataflow>(pick(0, 2)), design.attention = static_cast<AttentionFusion>(pick(0, 3));
        quant::Settings settings;
        settings.weight_bits = pick(2, 8), settings.activation_bits = pick(2, 8), settings.groups = pick(0, 3);
        if (settings.groups == 0) settings.groups = 1;
        settings.softmax.scheme = static_cast<quant::SoftmaxScheme>(pick(0, 2));
        const auto plan = quant::make_plan(graph, settings);
        const auto result = simulate(graph, plan, design, {.prompts_per_image = 2});
        if (!result.infeasible.empty()) continue;
        ++feasible;
        INFO("trial " << trial << ": " << lower_bound(graph, plan, design, {.prompts_per_image = 2}) << " of " << result.total.cycles);
        CHECK(lower_bound(graph, plan, design, {.prompts_per_image = 2}) <= result.total.cycles);
        CHECK(lower_bound(graph, plan, design, {.prompts_per_image = 2}) >= result.total.cycles / 20);
    }
    CHECK(feasible >= 40);
}

TEST_CASE("Design points stand in the order of their bounds nearly as in that of their simulations", "[sim][long]") {
    // tests/benchmarks/pruning_check.cpp does the same on the whole grid, and on shapes like SAM ViT-B's.
    const auto points = bounded(models::build_sam(*models::sam_preset("sam_nano")), design_grid(8));
    REQUIRE(points.size() >= 50);
    for (const auto& [bound, simulated] : points) CHECK(bound <= simulated);
    CHECK(spearman(points) >= 0.95);
    CHECK(spearman(best_decile(points)) >= 0.9);
}
