// SPDX-License-Identifier: Apache-2.0
// Plain products with ideal memory: the simulated array works as long as pencil and paper say, in both dataflows. And a case in which DRAM turns
// the order of the dataflows round.
#include <catch2/catch.hpp>

#include "sim/mapping/build_program.hpp"
#include "sim/simulate.hpp"

using namespace prelude;
using namespace prelude::sim;

namespace {

struct Product {
    std::int64_t rows, depth, cols;
};

models::Graph graph_of(const Product& product) {
    models::Graph graph;
    const auto x = graph.add_input("x", {1, product.rows, product.depth}, 2);
    graph.add("layer", models::Part::encoder, 0, models::Linear{"w", "b", product.depth, product.cols}, {x});
    return graph;
}

/// A clock so slow that memory answers within cycles and gives whatever is asked for; buffers for any product.
Design with_ideal_memory(PeArray pe) {
    Design design;
    design.clock_mhz = 10;
    design.dram.gb_per_s = 4096;
    design.axi = {.ports = 32, .data_bits = 1024, .outstanding = 256, .max_burst = 32};
    design.buffers = {.weight_kib = 65536, .activation_kib = 65536, .partial_sum_kib = 65536, .score_kib = 16};
    pe.precision = PePrecision::fixed;
    design.pe = pe;
    return design;
}

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

SegmentStats simulated(const Product& product, const Design& design, const Mapping& mapping) {
    const auto graph = graph_of(product);
    const auto result = simulate(graph, quant::make_plan(graph, {}), design, {.pinned = {{"layer", mapping}}});
    INFO(result.infeasible);
    REQUIRE(result.infeasible.empty());
    return result.segments.at(0);
}

}  // namespace

TEST_CASE("With ideal memory the array is busy as long as the closed form of its dataflow says", "[sim]") {
    const std::vector<Product> products{{1, 1, 1}, {2, 3, 5}, {7, 11, 13}, {17, 19, 23}, {29, 31, 37}, {64, 64, 64}, {41, 128, 43}, {47, 2, 53}, {59, 61, 1}, {1, 67, 71}, {128, 5, 96}, {73, 256, 79}};
    const std::vector<PeArray> arrays{{.rows = 1, .cols = 1, .depth = 1, .drain_rows = 1}, {.rows = 2, .cols = 4, .depth = 3, .drain_rows = 1}, {.rows = 4, .cols = 4, .depth = 8, .drain_rows = 4},
                                      {.rows = 8, .cols = 3, .depth = 5, .drain_rows = 8},  {.rows = 16, .cols = 16, .depth = 16, .drain_rows = 16}};
    int checked = 0;
    for (const auto& pe : arrays) {
        for (const auto& product : products) {
            const auto [rows, depth, cols] = product;
            const auto beats = ceil_div(depth, pe.depth), row_tiles = ceil_div(rows, pe.rows), col_tiles = ceil_div(cols, pe.cols);
            const auto drain = ceil_div(std::min<std::int64_t>(rows, pe.rows), pe.drain_rows);
            for (const bool stationary : {false, true}) {
                auto design = with_ideal_memory(pe);
                const Mapping whole{.tile_rows = rows, .tile_cols = cols, .tile_depth = depth, .weight_stationary = stationary};
                // Output stationary, drains hidden: a beat for every block of the depth and sub-tile. Weight stationary, a row tile drained in a cycle: a
                // beat for every row tile, and one that loads the weights.
                if (stationary ? drain > 1 : beats < drain) continue;
                const auto expected = stationary ? col_tiles * beats * (row_tiles + 1) : row_tiles * col_tiles * beats;
                const auto stats = simulated(product, design, whole);
                INFO(rows << " x " << depth << " x " << cols << " on " << pe.rows << " x " << pe.cols << " x " << pe.depth << (stationary ? ", weights stationary" : ", outputs stationary"));
                CHECK(stats.units[static_cast<std::size_t>(UnitId::pe_array)].busy_cycles == expected);
                // Beside it, what no overlap hides in a single tile: both loads and the store over bus and buffer ports, the pipelines and the drain.
                const auto moved = stats.dram.bytes_read + stats.dram.bytes_written;
                const auto ports = ceil_div(rows * depth, pe.rows * pe.depth) + ceil_div(cols * (depth + channel_constant_bytes({}, false)), pe.cols * pe.depth);
                CHECK(stats.cycles >= expected);
                CHECK(stats.cycles <= expected + 64 + moved / 64 + ports + 2 * ceil_div(rows, pe.drain_rows) * col_tiles);
                ++checked;
            }
        }
    }
    CHECK(checked >= 60);
}

TEST_CASE("Short products take the array as long as their sums drain", "[sim]") {
    // One position of K a beat and a row of sums a cycle: every row of every column tile leaves by itself.
    for (const auto& [rows, depth, cols] : std::vector<Product>{{12, 3, 10}, {8, 1, 7}, {31, 4, 13}, {64, 2, 64}}) {
        const PeArray pe{.rows = 8, .cols = 4, .depth = 4, .drain_rows = 1};
        INFO(rows << " x " << depth << " x " << cols);
        const auto stats = simulated({rows, depth, cols}, with_ideal_memory(pe), {.tile_rows = rows, .tile_cols = cols, .tile_depth = depth});
        CHECK(stats.units[static_cast<std::size_t>(UnitId::pe_array)].busy_cycles == ceil_div(cols, pe.cols) * rows);
    }
}

TEST_CASE("Outputs that stay are faster with ideal memory, weights that stay behind a slow DRAM", "[sim]") {
    const Product product{85, 196, 194};
    Design design;
    design.clock_mhz = 200;
    design.pe = {.rows = 6, .cols = 16, .depth = 3, .drain_rows = 6};
    design.packing = {{4, 2, 2, 2, 1}};
    design.buffers = {.weight_kib = 32, .activation_kib = 8, .partial_sum_kib = 16, .score_kib = 16};
    const auto cycles = [&](bool stationary, bool ideal) {
        auto memory = design;
        memory.dram.gb_per_s = ideal ? 4000 : 0.8;
        if (ideal) memory.axi = {.ports = 32, .data_bits = 1024, .outstanding = 256, .max_burst = 256};
        return simulated(product, memory, {.tile_rows = 12, .tile_cols = 80, .tile_depth = 196, .order = LoopOrder::cols_outer, .weight_stationary = stationary}).cycles;
    };
    CHECK(static_cast<double>(cycles(true, true)) > 1.05 * static_cast<double>(cycles(false, true)));
    // The same tiles cross the bus: what is left is how soon after the last operand the last sums leave.
    CHECK(cycles(true, false) < cycles(false, false));
}
