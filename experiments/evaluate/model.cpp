// SPDX-License-Identifier: Apache-2.0
#include "experiments/evaluate/model.hpp"

#include <filesystem>

#include "models/checkpoint/sam_checkpoint.hpp"

namespace prelude::experiments {

namespace {

constexpr std::string_view kNoWeights = "none";

/// What `model.config` and the preset say about sizes no tensor tells.
models::PartialSamConfig given_sizes(const ModelSettings& model) {
    models::PartialSamConfig given;
    models::SamConfig changed, plain;
    if (const auto preset = models::sam_preset(model.preset)) {
        given.values.emplace_back("decoder_heads", preset->decoder_heads);
        changed = plain = *preset;
    }
    model.config.apply(changed);
    for (const auto& field : models::sam_config_fields()) {
        const auto value = changed.*field.value;
        if (value == plain.*field.value) continue;
        std::erase_if(given.values, [&](const auto& entry) { return entry.first == field.name; });
        given.values.emplace_back(field.name, value);
    }
    if (model.config.global_blocks) given.global_blocks = changed.global_blocks;
    given.relative_positions = model.config.relative_positions;
    return given;
}

models::Split split_of(DataSplit split) {
    return split == DataSplit::train ? models::Split::train : split == DataSplit::dev ? models::Split::dev : models::Split::test;
}

std::unique_ptr<models::EvaluationSet> make_set(const DataSettings& data, models::Split split, std::uint64_t seed, int num_images, int size) {
    std::vector<models::DataKind> kinds;
    for (const auto kind : data.kinds) {
        if (kind == DataKind::coco) throw models::DataError("data.kind coco is not available in this version");
        kinds.push_back(kind == DataKind::phantom ? models::DataKind::phantom : models::DataKind::scene);
    }
    models::PromptSchedule schedule{.kinds = {}, .limit = data.prompts_per_image * static_cast<int>(data.prompts.size())};
    for (const auto kind : data.prompts) schedule.kinds.push_back(kind == PromptKind::box ? models::PromptKind::box : models::PromptKind::point);
    return models::generated_set(std::move(kinds), split, seed, num_images, size, std::move(schedule));
}

}  // namespace

std::string checkpoint_path(const ModelSettings& model) {
    if (model.checkpoint == kNoWeights) return {};
    if (!model.checkpoint.empty()) return model.checkpoint;
    const auto shipped = std::filesystem::path(PRELUDE_SOURCE_DIR) / "models" / "weights" / (model.preset + ".safetensors");
    return std::filesystem::exists(shipped) ? shipped.string() : std::string{};
}

LoadedModel load_model(const ModelSettings& model) {
    const auto path = checkpoint_path(model);
    if (path.empty()) return {.config = model_config(model), .weights = std::nullopt};
    auto checkpoint = models::open_sam(path, given_sizes(model));
    return {.config = checkpoint.config, .weights = std::move(checkpoint.weights)};
}

models::SamConfig model_config(const ModelSettings& model) {
    if (const auto path = checkpoint_path(model); !path.empty()) return models::open_sam(path, given_sizes(model)).config;
    auto config = models::sam_preset(model.preset).value_or(models::SamConfig{});
    model.config.apply(config);
    return config;
}

std::unique_ptr<models::EvaluationSet> evaluation_set(const DataSettings& data, const models::SamConfig& config) {
    return make_set(data, split_of(data.split), data.seed, data.num_images, static_cast<int>(config.image_size));
}

std::unique_ptr<models::EvaluationSet> calibration_set(const Settings& settings, const models::SamConfig& config) {
    if (settings.quant.calibration.on_evaluated_images) return evaluation_set(settings.data, config);
    const auto& calibration = settings.quant.calibration;
    return make_set(settings.data, models::Split::train, calibration.seed, calibration.num_images, static_cast<int>(config.image_size));
}

}  // namespace prelude::experiments
