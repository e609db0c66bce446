// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <vector>
namespace prelude::models {
struct SamConfig {
    std::int64_t image_size = 1024, patch_size = 16, width = 768, mlp_width = 3072, depth = 12, num_heads = 12, window_size = 14;
    std::vector<std::int64_t> global_blocks{2, 5, 8, 11};
    bool relative_positions = true;
    std::int64_t prompt_width = 256, mask_in_channels = 16, decoder_depth = 2, decoder_heads = 8, decoder_mlp_width = 2048, decoder_downsample = 2,
                 num_multimask_outputs = 3, iou_head_depth = 3, iou_head_width = 256;
};
}
