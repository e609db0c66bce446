// SPDX-License-Identifier: Apache-2.0
// One encoder block with verilated engines, buffers and array between the datapath's controller and its memory: the words of the integer engine, and the
// cycles of the transaction-level units.
#include <catch2/catch.hpp>

#include <fmt/format.h>

#include <sstream>

#include "sim/datapath/session.hpp"
#include "sim/mapping/build_program.hpp"
#include "tests/rtl/rtl_datapath.hpp"
#include "tests/sim/datapath/kernel_bench.hpp"
#include "tests/sim/random_network.hpp"

using namespace prelude;
using namespace prelude::rtl;
using namespace prelude::sim;

namespace {

constexpr int kBlock = 0;

/// A picture of 256 tokens in four windows, 128 channels, four heads.
sim::testing::RandomNetwork small_network() {
    models::SamConfig config;
    config.image_size = 128, config.patch_size = 8, config.width = 128, config.mlp_width = 512, config.depth = 2, config.num_heads = 4;
    config.window_size = 8, config.global_blocks = {1};
    config.prompt_width = 8, config.mask_in_channels = 8, config.decoder_heads = 2, config.decoder_mlp_width = 16, config.iou_head_width = 8;
    quant::Settings settings;
    settings.weight_bits = settings.activation_bits = 8;
    settings.softmax = {.scheme = quant::SoftmaxScheme::uniform, .bits = 8};
    return sim::testing::randomise(models::build_sam(config), config, settings, 17);
}

/// What all designs of this test have in common: the parameters the models were verilated with.
Design block_design() {
    Design design;
    design.clock_mhz = 200;
    design.dram.gb_per_s = 12.8;
    design.pe = {.rows = EngineShape::kRows, .cols = EngineShape::kCols, .depth = EngineShape::kDepth, .drain_rows = EngineShape::kDrainRows, .precision = PePrecision::fixed};
    design.buffers = {.weight_kib = 64, .activation_kib = 64, .partial_sum_kib = 64, .score_kib = 64};
    design.softmax_lanes = 64, design.layernorm_lanes = 32, design.gelu_lanes = 32;
    design.axi = {.ports = 2, .data_bits = 64, .outstanding = 8, .max_burst = 16};
    design.dataflow = Dataflow::output_stationary;
    design.attention = AttentionFusion::fused_row;
    return design;
}

struct SegmentRun {
    std::string name;
    Cycle cycles = 0;
    int bound = 0;
    std::int64_t different_words = 0;
};
struct BlockRun {
    std::vector<SegmentRun> segments;
    Differences found;
    std::string problem;
    [[nodiscard]] Cycle cycles() const {
        Cycle sum = 0;
        for (const auto& segment : segments) sum += segment.cycles;
        return sum;
    }
    [[nodiscard]] std::int64_t different_words() const {
        std::int64_t sum = 0;
        for (const auto& segment : segments) sum += segment.different_words;
        return sum;
    }
};

/// Runs every segment of the block, each on the words that those before it wrote.
BlockRun run_block(const sim::testing::RandomNetwork& network, const quant::Words& words, const Design& design, bool rtl) {
    const auto text = sim::testing::in_kernel([&] {
        const auto& graph = network.graph;
        const auto& plan = network.quantized.plan;
        const auto hardware = resolve(design, plan);
        std::vector<models::NodeId> fused;
        for (const auto& candidate : Partitioner::attention_candidates(graph)) fused.push_back(candidate.main);
        const auto partition = Partitioner(graph, plan, {models::Part::encoder}).run(fused);
        const Layout layout{graph, partition.written};
        FunctionalInput input{.quantized = &network.quantized, .inputs = {words.begin(), words.end()}, .wanted = {}};
        for (const auto& segment : partition.segments) {  // the block makes its own
            if (segment.block != kBlock) continue;
            for (auto id : segment.nodes) input.inputs.erase(graph.node(id).output);
        }
        std::unique_ptr<RtlDatapath> models;
        const auto substitutes = rtl ? RtlDatapath::substitutes(models) : Substitutes{};
        Session session(layout, plan, hardware, &input, false, &substitutes);
        std::string lines;
        for (const auto& segment : partition.segments) {
            if (segment.block != kBlock) continue;
            const auto program = build_program({graph, plan, hardware, layout}, segment);
            if (!program.mapping.infeasible.empty()) return "problem " + segment.name + ": " + program.mapping.infeasible;
            SegmentStats stats;
            session.run(program, stats);
            if (models) models->end_segment();
            const auto& expected = words.at(segment.output);
            const auto got = session.words(segment.output);
            std::int64_t different = 0;
            for (std::size_t i = 0; i < static_cast<std::size_t>(expected.num_elements()); ++i) different += got[i] != expected[i] ? 1 : 0;
            lines += fmt::format("segment {} {} {} {}\n", segment.name, stats.cycles, static_cast<int>(stats.bounds.limiting()), different);
        }
        const auto found = models ? models->differences() : Differences{};
        return lines + fmt::format("models {} {} {}\n", found.loaded_bytes, found.stored_bytes, found.relative_sums);
    });
    BlockRun result;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words_of(line);
        std::string kind;
        words_of >> kind;
        if (kind == "segment") {
            auto& segment = result.segments.emplace_back();
            words_of >> segment.name >> segment.cycles >> segment.bound >> segment.different_words;
        } else if (kind == "models") {
            words_of >> result.found.loaded_bytes >> result.found.stored_bytes >> result.found.relative_sums;
        } else {
            result.problem += line + "\n";
        }
    }
    return result;
}

