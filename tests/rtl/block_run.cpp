// SPDX-License-Identifier: Apache-2.0
#include "tests/rtl/block_run.hpp"

#include <fmt/format.h>

#include <sstream>

#include "sim/datapath/session.hpp"
#include "sim/mapping/build_program.hpp"
#include "tests/sim/datapath/kernel_bench.hpp"

namespace prelude::rtl {

using namespace sim;

namespace {

constexpr int kBlock = 0;

}  // namespace

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

quant::Words engine_words(const sim::testing::RandomNetwork& network) {
    std::vector<models::ValueId> wanted;
    for (const auto& node : network.graph.nodes()) wanted.push_back(node.output);
    quant::Words given(network.inputs.begin(), network.inputs.end());
    auto all = quant::Engine(network.graph, network.quantized).run(given, wanted);
    all.insert(given.begin(), given.end());
    return all;
}

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

Cycle BlockRun::cycles() const {
    Cycle sum = 0;
    for (const auto& segment : segments) sum += segment.cycles;
    return sum;
}

std::int64_t BlockRun::different_words() const {
    std::int64_t sum = 0;
    for (const auto& segment : segments) sum += segment.different_words;
    return sum;
}

BlockRun run_block(const sim::testing::RandomNetwork& network, const quant::Words& words, const Design& design, Engines engines) {
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
        const auto substitutes = engines == Engines::rtl ? RtlDatapath::substitutes(models) : Substitutes{};
        Session session(layout, plan, hardware, engines == Engines::timing ? nullptr : &input, false, &substitutes);
        std::string lines;
        for (const auto& segment : partition.segments) {
            if (segment.block != kBlock) continue;
            const auto program = build_program({graph, plan, hardware, layout}, segment);
            if (!program.mapping.infeasible.empty()) return "problem " + segment.name + ": " + program.mapping.infeasible;
            SegmentStats stats;
            session.run(program, stats);
            if (models) models->end_segment();
            std::int64_t different = 0;
            if (engines != Engines::timing) {
                const auto& expected = words.at(segment.output);
                const auto got = session.words(segment.output);
                for (std::size_t i = 0; i < static_cast<std::size_t>(expected.num_elements()); ++i) different += got[i] != expected[i] ? 1 : 0;
            }
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

}  // namespace prelude::rtl
