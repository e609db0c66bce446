// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/calibrate.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "models/checkpoint/safetensors.hpp"
#include "quant/calibration/probability_search.hpp"
#include "quant/calibration/transforms.hpp"
#include "quant/format_plan.hpp"

namespace prelude::quant {

namespace {

/// Weights are rounded or conditioned by what sampled inputs of their layer say.
bool needs_layer_rows(const Settings& settings) noexcept { return settings.weight_rounding != WeightRounding::nearest || settings.acnr; }

/// One value that is not finite spoils all that follow it: the first few are named.
SettingsError not_finite(const std::vector<std::string>& values, const std::string& image) {
    constexpr std::size_t kNamed = 5;
    auto message = fmt::format("calibration picture {}: the float network has values that are NaN or infinite", image);
    for (std::size_t i = 0; i < std::min(values.size(), kNamed); ++i) message += "\n    " + values[i];
    if (values.size() > kNamed) message += fmt::format("\n    and {} values after them", values.size() - kNamed);
    return SettingsError(message);
}

}  // namespace

std::string sampled_rows(const Settings& settings) {
    std::string text;
    if (needs_layer_rows(settings)) text += " layers";
    if (settings.big) text += " keys";
    if (searches_probability_codes(settings.softmax)) text += " attention";
    return text;
}

Ranges calibrate(models::Predictor& predictor, const models::EvaluationSet& set, const Settings& settings, const models::ReportProgress& report) {
    // Value ids are the same for every workload of points and boxes: one graph names them all.
    const auto& graph = predictor.executor({}).graph();
    auto rows = needs_layer_rows(settings) ? layer_rows(graph) : hidden_layer_rows(graph);
    if (settings.big) {
        for (const auto& keys : token_to_image_keys(graph)) rows.emplace(keys, RowForm{});
    }
    if (searches_probability_codes(settings.softmax)) rows.merge(attention_rows(graph));
    RangeObserver observer(settings.calibration.observer, std::move(rows));
    std::vector<models::Value> values(graph.values().begin(), graph.values().end());
    const auto hook = [&](const models::Node*, models::ValueId id, models::Tensor& tensor) { observer.observe(values[static_cast<std::size_t>(id)], tensor); };
    for (int index = 0; index < set.size(); ++index) {
        const auto item = set.image(index);
        const auto encoded = predictor.encode(item.image, hook);
        for (const auto& prompt : item.prompts) (void)predictor.predict(encoded, prompt.prompt, models::MaskSelection::single, hook);
        observer.end_image();
        if (const auto broken = observer.not_finite(); !broken.empty()) throw not_finite(broken, item.name);
        models::report_step(report, static_cast<std::size_t>(index) + 1, static_cast<std::size_t>(set.size()));
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
            const models::Shape shape{static_cast<std::int64_t>(value.sample.size())};
            tensors.push_back(models::to_write<float>(name + "#sample", shape, value.sample));
            tensors.push_back(models::to_write<std::int32_t>(name + "#channels", shape, value.sample_channel));
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
        if (name.find('#') != std::string::npos) continue;
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
            const auto channels = file.view<std::int32_t>(name + "#channels");
            value.sample_channel.assign(channels.begin(), channels.end());
        }
    }
    return ranges;
}

}  // namespace prelude::quant
