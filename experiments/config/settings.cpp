// SPDX-License-Identifier: Apache-2.0
#include "experiments/config/settings.hpp"

namespace prelude::experiments {

models::PartialSamConfig ModelConfig::partial() const {
    models::PartialSamConfig result;
    const auto add = [&](const char* name, const std::optional<int>& value) {
        if (value) result.values.emplace_back(name, *value);
    };
    add("image_size", image_size);
    add("patch_size", patch_size);
    add("width", width);
    add("mlp_width", mlp_width);
    add("depth", depth);
    add("num_heads", num_heads);
    add("window_size", window_size);
    add("prompt_width", prompt_width);
    add("mask_in_channels", mask_in_channels);
    add("decoder_depth", decoder_depth);
    add("decoder_heads", decoder_heads);
    add("decoder_mlp_width", decoder_mlp_width);
    add("decoder_downsample", decoder_downsample);
    add("num_multimask_outputs", num_multimask_outputs);
    add("iou_head_depth", iou_head_depth);
    add("iou_head_width", iou_head_width);
    if (global_blocks) result.global_blocks.emplace(global_blocks->begin(), global_blocks->end());
    result.relative_positions = relative_positions;
    return result;
}

void ModelConfig::apply(models::SamConfig& config) const {
    const auto given = partial();
    for (const auto& field : models::sam_config_fields())
        if (const auto value = given.find(field.name)) config.*field.value = *value;
    if (given.global_blocks) config.global_blocks = *given.global_blocks;
    if (given.relative_positions) config.relative_positions = *given.relative_positions;
}

}  // namespace prelude::experiments
