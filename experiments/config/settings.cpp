// SPDX-License-Identifier: Apache-2.0
#include "experiments/config/settings.hpp"

namespace prelude::experiments {

void ModelConfig::apply(models::SamConfig& config) const {
    const auto replace = [](auto& field, const auto& value) {
        if (value) field = *value;
    };
    replace(config.image_size, image_size);
    replace(config.patch_size, patch_size);
    replace(config.width, width);
    replace(config.mlp_width, mlp_width);
    replace(config.depth, depth);
    replace(config.num_heads, num_heads);
    replace(config.window_size, window_size);
    if (global_blocks) config.global_blocks.assign(global_blocks->begin(), global_blocks->end());
    replace(config.relative_positions, relative_positions);
    replace(config.prompt_width, prompt_width);
    replace(config.mask_in_channels, mask_in_channels);
    replace(config.decoder_depth, decoder_depth);
    replace(config.decoder_heads, decoder_heads);
    replace(config.decoder_mlp_width, decoder_mlp_width);
    replace(config.decoder_downsample, decoder_downsample);
    replace(config.num_multimask_outputs, num_multimask_outputs);
    replace(config.iou_head_depth, iou_head_depth);
    replace(config.iou_head_width, iou_head_width);
}

}  // namespace prelude::experiments
