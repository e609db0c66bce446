// SPDX-License-Identifier: Apache-2.0
// Mappings: what the mapper proposes, what it takes as given, what it refuses; and that the simulated choice can be replayed.
#include "sim/mapping/mapping.hpp"

#include <catch2/catch.hpp>

#include "models/graph/sam.hpp"
#include "sim/simulate.hpp"
#include "tests/sim/random_network.hpp"
#include "tests/sim/small_graphs.hpp"

using namespace prelude;
using namespace prelude::sim;
using namespace prelude::sim::testing;

namespace {

Design base_design() {
    Design design;
    design.clock_mhz = 200;
    design.dram.gb_per_s = 12.8;  // 64 bytes a cycle
    design.pe = {.rows = 8, .cols = 8, .depth = 8};
    return design;
}

Hardware hardware_of(const Design& design, const models::Graph& graph) { return resolve(design, quant::make_plan(graph, {})); }

constexpr Mapping kProduct{.tile_rows = 16, .tile_cols = 24, .tile_depth = 32};
const ProductShape kShape{.rows = 64, .cols = 48, .depth = 96};

std::string refusal(const Hardware& hardware, const ProductShape& shape, const Mapping& mapping) {
    std::string text;
    for (const auto& problem : problems(hardware, shape, mapping)) text += problem.field + ": " + problem.text + "\n";
    return text;
}

}  // namespace

TEST_CASE("Candidates are the best by estimate first, and differ from each other", "[sim]") {
    auto hardware = hardware_of(base_design(), linear_graph(64, 96, 48));
    hardware.mapping_candidates = 6;
    const auto list = candidates(hardware, kShape);
    REQUIRE(list.size() == 6);
    for (std::size_t i = 0; i < list.size(); ++i) {
        CHECK(problems(hardware, kShape, list[i]).empty());
        CHECK(list[i].estimated_cycles == estimated_cycles(hardware, kShape, list[i]));
        for (std::size_t k = 0; k < i; ++k) {
            CHECK(list[k].estimated_cycles <= list[i].estimated_cycles);
            CHECK(list[k].to_string() != list[i].to_string());
        }
    }
    hardware.mapping_candidates = 1;
    CHECK(candidates(hardware, kShape) == std::vector{list[0]});
}

TEST_CASE("A mapping is printed as a mapping file has it", "[sim]") {
    CHECK(kProduct.to_string() == "rows: 16, cols: 24, depth: 32, order: rows_outer, dataflow: output_stationary, swap: false, slots: 2");
    const Mapping swapped{.tile_rows = 1, .tile_cols = 2, .tile_depth = 3, .order = LoopOrder::cols_outer, .swap = true, .slots = 1};
    CHECK(swapped.to_string() == "rows: 1, cols: 2, depth: 3, order: cols_outer, dataflow: output_stationary, swap: true, slots: 1");
    CHECK(Mapping{.tile_rows = 36, .tile_cols = 64, .score_slots = 3, .key_slots = 1}.to_string() == "queries: 36, keys: 64, slots: 2, score_slots: 3, key_slots: 1");
    CHECK(Mapping{.tile_rows = 7}.to_string() == "rows: 7, slots: 2");
}

TEST_CASE("A pinned mapping beyond its segment or its hardware is refused by field", "[sim]") {
    const auto hardware = hardware_of(base_design(), linear_graph(64, 96, 48));
    const auto with = [&](auto change) {
        auto mapping = kProduct;
        change(mapping);
        return refusal(hardware, kShape, mapping);
    };
    CHECK(refusal(hardware, kShape, kProduct).empty());
    CHECK(with([](Mapping& m) { m.tile_rows = 65; }) == "rows: rows 65, but the product has 64\n");
    CHECK(with([](Mapping& m) { m.tile_cols = 49, m.tile_depth = 97; }) == "cols: cols 49, but the product has 48\ndepth: depth 97, but the product has 96\n");
    CHECK(with([](Mapping& m) { m.swap = m.weight_stationary = true; }) == "swap: swapped operands have dataflow output_stationary\n");
    CHECK(with([](Mapping& m) { m.tile_depth = 0; }) == "queries: the segment is a product: its mapping has rows, cols and depth\n");
    auto single = base_design();
    single.double_buffer = false;
    single.dataflow = Dataflow::weight_stationary;
    CHECK(refusal(hardware_of(single, linear_graph(64, 96, 48)), kShape, kProduct) ==
          "dataflow: hw.dataflow is weight_stationary\nslots: slots 2, but hw.double_buffer is false: there is one\n");
    auto convolution = kShape;
    convolution.depth_unit = 9, convolution.form.left_is_log = true, convolution.needs_whole_rows_outer = true;
    CHECK(refusal(hardware, convolution, {.tile_rows = 1, .tile_cols = 1, .tile_depth = 32, .order = LoopOrder::cols_outer, .swap = true}) ==
          "depth: depth 32, but the product can be cut only at multiples of 9\norder: relative positions need order rows_outer\n"
          "swap: a log-coded left operand cannot be swapped: the shifters stand on the rows\n");
    const AttentionShape attention{.queries = 20, .keys = 30, .head_dim = 16};
    CHECK(problems(hardware, attention, {.tile_rows = 8, .tile_cols = 30}).empty());
    CHECK(problems(hardware, attention, {.tile_rows = 8, .tile_cols = 31}).at(0).text == "keys 31, but the segment has 30");
    CHECK(problems(hardware, attention, {.tile_rows = 8, .tile_cols = 30, .score_slots = 5}).at(0).text == "score_slots 5, but there are 4 at most");
    CHECK(problems(hardware, attention, kProduct).at(0).text == "the segment is fused attention: its mapping has queries and keys");
    CHECK(problems(hardware, RowsShape{20, 64}, {.tile_rows = 21}).at(0).text == "rows 21, but the segment has 20");
    CHECK(problems(hardware, RowsShape{20, 64}, kProduct).at(0).field == "cols");
}

