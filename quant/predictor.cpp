// SPDX-License-Identifier: Apache-2.0
#include "quant/predictor.hpp"

#include <algorithm>

namespace prelude::quant {

using models::Graph;
using models::SamWorkload;
using models::ValueId;

namespace {

constexpr std::size_t kMaxWalks = 16;

ValueId id_of(const Graph& graph, std::string_view name) {
    const auto id = graph.find_value(name);
    models::check(id.has_value(), "integer predictor: the graph has no such value");
    return *id;
}

/// Planes [begin, begin + count) of [1, M, height, width] as [count, height, width].
IntTensor planes(const IntTensor& all, std::int64_t begin, std::int64_t count) {
    const auto& shape = all.shape();
    const auto plane = shape[2] * shape[3];
    const auto* first = all.data() + begin * plane;
    return {Shape{count, shape[2], shape[3]}, std::vector<std::int32_t>(first, first + count * plane)};
}

}  // namespace

PixelWords pixel_words(const models::Image& image, int model_size) {
    PixelWords result{.pixels = IntTensor(Shape{1, 3, model_size, model_size}), .frame = models::frame_of(image.width, image.height, model_size)};
    const auto resized = models::resize_bilinear(image, result.frame.input_width, result.frame.input_height);
    for (int y = 0; y < resized.height; ++y) {
        for (int x = 0; x < resized.width; ++x) {
            for (int c = 0; c < 3; ++c) {
                result.pixels[static_cast<std::size_t>((c * model_size + y) * model_size + x)] =
                    resized.rgb[static_cast<std::size_t>((y * resized.width + x) * 3 + c)];
            }
        }
    }
    return result;
}

Words prompt_words(const Graph& graph, const models::Prompt& prompt) {
    if (prompt.mask) throw models::DataError("mask prompts are not available on the integer path in this version");
    const auto tokens = models::prompt_tokens(prompt);
    IntTensor coordinates(tokens.coordinates.shape()), labels(tokens.labels.shape());
    for (std::size_t i = 0; i < coordinates.values().size(); ++i) coordinates[i] = coordinate_word(tokens.coordinates[i]);
    for (std::size_t i = 0; i < labels.values().size(); ++i) labels[i] = static_cast<std::int32_t>(tokens.labels[i]);
    Words words;
    words.emplace(id_of(graph, models::sam_values::kPromptCoordinates), std::move(coordinates));
    words.emplace(id_of(graph, models::sam_values::kPromptLabels), std::move(labels));
    return words;
}

models::Mask IntegerPrediction::mask(std::size_t index) const {
    models::Mask mask(static_cast<int>(masks.shape()[2]), static_cast<int>(masks.shape()[1]));
    const auto* words = masks.data() + index * mask.values.size();
    for (std::size_t i = 0; i < mask.values.size(); ++i) mask.values[i] = words[i] > 0;
    return mask;
}

IntegerPredictor::IntegerPredictor(const QuantizedGraph& quantized, ProductPath path) : quantized_(quantized), path_(path) {}

const IntegerPredictor::Walk& IntegerPredictor::walk(const SamWorkload& workload) {
    auto found = std::ranges::find_if(walks_, [&](const auto& walk) { return walk->workload == workload; });
    if (found == walks_.end()) {
        if (walks_.size() == kMaxWalks) {
            retired_overflows_ += walks_.back()->engine.num_overflows();
            walks_.pop_back();
        }
        walks_.push_back(std::make_unique<Walk>(quantized_, workload, path_));
        found = walks_.end() - 1;
    }
    std::rotate(walks_.begin(), found, found + 1);
    return *walks_.front();
}

IntegerPredictor::Encoded IntegerPredictor::encode(const models::Image& image, const WordHook& hook) {
    auto [pixels, frame] = pixel_words(image, static_cast<int>(quantized_.config.image_size));
    const auto& [workload, graph, engine] = walk({.input_height = frame.input_height, .input_width = frame.input_width});
    const auto embedding = id_of(graph, models::sam_values::kImageEmbedding);
    Words given;
    given.emplace(id_of(graph, models::sam_values::kImage), std::move(pixels));
    auto words = engine.run(std::move(given), std::vector{embedding}, hook);
    return {std::move(words.at(embedding)), frame};
}

IntegerPrediction IntegerPredictor::predict(const Encoded& image, const models::Prompt& prompt, models::MaskSelection selection, const WordHook& hook,
                                            IouEstimate estimate) {
    if (prompt.points.empty() && !prompt.box) throw models::DataError("prompt: no point and no box");
    const auto& [workload, graph, engine] = walk(models::workload_of(prompt, image.frame, selection, quantized_.config));
    auto given = prompt_words(graph, models::to_input_frame(prompt, image.frame));
    given.emplace(id_of(graph, models::sam_values::kImageEmbedding), image.embedding);
    const auto masks = id_of(graph, models::sam_values::kMasks), low_res = id_of(graph, models::sam_values::kLowResLogits);
    std::vector wanted{masks, low_res};
    const auto iou = id_of(graph, models::sam_values::kIou);
    if (estimate == IouEstimate::compute) wanted.push_back(iou);
    const auto words = engine.run(std::move(given), wanted, hook);
    IntegerPrediction prediction{planes(words.at(masks), 0, workload.num_masks), planes(words.at(low_res), workload.first_mask, workload.num_masks), {}};
    if (estimate == IouEstimate::compute) {
        const auto all = quantized_.dequantize(models::sam_values::kIou, words.at(iou), graph.value(iou).channel_axis);
        const auto own = all.values().subspan(static_cast<std::size_t>(workload.first_mask), static_cast<std::size_t>(workload.num_masks));
        prediction.iou.assign(own.begin(), own.end());
    }
    return prediction;
}

std::int64_t IntegerPredictor::num_overflows() const noexcept {
    auto count = retired_overflows_;
    for (const auto& walk : walks_) count += walk->engine.num_overflows();
    return count;
}

}  // namespace prelude::quant
