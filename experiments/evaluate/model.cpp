// SPDX-License-Identifier: Apache-2.0
#include "experiments/evaluate/model.hpp"

#include "experiments/hash.hpp"
#include "models/checkpoint/sam_checkpoint.hpp"
#include "models/data/coco.hpp"
#include "models/data/mask_folder.hpp"
#include "models/stress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace prelude::experiments {

namespace {

namespace fs = std::filesystem;


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

models::PromptSchedule schedule_of(const DataSettings& data) {
    models::PromptSchedule schedule{.kinds = {}, .limit = data.prompts_per_image * static_cast<int>(data.prompts.size())};
    for (const auto kind : data.prompts) schedule.kinds.push_back(kind == PromptKind::box ? models::PromptKind::box : models::PromptKind::point);
    return schedule;
}

bool uses(const DataSettings& data, DataKind kind) { return std::ranges::find(data.kinds, kind) != data.kinds.end(); }

/// Generated pictures like those of a kind.
std::vector<models::DataKind> generated(DataKind kind) {
    switch (kind) {
        case DataKind::phantom: return {models::DataKind::phantom};
        case DataKind::scene:
        case DataKind::coco: return {models::DataKind::scene};
        case DataKind::masks: return {models::DataKind::phantom, models::DataKind::scene};
    }
    return {};
}

fs::path annotation_file(const std::string& path) { return fs::is_directory(path) ? fs::path(path) / "instances.json" : fs::path(path); }

std::unique_ptr<models::EvaluationSet> coco_set(const DataSettings& data, int num_images) {
    auto annotated = models::read_coco(annotation_file(data.path));
    std::optional<std::vector<models::CocoBox>> boxes;
    if (!data.boxes.empty()) boxes = models::read_coco_boxes(data.boxes, annotated);
    return std::make_unique<models::CocoSet>(std::move(annotated), boxes, num_images, schedule_of(data), data.max_detections);
}

std::unique_ptr<models::EvaluationSet> mask_set(const DataSettings& data, int num_images) {
    return std::make_unique<models::MaskFolderSet>(models::read_mask_folder(data.path), data.masks, num_images, schedule_of(data));
}

std::string size_text(std::string_view name, const fs::path& file) {
    std::error_code failure;
    const auto size = fs::file_size(file, failure);
    return fmt::format("{} {}\n", name, failure ? 0 : size);
}

std::string content_of_annotations(const fs::path& file) {
    return remembered("coco", file, [&] {
        const auto data = models::read_coco(file);
        auto text = sha256_of_path(file) + "\n";
        for (const auto& image : data.images) text += size_text(image.file_name, models::picture_path(data, image));
        return sha256(text);
    });
}

std::string content_of_folder(const fs::path& path) {
    const auto folder = models::read_mask_folder(path);
    std::string state;
    for (const auto& picture : folder.pictures) {
        state += stamp_of(picture.picture);
        for (const auto& mask : picture.masks) state += stamp_of(mask);
    }
    return remembered_as("masks", state, [&] {
        std::string text;
        for (const auto& picture : folder.pictures) {
            text += size_text(picture.name, picture.picture);
            for (const auto& mask : picture.masks) text += fmt::format("{} {}\n", mask.lexically_relative(folder.folder).generic_string(), sha256_of_path(mask));
        }
        return sha256(text);
    });
}

std::unique_ptr<models::EvaluationSet> generated_pictures(const DataSettings& data, std::vector<models::DataKind> kinds, models::Split split, std::uint64_t seed,
                                                          int num_images, int size) {
    return models::generated_set(std::move(kinds), split, seed, num_images, size, schedule_of(data));
}

}  // namespace

const std::string& model_name(const ModelSettings& model) { return model.kind == ModelKind::layers ? model.path : model.preset; }

std::string checkpoint_path(const ModelSettings& model) {
    if (model.kind == ModelKind::layers) return {};
    if (model.checkpoint == kNoWeights) return {};
    if (!model.checkpoint.empty()) return model.checkpoint;
    const auto shipped = std::filesystem::path(PRELUDE_SOURCE_DIR) / "models" / "weights" / (model.preset + ".safetensors");
    return std::filesystem::exists(shipped) ? shipped.string() : std::string{};
}

LoadedModel load_model(const ModelSettings& model) {
    const auto path = checkpoint_path(model);
    if (path.empty()) return {.config = model_config(model), .weights = std::nullopt};
    auto checkpoint = models::open_sam(path, given_sizes(model));
    if (!models::changes_weights(model.stress)) return {.config = checkpoint.config, .weights = std::move(checkpoint.weights)};
    auto stressed = models::stress(checkpoint.config, checkpoint.weights, model.stress);
    return {.config = stressed.config, .weights = std::move(stressed.weights)};
}

models::SamConfig model_config(const ModelSettings& model) {
    auto config = models::sam_preset(model.preset).value_or(models::SamConfig{});
    if (const auto path = checkpoint_path(model); !path.empty()) {
        config = models::open_sam(path, given_sizes(model)).config;
    } else {
        model.config.apply(config);
    }
    config.mlp_width += models::added_mlp_width(model.stress);
    return config;
}

std::unique_ptr<models::EvaluationSet> evaluation_set(const DataSettings& data, const models::SamConfig& config) {
    const auto size = static_cast<int>(config.image_size);
    const auto num_kinds = static_cast<int>(data.kinds.size());
    std::vector<std::unique_ptr<models::EvaluationSet>> sets;
    std::vector<models::DataKind> kinds;
    for (int k = 0; k < num_kinds; ++k) {
        const int share = (data.num_images + num_kinds - 1 - k) / num_kinds;
        const auto kind = data.kinds[static_cast<std::size_t>(k)];
        if (kind == DataKind::coco) {
            sets.push_back(coco_set(data, share));
        } else if (kind == DataKind::masks) {
            sets.push_back(mask_set(data, share));
        } else {
            kinds.push_back(generated(kind).front());
            sets.push_back(generated_pictures(data, {kinds.back()}, split_of(data.split), data.seed, share, size));
        }
    }
    if (kinds.size() == data.kinds.size()) return generated_pictures(data, kinds, split_of(data.split), data.seed, data.num_images, size);
    return models::interleaved_set(std::move(sets));
}

std::unique_ptr<models::EvaluationSet> calibration_set(const Settings& settings, const models::SamConfig& config) {
    const auto& calibration = settings.quant.calibration;
    if (calibration.on_evaluated_images) {
        auto asked = settings.data;
        asked.max_detections = 0;  // pictures of no prompt are for average precision alone
        return evaluation_set(asked, config);
    }
    std::vector<models::DataKind> kinds;
    for (const auto kind : settings.data.kinds) {
        for (const auto like : generated(kind))
            if (std::ranges::find(kinds, like) == kinds.end()) kinds.push_back(like);
    }
    return generated_pictures(settings.data, std::move(kinds), models::Split::train, calibration.seed, calibration.num_images, static_cast<int>(config.image_size));
}

std::string content_of_data(const DataSettings& data) {
    return uses(data, DataKind::masks) ? content_of_folder(data.path) : content_of_annotations(annotation_file(data.path));
}

}  // namespace prelude::experiments
