// SPDX-License-Identifier: Apache-2.0
#include "sim/segment_runner.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "quant/glob.hpp"
#include "sim/bounds.hpp"
#include "sim/lower_bound.hpp"
#include "sim/mapping/search.hpp"

namespace prelude::sim {

namespace {

/// A candidate this close to the lower bound of all mappings is chosen without asking the others.
constexpr double kEnough = 0.02;
/// Candidates of this many batches or more are compared on a share of them.
constexpr std::int64_t kManyBatches = 8, kBatchShare = 12;

}  // namespace

const PinnedMapping* pinned(const Options& options, const Segment& segment) {
    const auto found = std::find_if(options.pinned.rbegin(), options.pinned.rend(), [&](const auto& entry) { return quant::glob_matches(entry.pattern, segment.name); });
    return found == options.pinned.rend() ? nullptr : &*found;
}

SegmentStats describe(const models::Graph& graph, const quant::FormatPlan& plan, const Program& program) {
    const auto& segment = program.segment;
    SegmentStats stats{.name = segment.name,
                       .kind = segment.operator_name,
                       .part = segment.part,
                       .block = segment.block,
                       .mapping = program.mapping.to_string()};
    for (auto id : segment.nodes) stats.nodes.push_back(graph.node(id).name);
    if (!program.products.empty()) {
        stats.m = program.rows, stats.n = program.cols, stats.k = program.depth, stats.batch = program.batch;
        stats.left_bits = program.products[0].form.left_word_bits, stats.right_bits = program.products[0].form.right_bits;
    }
    const auto& output = graph.value(segment.output);
    stats.bytes_produced = packed_bytes(output, plan.format(output.name).bits);
    stats.compulsory_bytes = stats.bytes_produced;
    for (const auto& operand : program.operands) {
        std::int64_t bytes = 0;
        if (operand.map) {
            std::int64_t words = 0;
            for (auto source : operand.map->sources()) words += graph.value(source).shape.num_elements();
            bytes =
                (std::min(words, operand.map->overlaps() ? words : operand.map->batches() * operand.map->rows() * operand.map->depth()) *
                 operand.bits) /
                8;
        } else if (!operand.resident) {
            std::int64_t words = 0;
            if (operand.kind == OperandSource::Kind::weights && operand.row_words > 0) words = program.cols * operand.row_words;
            if (operand.kind == OperandSource::Kind::tables) words = models::num_parameters(graph, graph.node(operand.node));
            bytes = words * operand.bits / 8;
            stats.weight_bytes += bytes;
        }
        stats.compulsory_bytes += bytes;
    }
    return stats;
}

SegmentStats SegmentRunner::run(const Program& program, Session::Words words) {
    auto stats = describe(layout_.graph, plan_, program);
    session_.run(program, stats, words);
    stats.roofline_cycles = roofline_cycles(hardware_, stats);
    if (auto problem = broken_invariant(program, stats); !problem.empty()) throw SimulationError(problem);
    return stats;
}

SegmentRunner::Choice SegmentRunner::choose(const Segment& segment) {
    auto setting = context();
    if (const auto* given = pinned(options_, segment)) {
        setting.pinned = &given->mapping;
        return {build_program(setting, segment), std::nullopt};
    }
    const auto key = segment_key(layout_.graph, plan_, segment);
    if (const auto known = chosen_.find(key); known != chosen_.end()) {
        setting.pinned = &known->second;
        return {build_program(setting, segment), std::nullopt};
    }
    auto first = build_program(setting, segment);
    if (first.alternatives.empty()) return {std::move(first), std::nullopt};

    const bool sampled = first.batch >= kManyBatches;
    if (sampled) setting.max_batches = ceil_div(first.batch, kBatchShare);
    const auto share = sampled ? static_cast<double>(setting.max_batches) / static_cast<double>(first.batch) : 1.0;
    const auto enough = (1 + kEnough) * share * static_cast<double>(lower_bound(hardware_, layout_.graph, plan_, first, hardware_.slots));
    const auto measure = [&](const Mapping& mapping) -> Choice {
        setting.pinned = &mapping;
        auto program = build_program(setting, segment);
        if (!sampled) {
            auto stats = run(program, Session::Words::none);
            return {std::move(program), std::move(stats)};
        }
        auto stats = describe(layout_.graph, plan_, program);
        session_.run(program, stats, Session::Words::none);
        return {std::move(program), std::move(stats)};
    };
    const auto alternatives = std::move(first.alternatives);
    auto best = measure(first.mapping);
    for (const auto& mapping : alternatives) {
        if (static_cast<double>(best.stats->cycles) <= enough) break;
        if (auto other = measure(mapping); other.stats->cycles < best.stats->cycles) best = std::move(other);
    }
    const auto& chosen = chosen_.emplace(key, best.program.mapping).first->second;
    if (!sampled) return best;
    setting.pinned = &chosen;
    setting.max_batches = 0;
    return {build_program(setting, segment), std::nullopt};
}

}  // namespace prelude::sim
