// SPDX-License-Identifier: Apache-2.0
// Cycles: closed forms on small shapes, gates, and how latency answers to the hardware.
#include <catch2/catch.hpp>
#include <random>

#include "models/graph/sam.hpp"
#include "sim/mapping/pe_timing.hpp"
#include "sim/simulate.hpp"
#include "tests/sim/small_graphs.hpp"

using namespace prelude;
using namespace prelude::sim;
using namespace prelude::sim::testing;

namespace {

/// A slice that multiplies 8 x 8 bits twice, 4 x 4 bits four times, 16 bits once and 4 x 16 bits twice.
constexpr DspPacking kTwoAtEightBits{{4, 2, 2, 2, 1}};

Design base_design() {
    Design design;
    design.packing = kTwoAtEightBits;
    design.clock_mhz = 200;
    design.dram.gb_per_s = 12.8;  // 64 bytes a cycle
    design.pe = {.rows = 8, .cols = 8, .depth = 8};
    design.attention = AttentionFusion::fused_row;
    return design;
}

NetworkResult run(const models::Graph& graph, const Design& design, quant::Settings settings = {}, Options options = {}) {
    auto result = simulate(graph, quant::make_plan(graph, settings), design, options);
    INFO(result.infeasible);
    REQUIRE(result.infeasible.empty());
    return result;
}

Cycle cycles_of(const models::Graph& graph, const Design& design) {
    return run(graph, design).total.cycles;
}

const SegmentStats& segment(const NetworkResult& result, const std::string& name) {
    for (const auto& stats : result.segments) {
        if (stats.name == name) return stats;
    }
    throw std::runtime_error("no segment " + name);
}

}  // namespace

TEST_CASE("An output-stationary tile takes the closed form of its sub-tiles", "[sim]") {
    const PeShape pe{.rows = 4, .cols = 6, .depth = 5};
    ProductForm form{.left_zero_point = false};
    // 2 x 3 sub-tiles of 4 x 6; 23 products in 5 steps of 5; draining 4 (3) rows hides behind them.
    CHECK(pe_occupancy(pe, form, false, false, 7, 13, 0, 23).cycles == 2 * 3 * 5);
    CHECK(pe_occupancy(pe, form, false, false, 7, 13, 0, 23).slots == 2 * 3 * 5 * 4 * 6 * 5);
    // One product: draining dominates, 4 rows of the first and 3 of the second sub-tile.
    CHECK(pe_occupancy(pe, form, false, false, 7, 13, 0, 1).cycles == 3 * (4 + 3));
    // Three rows a cycle leave in a third of that.
    CHECK(pe_occupancy({.rows = 4, .cols = 6, .depth = 5, .drain_rows = 3}, form, false, false, 7, 13, 0, 1).cycles == 3 * (2 + 1));
    // Zero points by row and column sums: on the way out.
    form.left_zero_point = true;
    CHECK(pe_occupancy(pe, form, false, false, 7, 13, 0, 23).cycles == 2 * 3 * 5);
    // Groups of 11 and 12: each padded to the depth.
    form.left_zero_point = false, form.term_ends = {11, 23};
    CHECK(pe_occupancy(pe, form, false, false, 4, 6, 0, 23).cycles == std::max(3, 4) + std::max(3, 4));
    CHECK(pe_occupancy(pe, form, false, false, 4, 6, 0, 23).flushes == 2 * 4 * 6);
    // Weight stationary: blocks of the depth, each writing 7 rows of sums back; the cycle that loads the next weights hides behind them.
    form.term_ends = {23};
    CHECK(pe_occupancy(pe, form, true, false, 7, 13, 0, 23).cycles == 3 * 5 * 7);
    CHECK(pe_occupancy({.rows = 4, .cols = 6, .depth = 5, .drain_rows = 4}, form, true, false, 7, 13, 0, 23).cycles == 3 * 5 * (2 + 1));
    // Sums of unequal sub-tiles wait for their bank: 6 + 2 cycles of drains meet 4 + 4 of streams, and cost one more than either.
    form.term_ends = {};
    CHECK(pe_occupancy({.rows = 6, .cols = 6, .depth = 5}, form, false, false, 8, 6, 0, 20).cycles == 9);
}

