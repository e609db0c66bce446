// SPDX-License-Identifier: Apache-2.0
#include "models/predictor.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "models/error.hpp"
#include "models/metrics.hpp"

namespace prelude::models {

namespace {

/// Data sets hold pictures of many sizes; each size is a workload.
constexpr std::size_t kMaxWalks = 16;

ValueId id_of(const Graph& graph, std::string_view name) {
    const auto id = graph.find_value(name);
    check(id.has_value(), "predictor: the graph has no such value");
    return *id;
}

}  // namespace

std::size_t Prediction::best() const {
    return static_cast<std::size_t>(std::ranges::max_element(iou) - iou.begin());
}

Mask Prediction::mask(std::size_t index) const {
    const auto height = masks.shape()[1], width = masks.shape()[2];
    const auto plane = static_cast<std::size_t>(height * width);
    return binarize(masks.values().subspan(index * plane, plane), static_cast<int>(width), static_cast<int>(height));
}

ReferenceExecutor::Values prompt_values(const Graph& graph, const Prompt& prompt) {
    ReferenceExecutor::Values values;
    auto tokens = prompt_tokens(prompt);
    if (tokens.labels.num_elements() > 0) {
        values.emplace(id_of(graph, sam_values::kPromptCoordinates), std::move(tokens.coordinates));
        values.emplace(id_of(graph, sam_values::kPromptLabels), std::move(tokens.labels));
    }
    if (prompt.mask) {
        const auto id = id_of(graph, sam_values::kMaskPrompt);
        const auto& shape = graph.value(id).shape;
        if (prompt.mask->shape() != shape) {
            throw DataError(fmt::format("mask prompt: shape {}, this model takes {}", prompt.mask->shape().to_string(), shape.to_string()));
        }
        values.emplace(id, *prompt.mask);
    }
    return values;
}

SamWorkload workload_of(const Prompt& prompt, const Frame& frame, MaskSelection selection, const SamConfig& config) {
    const auto num_points = static_cast<std::int64_t>(prompt.points.size());
    const bool multi = selection == MaskSelection::multi;
    return {.num_prompt_tokens = prompt.box ? num_points + 2 : num_points + (num_points > 0 ? 1 : 0),
            .mask_prompt = prompt.mask.has_value(),
            .first_mask = multi ? 1 : 0,
            .num_masks = multi ? config.num_multimask_outputs : 1,
            .input_height = frame.input_height,
            .input_width = frame.input_width,
            .original_height = frame.original_height,
            .original_width = frame.original_width};
}

Prediction prediction_of(const Graph& graph, const SamWorkload& workload, ReferenceExecutor::Values results) {
    const auto masks = id_of(graph, sam_values::kMasks), low_res = id_of(graph, sam_values::kLowResLogits), iou = id_of(graph, sam_values::kIou);
    const auto num_masks = workload.num_masks;
    const auto chosen = [&](const Tensor& all, Shape shape) {
        const auto size = shape.num_elements();
        const auto* first = all.data() + workload.first_mask * (size / num_masks);
        return Tensor(std::move(shape), std::vector<float>(first, first + size));
    };
    const auto side = results.at(low_res).shape()[2];
    Prediction prediction{
        .masks = std::move(results.at(masks)), .low_res_logits = chosen(results.at(low_res), Shape{num_masks, side, side}), .iou = {}};
    prediction.masks.reshape(Shape{num_masks, workload.original_height, workload.original_width});
    const auto estimates = chosen(results.at(iou), Shape{num_masks});
    prediction.iou.assign(estimates.values().begin(), estimates.values().end());
    return prediction;
}

Predictor::Predictor(SamConfig config, Weights weights) : config_(std::move(config)), weights_(std::move(weights)) {}

const ReferenceExecutor& Predictor::executor(const SamWorkload& workload) {
    auto found = std::ranges::find_if(walks_, [&](const auto& walk) { return walk->workload == workload; });
    if (found == walks_.end()) {
        if (walks_.size() == kMaxWalks) walks_.pop_back();
        walks_.push_back(std::make_unique<Walk>(config_, workload, weights_));
        found = walks_.end() - 1;
    }
    std::rotate(walks_.begin(), found, found + 1);
    return walks_.front()->executor;
}

EncodedImage Predictor::encode(const Image& image, const EdgeHook& hook) {
    auto [input, frame] = preprocess(image, static_cast<int>(config_.image_size));
    const auto& walk = executor({});
    ReferenceExecutor::Values given;
    given.emplace(id_of(walk.graph(), sam_values::kImage), std::move(input));
    return {walk.run_one(std::move(given), sam_values::kImageEmbedding, hook), frame};
}

Prediction Predictor::predict(const EncodedImage& image, const Prompt& prompt, MaskSelection selection, const EdgeHook& hook) {
    if (prompt.points.empty() && !prompt.box && !prompt.mask) throw DataError("prompt: no point, no box and no mask");
    const auto workload = workload_of(prompt, image.frame, selection, config_);
    const auto& walk = executor(workload);
    const auto& graph = walk.graph();
    auto given = prompt_values(graph, to_input_frame(prompt, image.frame));
    given.emplace(id_of(graph, sam_values::kImageEmbedding), image.embedding);
    const auto masks = id_of(graph, sam_values::kMasks), low_res = id_of(graph, sam_values::kLowResLogits),
               iou = id_of(graph, sam_values::kIou);
    auto results = walk.run(std::move(given), std::vector{masks, low_res, iou}, hook);
    return prediction_of(graph, workload, std::move(results));
}

}  // namespace prelude::models
