// SPDX-License-Identifier: Apache-2.0
#include "experiments/handoff/design.hpp"

#include "experiments/handoff/selection.hpp"
#include "models/graph/subgraph.hpp"
#include "quant/predictor.hpp"

namespace prelude::experiments {

HandedPart hand_over(const quant::QuantizedGraph& quantized, const models::EvaluationImage& item, std::span<const std::string> patterns,
                     std::span<const std::string> units) {
    const auto& prompt = item.prompts.front().prompt;
    auto [pixels, frame] = quant::pixel_words(item.image, static_cast<int>(quantized.config.image_size));
    HandedPart handed{.workload = models::workload_of(prompt, frame, models::MaskSelection::single, quantized.config),
                      .part = {},
                      .nodes = {},
                      .quantized = {},
                      .words = {}};
    const auto whole = models::build_sam(quantized.config, handed.workload);
    const auto nodes = select_nodes(whole, patterns, units);
    for (const auto id : nodes) handed.nodes.push_back(whole.node(id).name);
    handed.part = models::subgraph(whole, nodes);
    handed.quantized = quant::restricted_to(quantized, handed.part);

    auto inputs = quant::prompt_words(whole, models::to_input_frame(prompt, frame));
    inputs.emplace(*whole.find_value(models::sam_values::kImage), std::move(pixels));
    std::vector<models::ValueId> wanted;
    for (const auto& value : handed.part.values()) wanted.push_back(*whole.find_value(value.name));
    const quant::Engine engine(whole, quantized);
    for (auto& [id, words] : engine.run(std::move(inputs), wanted))
        handed.words.emplace(*handed.part.find_value(whole.value(id).name), std::move(words));
    return handed;
}

std::map<std::string, sim::Mapping, std::less<>> mappings_of(const HandedPart& handed, const DesignPoint& design) {
    std::map<std::string, sim::Mapping, std::less<>> mappings;
    if (!design.infeasible.empty()) return mappings;
    for (auto& [segment, mapping, problems, pinned] :
         sim::plan_mappings(handed.part, handed.quantized.plan, design.design, simulation_options(design, {})))
        if (mapping.infeasible.empty()) mappings.emplace(segment, std::move(mapping));
    return mappings;
}

}  // namespace prelude::experiments