TEST_CASE("Operands wider than the ports take the passes of their parts", "[sim]") {
    const PeShape pe{.rows = 4, .cols = 4, .depth = 4, .weight_bits = 4, .activation_bits = 4};
    CHECK(streams(pe, {.left_bits = 8, .right_bits = 4}, false).first.passes == 2);
    CHECK(streams(pe, {.left_bits = 8, .right_bits = 8}, false).first.passes == 4);
    CHECK(streams(pe, {.left_bits = 4, .right_bits = 4, .prescaled = true}, false).first.passes == 6);  // 4 + 1 + 16 bits
    const PeShape fused{.rows = 4, .cols = 4, .depth = 4, .precision = PePrecision::fused, .multiplier = Multiplier::lut};
    CHECK(streams(fused, {.left_bits = 4, .right_bits = 4}, false).first.positions == 4 * 4);
    CHECK(streams(fused, {.left_bits = 4, .right_bits = 8}, false).first.positions == 4 * 2);
    CHECK(streams(fused, {.left_bits = 6, .right_bits = 6}, false).first.positions == 4 * 1);
    // DSP slices: as many more as their packing says.
    const PeShape packed{.rows = 4, .cols = 4, .depth = 4, .packing = kTwoAtEightBits};
    CHECK(streams(packed, {.left_bits = 4, .right_bits = 4}, false).first.positions == 4 * 2);
    CHECK(streams(packed, {.left_bits = 4, .right_bits = 8}, false).first.positions == 4 * 1);
    const PeShape unpacked{.rows = 4, .cols = 4, .depth = 4};
    CHECK(streams(unpacked, {.left_bits = 4, .right_bits = 4}, false).first.positions == 4 * 1);
}

TEST_CASE("A log operand is shifted by slices as their packing allows, or by shift-add lanes in one pass", "[sim]") {
    const PeShape slices{.rows = 4, .cols = 4, .depth = 4, .packing = kTwoAtEightBits};
    const auto code = [](int right_bits, int log_shift, int residues = 1) {
        return ProductForm{.left_bits = 4, .right_bits = right_bits, .left_is_log = true, .log_shift = log_shift, .num_residues = residues};
    };
    // One hot in 16 bits: with 4 bits two products a slice as at the ports, with 8 bits one, so two passes.
    CHECK(streams(slices, code(4, 15), false).first.passes == 1);
    CHECK(streams(slices, code(8, 15), false).first.passes == 2);
    // Beyond 16 bits in parts; residues take turns.
    CHECK(streams(slices, code(8, 20), false).first.passes == 4);
    CHECK(streams(slices, code(8, 15, 4), false).first.passes == 8);
    // One hot in 4 bits: four products where the ports hold two.
    CHECK(streams(slices, code(4, 3), false).first.passes == 1);
    CHECK(streams(slices, code(4, 3), false).first.positions == 4 * 2);
    CHECK(streams(slices, code(4, 3), false).first.positions == 8);
    // A right operand wider than its port enters in two halves.
    const PeShape narrow{.rows = 4, .cols = 4, .depth = 4, .weight_bits = 4, .activation_bits = 4, .packing = kTwoAtEightBits};
    CHECK(streams(narrow, code(8, 15), false).first.passes == 2 * 2);

    auto shifters = slices;
    shifters.shift_lanes = 3;
    CHECK(streams(shifters, code(8, 20, 4), false).first.passes == 1);
    CHECK(streams(shifters, code(8, 20, 4), false).first.positions == 3);
    // 10 positions in 4 steps of 3; four rows of sums of two residues drain in 8 cycles.
    auto form = code(8, 15);
    form.left_zero_point = false;
    CHECK(pe_occupancy(shifters, form, false, false, 4, 4, 0, 10).cycles == 4);
    form.num_residues = 2;
    CHECK(pe_occupancy(shifters, form, false, false, 4, 4, 0, 10).cycles == 8);
    shifters.drain_rows = 2;
    CHECK(pe_occupancy(shifters, form, false, false, 4, 4, 0, 10).cycles == 4);
}

