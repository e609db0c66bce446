// SPDX-License-Identifier: Apache-2.0
// Whole segments against closed forms: the first cycle at which a result can be there, and nothing earlier or later.
#include <catch2/catch.hpp>

#include "sim/datapath/layernorm_unit.hpp"
#include "sim/datapath/softmax_unit.hpp"
#include "sim/mapping/hardware.hpp"
#include "sim/simulate.hpp"

using namespace prelude;
using namespace prelude::sim;

namespace {

/// 8 bytes a cycle of DRAM behind one 8-byte port, no refresh within a short run.
Design gate_design() {
    Design design;
    design.clock_mhz = 100;
    design.dram.gb_per_s = 0.8;
    design.pe = {.rows = 4, .cols = 4, .depth = 4, .weight_bits = 8, .activation_bits = 8};
    design.axi = {.ports = 1, .data_bits = 64, .outstanding = 8, .max_burst = 16};
    return design;
}

models::Graph normalised_rows(std::int64_t rows, std::int64_t channels) {
    models::Graph graph;
    const auto x = graph.add_input("x", {1, rows, channels}, 2);
    graph.add("layer", models::Part::encoder, 0, models::LayerNorm{"g", "b", 1e-6}, {x});
    return graph;
}

SegmentStats only_segment(const models::Graph& graph, const Design& design) {
    const auto result = simulate(graph, quant::make_plan(graph, {}), design);
    REQUIRE(result.infeasible.empty());
    REQUIRE(result.segments.size() == 1);
    return result.segments[0];
}

}  // namespace

TEST_CASE("One row of LayerNorm takes load, two passes, root and store, to the cycle", "[sim]") {
    const auto design = gate_design();
    const auto hardware = resolve(design, {});
    // One row of 32 words of 16 bits: 64 bytes in, 64 bytes out (16-bit result), 32 x 11 bytes of constants.
    const auto stats = only_segment(normalised_rows(1, 32), design);
    const auto activate = hardware.activate_cycles, latency = hardware.latency_cycles;
    // The constants (352 bytes: bursts of 128, 128, 96 -> 16 + 16 + 16 granule cycles) and the row (64 bytes: 8) share the bus.
    // Start: 1 cycle to fetch the command; the weight DMA's first burst is on the bus first (it was bound first).
    const Cycle bus = 16 + 8 + 16 + 16;
    const Cycle loaded = 1 + activate + bus + latency;
    const Cycle normalised = loaded + (1 + 1) * (32 / design.layernorm_lanes) + 14 + 16;
    // Store: 8 beats through the port, row activation, 8 cycles of bus, response.
    const Cycle stored = normalised + 8 + activate + 8 + latency;
    CHECK(stats.cycles == stored);
    CHECK(stats.dram.bursts == 5);
    CHECK(stats.dram.bytes_written == 64);
}

TEST_CASE("A root by division comes as many cycles later, and holds the rows behind it", "[sim]") {
    const auto run = [](std::int64_t rows, quant::Nonlinear form, int dividers = 1) {
        auto design = gate_design();
        design.layernorm_dividers = dividers;
        const auto graph = normalised_rows(rows, 32);
        quant::Settings settings;
        settings.nonlinear = form;
        return simulate(graph, quant::make_plan(graph, settings), design).segments.at(0);
    };
    const auto busy = [](const SegmentStats& stats) { return stats.units[static_cast<std::size_t>(UnitId::layernorm_unit)].busy_cycles; };
    // Two cycles to normalise, 33 a step, 32 for the reciprocal: 6 steps and 10.
    constexpr Cycle ibert = 2 + 6 * 33 + 32, ivit = 2 + 10 * 33 + 32;
    const auto table = run(1, quant::Nonlinear::table).cycles;
    CHECK(run(1, quant::Nonlinear::ibert).cycles == table + ibert - 14);
    CHECK(run(1, quant::Nonlinear::ivit).cycles == table + ivit - 14);
    const auto waiting = run(400, quant::Nonlinear::ivit), flowing = run(400, quant::Nonlinear::table);
    CHECK(waiting.operations.at({"root_divide", 16, 16}) == 400 * ivit);
    CHECK(waiting.operations.at({"root_wait", 16, 16}) == busy(waiting) - busy(flowing));
    CHECK(flowing.operations.count({"root_divide", 16, 16}) == 0);
    // Five rows of a tile, two cycles a stage, or 500 where the root is the shorter one.
    CHECK(LayerNormUnit::cycles(5, 32, 16, LayerNormUnit::timing(quant::Root::seeded, 1)) == 2 + 14 + 5 * 2 + 16);
    CHECK(LayerNormUnit::cycles(5, 32, 16, LayerNormUnit::timing(quant::Root::repeated, 1)) == 2 + ivit + 2 + 4 * ivit + 16);
    CHECK(LayerNormUnit::cycles(5, 1000, 2, LayerNormUnit::timing(quant::Root::newton, 1), 3) == 500 + ibert + 5 * 503 + 16);
    // Three dividers: a row every third of the time, rounded up; the first takes as long.
    CHECK(run(1, quant::Nonlinear::ivit, 3).cycles == run(1, quant::Nonlinear::ivit).cycles);
    CHECK(run(400, quant::Nonlinear::ivit, 3).operations.at({"root_divide", 16, 16}) == 400 * 122);
    CHECK(run(400, quant::Nonlinear::ivit, 3).cycles < waiting.cycles);
    CHECK(LayerNormUnit::cycles(5, 32, 16, LayerNormUnit::timing(quant::Root::repeated, 3)) == 2 + ivit + 2 + 4 * 122 + 16);
}