void check_block(const Design& design, Bound bound) {
    static const auto network = small_network();
    static const auto words = [] {
        std::vector<models::ValueId> wanted;
        for (const auto& node : network.graph.nodes()) wanted.push_back(node.output);
        quant::Words given(network.inputs.begin(), network.inputs.end());
        auto all = quant::Engine(network.graph, network.quantized).run(given, wanted);
        all.insert(given.begin(), given.end());
        return all;
    }();
    const auto model = run_block(network, words, design, false), rtl = run_block(network, words, design, true);
    INFO(model.problem << rtl.problem);
    REQUIRE(model.segments.size() == rtl.segments.size());
    REQUIRE(model.segments.size() >= 5);
    std::array<Cycle, 3> bounds{};
    std::string cycles;
    for (std::size_t i = 0; i < model.segments.size(); ++i) {
        bounds[static_cast<std::size_t>(model.segments[i].bound)] += model.segments[i].cycles;
        cycles += fmt::format("{}: {}-bound, model {} cycles, RTL {}\n", model.segments[i].name, kBoundNames[static_cast<std::size_t>(model.segments[i].bound)],
                              model.segments[i].cycles, rtl.segments[i].cycles);
    }
    INFO(cycles << "block: model " << model.cycles() << ", RTL " << rtl.cycles());
    CHECK(rtl.problem.empty());
    CHECK(model.different_words() == 0);
    CHECK(rtl.different_words() == 0);
    CHECK(rtl.found.loaded_bytes == 0);
    CHECK(rtl.found.stored_bytes == 0);
    CHECK(rtl.found.relative_sums == 0);
    CHECK(std::ranges::max_element(bounds) - bounds.begin() == static_cast<std::ptrdiff_t>(bound));
    CHECK(std::abs(static_cast<double>(rtl.cycles() - model.cycles())) <= 0.05 * static_cast<double>(model.cycles()));
}

}  // namespace

TEST_CASE("An encoder block on verilated engines, buffers and array has the words and within 5 % the cycles of the model where the array is the bound", "[rtl]") {
    check_block(block_design(), Bound::compute);
}

TEST_CASE("An encoder block on verilated engines, buffers and array has the words and within 5 % the cycles of the model where DRAM is the bound", "[rtl]") {
    auto design = block_design();
    design.dram.gb_per_s = 0.8;
    check_block(design, Bound::memory);
}

TEST_CASE("An encoder block on verilated engines, buffers and array has the words and within 5 % the cycles of the model where vector units are the bound", "[rtl]") {
    auto design = block_design();
    design.softmax_lanes = design.layernorm_lanes = design.gelu_lanes = 1;
    check_block(design, Bound::vector);
}