TEST_CASE("A hybrid operand is a power and a step: one stream after the other in slices, side by side with shift-add lanes", "[sim]") {
    const PeShape slices{.rows = 4, .cols = 4, .depth = 4, .packing = kTwoAtEightBits};
    // Four bits, eight levels: shifts up to 7, one hot in 8 bits; steps of 3 bits.
    const ProductForm form{.left_bits = 3, .right_bits = 8, .left_is_log = true, .has_steps = true, .log_shift = 7, .left_zero_point = false};
    CHECK(form.num_sums() == 2);
    CHECK(pe_occupancy(slices, form, false, false, 4, 4, 0, 40).cycles == 10 + 10);
    CHECK(pe_occupancy(slices, form, false, false, 4, 4, 0, 8).cycles == 4 * 2);  // four rows of two sums leave
    CHECK(pe_occupancy(slices, form, false, false, 4, 4, 0, 40).flushes == 2 * 4 * 4);
    // Held weights: the powers' blocks, then the steps': four rows each.
    CHECK(pe_occupancy(slices, form, true, false, 4, 4, 0, 40).cycles == 10 * 4 + 10 * 4);
    auto narrow = form;
    narrow.right_bits = 4;  // steps of 3 bits by 4 pack twice as densely, one hot in 8 bits by 4 does not
    CHECK(pe_occupancy(slices, narrow, false, false, 4, 4, 0, 40).cycles == 10 + 5);

    auto shifters = slices;
    shifters.shift_lanes = 3;
    CHECK(pe_occupancy(shifters, form, false, false, 4, 4, 0, 40).cycles == 14);
    shifters.shift_lanes = 8;
    CHECK(pe_occupancy(shifters, form, false, false, 4, 4, 0, 40).cycles == 10);
}

TEST_CASE("Halving the DRAM bandwidth doubles a DRAM-bound layer and leaves a compute-bound one alone", "[sim]") {
    auto fast = base_design(), slow = base_design();
    fast.axi = slow.axi = {.ports = 8, .data_bits = 128, .outstanding = 16, .max_burst = 16};
    fast.dram.gb_per_s = 6.4, slow.dram.gb_per_s = 3.2;
    models::Graph add;
    const auto a = add.add_input("a", {1, 4096, 256}, 2), b = add.add_input("b", {1, 4096, 256}, 2);
    add.add("sum", models::Part::encoder, 0, models::Add{}, {a, b});
    fast.pe.cols = slow.pe.cols = 64;
    const auto ratio = static_cast<double>(cycles_of(add, slow)) / static_cast<double>(cycles_of(add, fast));
    CHECK(ratio >= 1.8);
    CHECK(ratio <= 2.01);

    fast.pe.cols = slow.pe.cols = 8;
    const auto compute = linear_graph(1024, 512, 512);
    const auto compute_ratio = static_cast<double>(cycles_of(compute, slow)) / static_cast<double>(cycles_of(compute, fast));
    CHECK(compute_ratio < 1.02);
}

