// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/calibrate.hpp"

#include "models/checkpoint/safetensors.hpp"

namespace prelude::quant {

bool needs_layer_rows(const Settings& settings) noexcept { return settings.weight_rounding != WeightRounding::nearest; }

Ranges calibrate(models::Predictor& predictor, const models::EvaluationSet& set, const Settings& settings) {
    // Value ids are the same for every workload of points and boxes: one graph names them all.
    const auto& graph = predictor.executor({}).graph();
    RangeObserver observer(settings.calibration.observer, needs_layer_rows(settings) ? layer_rows(graph) : hidden_layer_rows(graph));
    std::vector<models::Value> values(graph.values().begin(), graph.values().end());
    const auto hook = [&](const models::Node*, models::ValueId id, models::Tensor& tensor) { observer.observe(values[static_cast<std::size_t>(id)], tensor); };
    for (int index = 0; index < set.size(); ++index) {
        const auto item = set.image(index);
        const auto encoded = predictor.encode(item.image, hook);
        for (const auto& prompt : item.prompts) (void)predictor.predict(encoded, prompt.prompt, models::MaskSelection::single, hook);
        observer.end_image();
    }
    return observer.ranges(settings.calibration.margin);
}

void save_ranges(const Ranges& ranges, const std::filesystem::path& path) {
    std::vector<std::vector<double>> ends;
    std::vector<models::TensorToWrite> tensors;
    ends.reserve(ranges.size());
    for (const auto& [name, value] : ranges) {
        auto& words = ends.emplace_back();
        for (const auto& channel : value.channels) words.push_back(channel.lo), words.push_back(channel.hi);
        tensors.push_back(models::to_write<double>(name, models::Shape{static_cast<std::int64_t>(value.channels.size()), 2}, words));
        if (!value.rows.empty()) {
            const auto count = static_cast<std::int64_t>(value.rows.size()) / value.row_length;
            tensors.push_back(models::to_write<float>(name + "#rows", models::Shape{count, value.row_length}, value.rows));
        }
        if (!value.sample.empty()) {
            tensors.push_back(models::to_write<float>(name + "#sample", models::Shape{static_cast<std::int64_t>(value.sample.size())}, value.sample));
        }
    }
    models::write_safetensors(path, tensors, {{"format", "prelude.ranges/1"}});
}

Ranges load_ranges(const std::filesystem::path& path) {
    const auto file = models::read_safetensors(path);
    const auto format = file.metadata().find("format");
    if (format == file.metadata().end() || format->second != "prelude.ranges/1") {
        throw models::CheckpointError(path.string(), {"not a file of calibrated ranges (metadata 'format' is not prelude.ranges/1)"});
    }
    Ranges ranges;
    for (const auto& [name, tensor] : file.tensors()) {
        if (name.ends_with("#sample") || name.ends_with("#rows")) continue;
        const auto words = file.view<double>(name);
        auto& value = ranges[name];
        for (std::size_t i = 0; i + 1 < words.size(); i += 2) value.channels.push_back({words[i], words[i + 1]});
        if (file.contains(name + "#rows")) {
            const auto rows = file.view<float>(name + "#rows");
            value.rows.assign(rows.begin(), rows.end());
            value.row_length = file.tensor(name + "#rows").shape.back();
        }
        if (file.contains(name + "#sample")) {
            const auto sample = file.view<float>(name + "#sample");
            value.sample.assign(sample.begin(), sample.end());
        }
    }
    return ranges;
}

}  // namespace prelude::quant
