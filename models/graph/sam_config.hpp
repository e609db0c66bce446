// SPDX-License-Identifier: Apache-2.0
#pragma once

// The numbers that make one Segment Anything model out of the topology: sizes, never values.
// Limits: square pictures, one patch size, one window size, equal blocks; the mask decoder's MLPs have the depth of SAM's.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/tensor.hpp"

namespace prelude::models {

/// Sizes of a SAM. The defaults are `sam_vit_b`.
struct SamConfig {
    std::int64_t image_size = 1024;                           ///< side of the padded square picture, pixels
    std::int64_t patch_size = 16;                             ///< side of a patch, pixels
    std::int64_t width = 768;                                 ///< channels of an encoder token
    std::int64_t mlp_width = 3072;                            ///< hidden channels of the encoder's MLPs; not always 4 x width (SlimSAM)
    std::int64_t depth = 12;                                  ///< encoder blocks
    std::int64_t num_heads = 12;                              ///< attention heads of an encoder block
    std::int64_t window_size = 14;                            ///< side of an attention window, tokens; unused by global blocks
    std::vector<std::int64_t> global_blocks = {2, 5, 8, 11};  ///< blocks that attend over the whole picture, ascending
    bool relative_positions = true;                           ///< decomposed relative position tables in every encoder block
    std::int64_t prompt_width = 256;                          ///< channels of the neck, the prompt encoder and the mask decoder
    std::int64_t mask_in_channels = 16;                       ///< channels of the mask prompt before its last convolution
    std::int64_t decoder_depth = 2;                           ///< two-way blocks
    std::int64_t decoder_heads = 8;                           ///< heads of every decoder attention; not stored in any checkpoint
    std::int64_t decoder_mlp_width = 2048;                    ///< hidden channels of the two-way blocks' MLPs
    std::int64_t decoder_downsample = 2;                      ///< the cross attentions work on prompt_width / decoder_downsample channels
    std::int64_t num_multimask_outputs = 3;                   ///< masks offered for an ambiguous prompt, beside the single mask
    std::int64_t iou_head_depth = 3;                          ///< layers of the head that predicts each mask's quality
    std::int64_t iou_head_width = 256;                        ///< its hidden channels

    [[nodiscard]] std::int64_t grid_size() const noexcept { return image_size / patch_size; }          ///< tokens along a side
    [[nodiscard]] std::int64_t head_width() const noexcept { return width / num_heads; }               ///< channels of a head
    [[nodiscard]] std::int64_t num_mask_tokens() const noexcept { return num_multimask_outputs + 1; }  ///< masks the decoder makes
    [[nodiscard]] bool is_global(std::int64_t block) const noexcept;
    friend bool operator==(const SamConfig&, const SamConfig&) = default;
};

/// One integer field of SamConfig under its YAML name (`model.config.<name>`), for code that treats all alike.
struct SamConfigField {
    std::string_view name;
    std::int64_t SamConfig::*value;
};
[[nodiscard]] const std::vector<SamConfigField>& sam_config_fields();

/// What `model.config` says: a value per named field, the rest open.
struct PartialSamConfig {
    std::vector<std::pair<std::string, std::int64_t>> values = {};  ///< names of sam_config_fields()
    std::optional<std::vector<std::int64_t>> global_blocks = {};
    std::optional<bool> relative_positions = {};

    [[nodiscard]] std::optional<std::int64_t> find(std::string_view name) const;
};

/// The presets `sam_vit_b`, `sam_vit_l`, `sam_vit_h` (Meta's published models) and `sam_nano` (trained in this project).
[[nodiscard]] std::optional<SamConfig> sam_preset(std::string_view name);
[[nodiscard]] const std::vector<std::string_view>& sam_preset_names();

/// Everything that is wrong with a configuration, one sentence each; empty if a graph can be built.
///
/// Limits    every size in [1, 65536], so that no product of two shapes overflows 64 bits
[[nodiscard]] std::vector<std::string> validate(const SamConfig& config);

struct NamedShape {
    std::string name;
    Shape shape;
    friend bool operator==(const NamedShape&, const NamedShape&) = default;
};

/// The weights of a SAM under Meta's names, in the order of Meta's files.
///
/// Shapes    linear [out, in]; convolution [out, in, k, k]; transposed convolution [in, out, k, k];
///           relative position tables [2 * side - 1, head width], side = window or grid
/// Source    names and shapes of facebookresearch/segment-anything's published checkpoints
[[nodiscard]] std::vector<NamedShape> expected_tensors(const SamConfig& config);

}  // namespace prelude::models
