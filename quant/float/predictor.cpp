// SPDX-License-Identifier: Apache-2.0
#include "quant/float/predictor.hpp"

#include <algorithm>

namespace prelude::quant {

namespace {

constexpr std::size_t kMaxWalks = 16;

models::ValueId id_of(const models::Graph& graph, std::string_view name) {
    const auto id = graph.find_value(name);
    models::check(id.has_value(), "float predictor: the graph has no such value");
    return *id;
}

}  // namespace

const FloatPredictor::Walk& FloatPredictor::walk(models::SamWorkload workload) {
    workload.one_format = true;
    auto found = std::ranges::find_if(walks_, [&](const auto& walk) { return walk->workload == workload; });
    if (found == walks_.end()) {
        if (walks_.size() == kMaxWalks) walks_.pop_back();
        walks_.push_back(std::make_unique<Walk>(floats_, workload));
        found = walks_.end() - 1;
    }
    std::rotate(walks_.begin(), found, found + 1);
    return *walks_.front();
}

models::EncodedImage FloatPredictor::encode(const models::Image& image, const FloatEngine::Hook& hook) {
    auto [input, frame] = models::preprocess(image, static_cast<int>(floats_.config.image_size));
    const auto& [workload, graph, engine] = walk({});
    const auto embedding = id_of(graph, models::sam_values::kImageEmbedding);
    FloatEngine::Values given;
    given.emplace(id_of(graph, models::sam_values::kImage), std::move(input));
    auto values = engine.run(std::move(given), std::vector{embedding}, hook);
    return {std::move(values.at(embedding)), frame};
}

models::Prediction FloatPredictor::predict(const models::EncodedImage& image, const models::Prompt& prompt, models::MaskSelection selection,
                                           const FloatEngine::Hook& hook) {
    if (prompt.mask) throw models::DataError("mask prompts are not available on the datapath in this version");
    if (prompt.points.empty() && !prompt.box) throw models::DataError("prompt: no point and no box");
    const auto& [workload, graph, engine] = walk(models::workload_of(prompt, image.frame, selection, floats_.config));
    auto given = models::prompt_values(graph, models::to_input_frame(prompt, image.frame));
    given.emplace(id_of(graph, models::sam_values::kImageEmbedding), image.embedding);
    const auto masks = id_of(graph, models::sam_values::kMasks), low_res = id_of(graph, models::sam_values::kLowResLogits), iou = id_of(graph, models::sam_values::kIou);
    auto results = engine.run(std::move(given), std::vector{masks, low_res, iou}, hook);
    return models::prediction_of(graph, workload, std::move(results));
}

FloatEngine::Values float_inputs(const models::Graph& graph, const models::Tensor& image, const models::Prompt& prompt) {
    auto given = models::prompt_values(graph, prompt);
    given.emplace(id_of(graph, models::sam_values::kImage), image);
    return given;
}

}  // namespace prelude::quant
