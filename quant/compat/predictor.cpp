// SPDX-License-Identifier: Apache-2.0
#include "quant/compat/predictor.hpp"

namespace prelude::quant::compat {

models::EdgeHook quantizing_hook(const models::Graph& graph, const Quantizers& activations) {
    return [&graph, &activations](const models::Node*, models::ValueId id, models::Tensor& tensor) {
        const auto found = activations.find(graph.value(id).name);
        if (found != activations.end()) quantize(found->second, tensor.values());
    };
}

models::EncodedImage Predictor::encode(const models::Image& image) {
    const auto& graph = predictor_.executor({}).graph();
    return predictor_.encode(image, quantizing_hook(graph, model_.activations));
}

models::Prediction Predictor::predict(const models::EncodedImage& image, const models::Prompt& prompt, models::MaskSelection selection) {
    const auto& graph = predictor_.executor(models::workload_of(prompt, image.frame, selection, predictor_.config())).graph();
    return predictor_.predict(image, prompt, selection, quantizing_hook(graph, model_.activations));
}

}  // namespace prelude::quant::compat