TEST_CASE("A buffer overflows by as many KiB as are missing, and holds a tile that is one bit smaller", "[sim]") {
    auto hardware = hardware_of(base_design(), linear_graph(64, 96, 48));
    // Two tiles of 24 x 32 weights of 8 bits, of 16 x 32 activations, of 16 x 24 sums of 32 bits with 16 bits of output.
    hardware.weight_bits = 2 * 24 * 32 * 8, hardware.activation_bits = 2 * 16 * 32 * 8, hardware.partial_sum_bits = 2 * 16 * 24 * 48;
    CHECK(refusal(hardware, kShape, kProduct).empty());
    hardware.weight_bits -= 1;
    CHECK(refusal(hardware, kShape, kProduct) == ": the weight buffer overflows by 0.00 KiB: tiles take 1.50 KiB of 1.50 KiB\n");
    hardware.weight_bits = 8192, hardware.partial_sum_bits = 2 * 8192;
    CHECK(refusal(hardware, kShape, kProduct) == ": the weight buffer overflows by 0.50 KiB: tiles take 1.50 KiB of 1.00 KiB\n"
                                                 ": the partial_sum buffer overflows by 2.50 KiB: tiles take 4.50 KiB of 2.00 KiB\n");
    const auto graph = linear_graph(64, 96, 48);
    auto design = base_design();
    design.buffers.weight_kib = 1;
    const auto result = simulate(graph, quant::make_plan(graph, {}), design, {.pinned = {{"lay*", kProduct}}});
    CHECK(result.infeasible == "layer: hw.mapping: the weight buffer overflows by 0.50 KiB: tiles take 1.50 KiB of 1.00 KiB");
}

TEST_CASE("A network with all mappings pinned from its own printout takes the same cycles", "[sim]") {
    const auto graph = models::build_sam(small_config(3, {1}));
    const auto plan = quant::make_plan(graph, {});
    for (const auto attention : {AttentionFusion::fused_row, AttentionFusion::fused_recompute, AttentionFusion::unfused}) {
        for (const bool overlap : {false, true}) {
            auto design = base_design();
            design.attention = attention;
            design.layer_overlap = overlap;
            const auto chosen = simulate(graph, plan, design);
            REQUIRE(chosen.infeasible.empty());
            Options options;
            for (const auto& [segment, mapping, found, pinned] : plan_mappings(graph, plan, design)) options.pinned.push_back({segment, mapping});
            REQUIRE(options.pinned.size() == chosen.segments.size());
            design.mapping_candidates = 1;  // nothing is left to choose
            const auto replayed = simulate(graph, plan, design, options);
            REQUIRE(replayed.infeasible.empty());
            for (std::size_t i = 0; i < chosen.segments.size(); ++i) {
                INFO(chosen.segments[i].name);
                CHECK(options.pinned[i].pattern == chosen.segments[i].name);
                CHECK(replayed.segments[i].mapping == chosen.segments[i].mapping);
                CHECK(replayed.segments[i].cycles == chosen.segments[i].cycles);
                CHECK(replayed.segments[i].reused == chosen.segments[i].reused);
            }
        }
    }
}

TEST_CASE("Of several pinned mappings that match a segment the last one counts", "[sim]") {
    const auto graph = linear_graph(64, 96, 80);
    const auto plan = quant::make_plan(graph, {});
    const Mapping other{.tile_rows = 32, .tile_cols = 40, .tile_depth = 96, .order = LoopOrder::cols_outer};
    const auto mapping_of = [&](std::vector<PinnedMapping> pinned) { return simulate(graph, plan, base_design(), {.pinned = std::move(pinned)}).segments.at(0).mapping; };
    CHECK(mapping_of({{"layer", kProduct}}) == kProduct.to_string());
    CHECK(mapping_of({{"layer", kProduct}, {"*", other}}) == other.to_string());
    CHECK(mapping_of({{"*", other}, {"lay?r", kProduct}, {"none", other}}) == kProduct.to_string());
}

TEST_CASE("More candidates never make a segment slower, where all of it is simulated to choose", "[sim]") {
    std::mt19937 random(5);
    const auto pick = [&](int lo, int hi) { return std::uniform_int_distribution<std::int64_t>(lo, hi)(random); };
    int faster = 0;
    for (int trial = 0; trial < 25; ++trial) {
        auto design = base_design();
        design.pe = {.rows = static_cast<int>(pick(2, 12)), .cols = static_cast<int>(pick(2, 12)), .depth = static_cast<int>(pick(2, 12))};
        design.buffers = {.weight_kib = static_cast<int>(pick(4, 32)), .activation_kib = static_cast<int>(pick(4, 32)), .partial_sum_kib = static_cast<int>(pick(4, 32)), .score_kib = 16};
        design.dram.gb_per_s = 0.4 * static_cast<double>(pick(1, 16));
        const auto graph = linear_graph(pick(1, 150), pick(1, 150), pick(1, 150));
        const auto plan = quant::make_plan(graph, {});
        std::int64_t before = 0;
        for (const int count : {1, 2, 4, 8}) {
            design.mapping_candidates = count;
            const auto result = simulate(graph, plan, design);
            REQUIRE(result.infeasible.empty());
            if (before > 0) CHECK(result.total.cycles <= before);
            faster += before > 0 && result.total.cycles < before;
            before = result.total.cycles;
        }
    }
    CHECK(faster > 0);
}