TEST_CASE("Array size, softmax lanes and double buffering move latency as their bounds say", "[sim]") {
    const auto layer = linear_graph(1024, 512, 512);
    auto design = base_design();
    const auto reference = run(layer, design).segments[0];
    CHECK(reference.bounds.limiting() == Bound::compute);
    design.pe.depth = 16;
    const auto wide = run(layer, design).segments[0];
    CHECK(wide.bounds.compute * 2 == reference.bounds.compute);
    CHECK(static_cast<double>(reference.cycles) / static_cast<double>(wide.cycles) > 1.7);

    design = base_design();
    design.double_buffer = false;
    CHECK(run(layer, design).total.cycles > reference.cycles);

    models::Graph scores;
    const auto q = scores.add_input("q", {4, 128, 16}, 2), k = scores.add_input("k", {4, 128, 16}, 2),
               v = scores.add_input("v", {4, 128, 16}, 2);
    const auto qk = scores.add("qk", models::Part::encoder, 0, models::MatMul{.transpose_right = true}, {q, k});
    scores.add("pv", models::Part::encoder, 0, models::MatMul{},
               {scores.add("softmax", models::Part::encoder, 0, models::Softmax{}, {qk}), v});
    design = base_design();
    design.softmax_lanes = 2;
    const auto few = run(scores, design).segments[0];
    CHECK(few.kind == "attention");
    CHECK(few.bounds.limiting() == Bound::vector);
    design.softmax_lanes = 4;
    const auto ratio = static_cast<double>(few.cycles) / static_cast<double>(run(scores, design).segments[0].cycles);
    CHECK(ratio > 1.7);
    CHECK(ratio <= 2.01);
}

TEST_CASE("Equal segments take equal cycles whether simulated once or each time", "[sim]") {
    const auto graph = models::build_sam(small_config(3, {}));
    const auto once = run(graph, base_design()), each = run(graph, base_design(), {}, {.reuse = false});
    REQUIRE(once.segments.size() == each.segments.size());
    int reused = 0;
    for (std::size_t i = 0; i < once.segments.size(); ++i) {
        INFO(once.segments[i].name);
        CHECK(once.segments[i].cycles == each.segments[i].cycles);
        CHECK(once.segments[i].dram.bytes_read == each.segments[i].dram.bytes_read);
        reused += once.segments[i].reused;
    }
    CHECK(segment(once, "encoder.block1.qkv").reused);
    CHECK(reused > 20);
    CHECK(once.total.cycles == each.total.cycles);
}

TEST_CASE("Prefetching the next segment's weights and keeping weights on chip both save time", "[sim]") {
    const auto graph = models::build_sam(small_config(3, {}));
    auto design = base_design();
    const auto plain = run(graph, design);
    design.layer_overlap = true;
    const auto overlapped = run(graph, design), again = run(graph, design, {}, {.reuse = false});
    CHECK(overlapped.total.cycles < plain.total.cycles);
    CHECK(overlapped.total.cycles == again.total.cycles);
    CHECK(overlapped.total.dram.bytes_read == plain.total.dram.bytes_read);
    design = base_design();
    design.weights = WeightPlacement::resident;
    CHECK(run(graph, design).total.dram.bytes_read < plain.total.dram.bytes_read);
    design.buffers.weight_kib = 32;
    CHECK(simulate(graph, quant::make_plan(graph, {}), design).infeasible.find("hw.weights: resident needs") == 0);
}

TEST_CASE("Every node of the graph is computed in one segment or listed", "[sim]") {
    const auto graph = models::build_sam(small_config(3, {}));
    for (auto form : {AttentionFusion::fused_row, AttentionFusion::fused_recompute, AttentionFusion::unfused}) {
        auto design = base_design();
        design.attention = form;
        const auto result = run(graph, design);
        std::map<std::string, int> seen;
        for (const auto& stats : result.segments) {
            for (const auto& name : stats.nodes) ++seen[name];
        }
        for (const auto& constant : result.constants) ++seen[constant.name];
        for (const auto& host : result.host_ops) ++seen[host.name];
        std::int64_t macs = 0;
        for (const auto& node : graph.nodes()) {
            INFO(node.name);
            CHECK(seen[node.name] == 1);
            macs += models::num_macs(graph, node);
        }
        CHECK(result.total.macs.useful == macs);
    }
}

