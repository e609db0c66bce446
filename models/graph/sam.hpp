// SPDX-License-Identifier: Apache-2.0
#pragma once

// Builds the complete graph of a Segment Anything Model of any configuration: image encoder, prompt encoder, two-way mask
// decoder, IoU head, hypernetworks, upscaling, and resizing of the mask to the original picture.
// Source: the public Segment Anything release (architecture and tensor names); numbers: tests against golden/sam.

#include "models/graph/graph.hpp"
#include "models/graph/sam_config.hpp"

namespace prelude::models {

/// What one evaluation looks like: the parts of a SAM graph that depend on the prompt and the picture, not on the model.
struct SamWorkload {
    std::int64_t num_prompt_tokens = 2;  ///< points, box corners and padding points together; 0 = none (mask prompt only)
    bool mask_prompt = false;            ///< a mask of logits [1,1,4n,4n] is given
    std::int64_t first_mask = 0, num_masks = 1;                ///< masks resized to the picture: [0,1) single, [1,4) multimask
    std::int64_t input_height = 0, input_width = 0;            ///< picture after the longest-side resize; 0 = square
    std::int64_t original_height = 0, original_width = 0;      ///< picture as given; 0 = as the resized one
    bool one_format = false;                                   ///< every value has the same kind of number (floating point): no Requantize nodes
    friend bool operator==(const SamWorkload&, const SamWorkload&) = default;
};

/// Names of the values a caller supplies or reads.
namespace sam_values {
inline constexpr std::string_view kImage = "image";                        ///< [1,3,S,S] normalised, zero padded
inline constexpr std::string_view kPromptCoordinates = "prompt.coordinates";  ///< [N,2] x, y in the resized frame
inline constexpr std::string_view kPromptLabels = "prompt.labels";         ///< [N]
inline constexpr std::string_view kMaskPrompt = "prompt.mask";             ///< [1,1,4n,4n]
inline constexpr std::string_view kImageEmbedding = "encoder.neck.norm2.out";
inline constexpr std::string_view kSparse = "prompt.points.out";
inline constexpr std::string_view kLowResLogits = "decoder.masks.out";     ///< [1,num_masks+1,4n,4n], all mask tokens
inline constexpr std::string_view kIou = "decoder.iou.out";                ///< [1,1,num_masks+1]
inline constexpr std::string_view kMasks = "postprocess.resize_original.out";  ///< [1,M,height,width] logits
}  // namespace sam_values

/// Contract
///  - the graph of a valid configuration (see validate()) needs no weights; node names do not depend on `workload`.
///  - every operand of a contraction that lives on the residual stream passes a Requantize node called `<consumer>.in`, unless `one_format`.
[[nodiscard]] Graph build_sam(const SamConfig& config, const SamWorkload& workload = {});

}  // namespace prelude::models
