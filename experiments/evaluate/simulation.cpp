// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "experiments/evaluate/hardware.hpp"
#include "experiments/evaluate/stats_json.hpp"
#include "quant/float/predictor.hpp"
#include "quant/float/words.hpp"
#include "quant/glob.hpp"
#include "quant/predictor.hpp"
#include "sim/trace.hpp"

namespace prelude::experiments {

namespace {

using nlohmann::json;

/// Encoders beyond are not simulated word by word: some minutes, and some gigabytes of scores.
constexpr std::int64_t kMaxCheckedMacs = 10'000'000'000;

std::int64_t macs_of_encoder(const models::Graph& graph) {
    std::int64_t macs = 0;
    for (const auto& node : graph.nodes()) macs += node.part == models::Part::encoder ? models::num_macs(graph, node) : 0;
    return macs;
}

/// Values worth comparing: what a node computes, of the encoder if it is simulated. Constants are inputs of both sides, movements are read through.
std::vector<models::ValueId> computed_values(const models::Graph& graph, bool with_encoder) {
    std::vector<models::ValueId> values;
    for (const auto& node : graph.nodes()) {
        if (node.part == models::Part::encoder && !with_encoder) continue;
        const bool constant = std::holds_alternative<models::Parameter>(node.op) || std::holds_alternative<models::DensePositionCode>(node.op);
        const bool moved = std::holds_alternative<models::Rearrange>(node.op) || std::holds_alternative<models::WindowPartition>(node.op) ||
                           std::holds_alternative<models::WindowUnpartition>(node.op) || std::holds_alternative<models::Concat>(node.op);
        if (!constant && !moved) values.push_back(node.output);
    }
    return values;
}

/// Runs the datapath on `inputs` and compares every value with what `engine(words, wanted)` gives.
template <class Engine>
json compare_bits(const DesignPoint& point, const models::Graph& graph, quant::Words inputs, sim::FunctionalInput functional, const Engine& engine) {
    const auto encoder_macs = macs_of_encoder(graph);
    const bool whole = encoder_macs <= kMaxCheckedMacs;
    if (!whole) {
        const auto embedding = *graph.find_value(models::sam_values::kImageEmbedding);
        auto encoded = engine(inputs, std::vector{embedding});
        inputs.erase(*graph.find_value(models::sam_values::kImage));
        inputs.merge(encoded);
    }
    const auto wanted = computed_values(graph, whole);
    const auto expected = engine(inputs, wanted);

    functional.inputs = inputs, functional.wanted = wanted;
    const auto result = sim::simulate(graph, point.plan, point.design, simulation_options(point, {.parts = whole ? WorkloadParts::all : WorkloadParts::decoder}), &functional);
    json verdict{{"equal", true}, {"detail", ""}, {"values", wanted.size()}, {"warnings", json::array()}};
    if (!whole) {
        verdict["warnings"].push_back(fmt::format("bits are checked from the image embedding on: word by word, the {:.0f} GMAC of the encoder would take too long",
                                                  static_cast<double>(encoder_macs) * 1e-9));
    }
    if (!result.infeasible.empty()) return {{"infeasible", result.infeasible}};
    verdict["whole"] = whole;
    verdict["toggles"] = json::object();
    for (const auto& segment : result.segments)
        if (segment.toggles.rate()) verdict["toggles"][segment.name] = to_json(segment.toggles);
    const auto differs = [&](std::string detail) {
        verdict["equal"] = false, verdict["detail"] = std::move(detail);
        return verdict;
    };
    std::int64_t words = 0;
    for (const auto id : wanted) {
        const auto& name = graph.value(id).name;
        const auto found = result.outputs.find(id);
        if (found == result.outputs.end()) return differs("bit check: the datapath did not produce " + name);
        const auto &a = expected.at(id), &b = found->second;
        words += a.num_elements();
        if (a == b) continue;
        std::int64_t at = 0;
        while (at < a.num_elements() && a[static_cast<std::size_t>(at)] == b[static_cast<std::size_t>(at)]) ++at;
        return differs(fmt::format("bit check: {} differs first at word {}: engine {}, datapath {}", name, at, a[static_cast<std::size_t>(at)], b[static_cast<std::size_t>(at)]));
    }
    verdict["words"] = words;
    return verdict;
}

}  // namespace

json simulate_timing(const DesignPoint& point, const WorkloadSettings& workload, const std::filesystem::path& trace) {
    auto options = simulation_options(point, workload);
    options.timeline = !trace.empty();
    const auto result = sim::simulate(point.graph, point.plan, point.design, options);
    if (!trace.empty() && result.infeasible.empty()) sim::write_trace(trace, result, point.design.clock_mhz);
    json segments = json::array(), host_ops = json::array(), warnings = json::array();
    for (const auto& entry : options.pinned) {
        const auto names = [&](const sim::SegmentStats& segment) { return quant::glob_matches(entry.pattern, segment.name); };
        if (result.infeasible.empty() && std::ranges::none_of(result.segments, names)) warnings.push_back("hw.mapping: this design has no segment " + entry.pattern);
    }
    for (const auto& segment : result.segments) segments.push_back(to_json(segment));
    for (const auto& op : result.host_ops) host_ops.push_back({op.name, op.bytes});
    return {{"segments", segments}, {"infeasible", result.infeasible}, {"host_ops", host_ops}, {"warnings", warnings}};
}

json check_bits(const DesignPoint& point, const quant::QuantizedGraph& quantized, const models::EvaluationImage& item) {
    const auto& prompt = item.prompts.front().prompt;
    auto [pixels, frame] = quant::pixel_words(item.image, static_cast<int>(quantized.config.image_size));
    const auto graph = models::build_sam(quantized.config, models::workload_of(prompt, frame, models::MaskSelection::single, quantized.config));
    auto inputs = quant::prompt_words(graph, models::to_input_frame(prompt, frame));
    inputs.emplace(*graph.find_value(models::sam_values::kImage), std::move(pixels));
    const quant::Engine engine(graph, quantized);
    return compare_bits(point, graph, std::move(inputs), {.quantized = &quantized, .inputs = {}, .wanted = {}},
                        [&](const quant::Words& given, const std::vector<models::ValueId>& wanted) { return engine.run(given, wanted); });
}

json check_bits(const DesignPoint& point, const quant::FloatGraph& floats, const models::EvaluationImage& item) {
    const auto& prompt = item.prompts.front().prompt;
    auto [image, frame] = models::preprocess(item.image, static_cast<int>(floats.config.image_size));
    auto workload = models::workload_of(prompt, frame, models::MaskSelection::single, floats.config);
    workload.one_format = true;
    const auto graph = models::build_sam(floats.config, workload);
    const auto format_of = [&](models::ValueId id) -> const quant::Format& { return floats.plan.format(graph.value(id).name); };
    quant::Words inputs;
    for (auto& [id, values] : quant::float_inputs(graph, image, models::to_input_frame(prompt, frame))) {
        models::Tensor stored = values;
        for (auto& value : stored.values()) value = quant::floating::stored(format_of(id).bits, value);
        inputs.emplace(id, quant::float_words(format_of(id), stored));
    }
    const quant::FloatEngine engine(graph, floats);
    const auto run = [&](const quant::Words& given, const std::vector<models::ValueId>& wanted) {
        quant::FloatEngine::Values values;
        for (const auto& [id, words] : given) values.emplace(id, quant::float_values(format_of(id), words));
        quant::Words results;
        for (const auto& [id, tensor] : engine.run(std::move(values), wanted)) results.emplace(id, quant::float_words(format_of(id), tensor));
        return results;
    };
    return compare_bits(point, graph, std::move(inputs), {.floats = &floats, .inputs = {}, .wanted = {}}, run);
}

}  // namespace prelude::experiments
