// SPDX-License-Identifier: Apache-2.0
#pragma once

// Two public name spaces hold the same SAM tensors: Meta's files (ours, canonical) and Hugging Face's SamModel files.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/checkpoint/problems.hpp"

namespace prelude::models {

/// Meta's name of a tensor -> its name in a Hugging Face SamModel file; a name without counterpart stays as it is.
///
/// Meaning   per name one row of the table in sam_names.cpp, then `.norm` -> `.layer_norm`
/// Limits    `iou_head_depth` layers in the IoU head (SAM: 3): first -> proj_in, last -> proj_out, the others move down by one
/// Source    conversion script of SAM in huggingface/transformers; docs of the correspondence: checkpoints.md of the design
[[nodiscard]] std::string to_huggingface_name(std::string_view meta_name, std::int64_t iou_head_depth = 3);

/// The inverse of to_huggingface_name() on the names of a SAM.
[[nodiscard]] std::string to_meta_name(std::string_view huggingface_name, std::int64_t iou_head_depth = 3);

/// The names of a whole file in Meta's name space.
struct CanonicalNames {
    enum class Origin { unknown, meta, huggingface };
    Origin origin = Origin::unknown;
    std::string prefix;                                      ///< what stood before every name ("sam.", "module.model.") and was removed
    std::vector<std::pair<std::string, std::string>> names;  ///< (name in the file, canonical name); duplicates removed
    /// Hugging Face stores the Gaussian matrix once or twice; if twice, (file's name of the copy, canonical name), not in `names`
    std::vector<std::pair<std::string, std::string>> copies;
};

/// Recognises prefix and name space of a file by its patch embedding, and renames. A file without one keeps its names.
///
/// Limits    two names of a file that become the same are a problem
[[nodiscard]] CanonicalNames canonical_names(const std::vector<std::string>& file_names, Problems& problems);

/// Tensors that SAM files may hold although the model does not need them: `pixel_mean`, `pixel_std`.
[[nodiscard]] bool is_optional_sam_tensor(std::string_view canonical_name);

}  // namespace prelude::models