TEST_CASE("Scores that are made again take products for memory: rows need not fit, and each stage of the softmax but the first costs their products once more", "[sim]") {
    const auto graph = models::build_sam(small_config(3, {0, 1, 2}));
    std::int64_t score_macs = 0;
    for (const auto& core : Partitioner::attention_candidates(graph)) score_macs += models::num_macs(graph, graph.node(core.main));
    REQUIRE(score_macs > 0);
    for (const auto scheme : {quant::SoftmaxScheme::log, quant::SoftmaxScheme::uniform}) {
        quant::Settings settings;
        settings.softmax.scheme = scheme, settings.softmax.scale = quant::ScaleMode::row;
        if (scheme == quant::SoftmaxScheme::uniform) settings.softmax.bits = 8;
        const int stages = scheme == quant::SoftmaxScheme::log ? 2 : 3;  // docs/numerics.md section 4: codes relative to the maximum, or to a sum
        auto design = base_design();
        design.attention = AttentionFusion::fused_row;
        const auto rows = run(graph, design, settings);
        design.attention = AttentionFusion::fused_recompute;
        const auto again = run(graph, design, settings);
        CHECK(again.total.macs.useful == rows.total.macs.useful);
        CHECK(again.total.macs.recompute - rows.total.macs.recompute == (stages - 1) * score_macs);
        CHECK(again.total.cycles > rows.total.cycles);
        CHECK(again.total.dram.bytes_written == rows.total.dram.bytes_written);
        // A row of scores and its terms no longer fit; a tile of them does.
        design.buffers.score_kib = 1;
        design.attention = AttentionFusion::fused_row;
        CHECK(simulate(graph, quant::make_plan(graph, settings), design).infeasible.find("score buffer overflows") != std::string::npos);
        design.attention = AttentionFusion::fused_recompute;
        CHECK(run(graph, design, settings).total.macs.recompute == again.total.macs.recompute);
        design.attention = AttentionFusion::unfused;
        CHECK(run(graph, design, settings).total.dram.bytes_written > again.total.dram.bytes_written);
    }
}

TEST_CASE("Random shapes keep every invariant and finish above their bounds", "[sim]") {
    std::mt19937 random(3);
    const auto pick = [&](int lo, int hi) { return std::uniform_int_distribution<std::int64_t>(lo, hi)(random); };
    for (int trial = 0; trial < 40; ++trial) {
        auto design = base_design();
        design.pe.rows = static_cast<int>(pick(1, 12)), design.pe.cols = static_cast<int>(pick(1, 12)),
        design.pe.depth = static_cast<int>(pick(1, 12));
        design.buffers = {.weight_kib = static_cast<int>(pick(4, 64)),
                          .activation_kib = static_cast<int>(pick(4, 64)),
                          .partial_sum_kib = static_cast<int>(pick(4, 64)),
                          .score_kib = 16};
        design.axi.ports = static_cast<int>(pick(1, 4)), design.dram.channels = static_cast<int>(pick(1, 2));
        design.double_buffer = pick(0, 1) != 0;
        quant::Settings settings;
        settings.weight_bits = static_cast<int>(pick(2, 8)), settings.activation_bits = static_cast<int>(pick(2, 8));
        const auto rows = pick(1, 70), in = pick(1, 90), out = pick(1, 80);
        INFO("trial " << trial << ": " << rows << " x " << in << " x " << out);
        CHECK_NOTHROW(run(linear_graph(rows, in, out), design, settings));
    }
}

TEST_CASE("A tile that fits nowhere is infeasible with its reason", "[sim]") {
    auto design = base_design();
    design.buffers.weight_kib = 0;
    const auto graph = linear_graph(16, 512, 16);
    const auto result = simulate(graph, quant::make_plan(graph, {}), design);
    CHECK(result.infeasible == "layer: with the smallest tile the weight buffer overflows by 0.25 KiB: tiles take 0.25 KiB of 0.00 KiB");
}
