// SPDX-License-Identifier: Apache-2.0
#include "quant/compat/calibrate.hpp"

#include <fmt/format.h>

#include "quant/calibration/bimodal.hpp"
#include "quant/calibration/condition_number.hpp"
#include "quant/calibration/transforms.hpp"
#include "quant/compat/weights.hpp"

namespace prelude::quant::compat {

namespace {

/// Bimodal integration as published: judged by one prompt.
void fold_bimodal_keys(const models::SamConfig& config, const models::Graph& graph, const models::EvaluationSet& set, FakeQuantizedModel& model) {
    std::map<std::string, std::vector<float>, std::less<>> keys;
    for (const auto& name : token_to_image_keys(graph)) keys[name];
    models::Predictor predictor(config, model.weights);
    const auto watch = [&](const models::Node*, models::ValueId id, models::Tensor& tensor) {
        const auto found = keys.find(graph.value(id).name);
        if (found != keys.end()) found->second.assign(tensor.values().begin(), tensor.values().end());
    };
    for (int index = 0; index < set.size(); ++index) {
        const auto item = set.image(index);
        if (item.prompts.empty()) continue;
        (void)predictor.predict(predictor.encode(item.image), item.prompts.front().prompt, models::MaskSelection::single, watch);
        break;
    }
    for (const auto& [name, values] : keys) {
        if (values.empty() || !is_bimodal(values)) continue;
        fold_key_signs(graph, name, channel_signs(values, graph.channels(*graph.find_value(name))), model.weights);
        model.notes.push_back(fmt::format("quant.big: the signs of {} are folded into its projections", name));
    }
}

/// The layer's weights with a smaller spread of singular values.
models::Tensor conditioned(const models::WeightView& weight, std::span<const float> inputs, const Quantizer& quantizer) {
    std::vector<float> errors(inputs.begin(), inputs.end());
    quantize(quantizer, errors);
    for (std::size_t i = 0; i < errors.size(); ++i) errors[i] = inputs[i] - errors[i];
    return {weight.shape, reduce_condition(weight.values, weight.shape[0], weight.shape[1], errors, {}).weight};
}

}  // namespace

void quantize_weights(const models::Graph& graph, const Observer& observer, const Settings& settings, FakeQuantizedModel& model) {
    for (const auto& point : observer.points()) {
        const auto& reader = graph.node(point.reader);
        const auto* name = weight_of(reader);
        if (name == nullptr) continue;
        if (settings.acnr && std::holds_alternative<models::Linear>(reader.op)) {
            model.weights.replace(*name, conditioned(model.weights.tensor(*name), observer.rows(point), model.activations.at(graph.value(point.value).name)));
        }
        model.weights.replace(*name, rounded_weights(model.weights.tensor(*name), settings.weight_bits));
    }
}

FakeQuantizedModel calibrate(const models::SamConfig& config, models::Weights weights, const models::EvaluationSet& set, const Settings& settings,
                             const models::ReportProgress& report) {
    // Value ids are the same for every workload of points and boxes: one graph names them all.
    const auto graph = models::build_sam(config);
    FakeQuantizedModel model{.weights = std::move(weights), .activations = {}, .notes = {}};
    if (settings.big) fold_bimodal_keys(config, graph, set, model);
    Observer observer(graph, model.weights, settings);
    models::Predictor predictor(config, model.weights);
    const auto hook = [&](const models::Node*, models::ValueId id, models::Tensor& tensor) { observer.observe(id, tensor); };
    for (int index = 0; index < set.size(); ++index) {
        const auto item = set.image(index);
        const auto encoded = predictor.encode(item.image, hook);
        for (const auto& prompt : item.prompts) (void)predictor.predict(encoded, prompt.prompt, models::MaskSelection::single, hook);
        observer.end_image();
        models::report_step(report, static_cast<std::size_t>(index) + 1, static_cast<std::size_t>(set.size()));
    }
    model.activations = observer.quantizers();
    quantize_weights(graph, observer, settings, model);
    return model;
}

}  // namespace prelude::quant::compat
