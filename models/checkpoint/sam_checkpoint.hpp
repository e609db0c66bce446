// SPDX-License-Identifier: Apache-2.0
#pragma once

// From the tensors of a file to a Segment Anything model: which sizes it has, and whether every weight is there.

#include <filesystem>
#include <string>
#include <vector>

#include "models/checkpoint/weights.hpp"
#include "models/graph/sam_config.hpp"

namespace prelude::models {

/// A configuration read off tensor shapes.
struct InferredConfig {
    SamConfig config;
    std::vector<std::string> assumed;  ///< "decoder_heads = 8": what no tensor tells and `model.config` did not say
};

/// Infers the sizes of a SAM from the shapes of its tensors (canonical names; no values needed).
///
/// Meaning   patch, width        patch_embed.proj [width, 3, patch, patch]
///           image_size          pos_embed [1, grid, grid, width]
///           num_heads           width / (columns of rel_pos_h)
///           window, global      rel_pos_h has 2 * side - 1 rows: side = grid is global, the other side is the window
///           the rest            extents and numbers of layers of MLPs, tokens and projections
/// Limits    no tensor tells decoder_heads, nor num_heads without relative positions: from `given`, else 8 and width / 64;
///           where every block is global the window size is unknown and does not matter: from `given`, else 14. A table that
///           belongs to another grid (SAM would interpolate it) is refused by name. `given` wins where tensors say nothing,
///           and a contradiction is a problem
/// Throws    CheckpointError with every problem; extents that only fail to agree with each other are left to check_sam()
[[nodiscard]] InferredConfig infer_sam_config(const std::string& file, const Weights::Shapes& shapes, const PartialSamConfig& given = {});

/// Compares the weights with what `config` needs.
///
/// Throws    one CheckpointError that lists every missing, unknown (adapters are) and mis-shaped tensor, every tensor that is
///           not stored as floating point, and every tensor with values that are not finite
void check_sam(const Weights& weights, const SamConfig& config);

struct SamCheckpoint {
    Weights weights;
    SamConfig config;
    std::vector<std::string> assumed;
};

/// Opens a SAM checkpoint: read, infer, check.
///
/// Throws    CheckpointError with every problem of the first of the three that finds one
[[nodiscard]] SamCheckpoint open_sam(const std::filesystem::path& path, const PartialSamConfig& given = {});

}  // namespace prelude::models