TEST_CASE("An exponential by polynomial takes three cycles more than one by table, by shift three less, none where codes take none") {
    using quant::Exponential;
    for (const auto& [form, cycles] : {std::pair{Exponential::table, 19}, {Exponential::polynomial, 22}, {Exponential::shift, 16}}) {
        CHECK(SoftmaxUnit::cycles(7, 30, {.count = 3}, 4, form) == (7 + 2) * 8 + cycles);
        CHECK(SoftmaxUnit::cycles(7, 30, {.count = 3, .threshold_cycles = 32}, 4, form) == 3 * 8 + 6 * 32 + cycles + 36);
        CHECK(SoftmaxUnit::cycles(7, 30, {.count = 2}, 4, form) == (7 + 1) * 8 + 8);
    }
}

TEST_CASE("A longer transfer comes exactly its bytes later", "[sim]") {
    const auto design = gate_design();
    models::Graph small, large;
    for (auto* graph : {&small, &large}) {
        const std::int64_t rows = graph == &small ? 1 : 2;
        const auto a = graph->add_input("a", {rows, 32}, 1);
        graph->add("layer", models::Part::encoder, 0, models::Gelu{}, {a});
    }
    const auto one = only_segment(small, design), two = only_segment(large, design);
    CHECK(two.dram.bytes_read == 2 * one.dram.bytes_read);
    CHECK(two.cycles > one.cycles);
}

TEST_CASE("Row hits, misses and refreshes follow the addresses", "[sim]") {
    auto design = gate_design();
    models::Graph graph;
    const auto a = graph.add_input("a", {4096, 64}, 1);
    graph.add("layer", models::Part::encoder, 0, models::Gelu{}, {a});
    const auto stats = only_segment(graph, design);
    const auto hardware = resolve(design, {});
    // At least one miss per 8 KiB row of each stream; more where both streams meet in one bank.
    const auto rows = (stats.dram.bytes_read + hardware.row_bytes - 1) / hardware.row_bytes +
                      (stats.dram.bytes_written + hardware.row_bytes - 1) / hardware.row_bytes;
    CHECK(stats.dram.row_misses >= rows);
    CHECK(stats.dram.refreshes == (stats.cycles - 1) / hardware.refresh_interval);
    CHECK(stats.dram.row_hits + stats.dram.row_misses == stats.dram.bursts);
}

TEST_CASE("Fewer outstanding bursts expose the latency", "[sim]") {
    auto design = gate_design();
    design.dram.gb_per_s = 12.8;
    models::Graph graph;
    const auto a = graph.add_input("a", {1024, 64}, 1);
    graph.add("layer", models::Part::encoder, 0, models::Gelu{}, {a});
    design.axi.outstanding = 1;
    const auto one = only_segment(graph, design);
    design.axi.outstanding = 2;
    const auto two = only_segment(graph, design);
    // Each read waits for the one before: bursts * latency; with two under way, half of it.
    const auto latency = resolve(design, {}).latency_cycles;
    CHECK(one.cycles > one.dram.bursts / 2 * latency);
    CHECK(static_cast<double>(one.cycles) / static_cast<double>(two.cycles) > 1.5);
}
