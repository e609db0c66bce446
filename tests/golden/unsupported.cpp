// SPDX-License-Identifier: Apache-2.0
// Kinds that are recognised and wait for their part of the program. A kind that becomes available moves to a file of its own.

#include <algorithm>

#include "golden.hpp"

namespace prelude::golden {

namespace {

/// Files of the COCO data set's format and results of its evaluation.
bool is_coco(const Json& document) {
    if (document.is_array()) {
        return !document.empty() && has_keys(document[0], {"image_id", "category_id", "score"});
    }
    return has_keys(document, {"images", "annotations", "categories"}) || has_keys(document, {"segm", "bbox"}) ||
           has_keys(document, {"masks", "polygons", "boxes"});
}

}  // namespace

std::vector<Case> find_unsupported(Directory& directory) {
    std::vector<Case> cases;
    const auto claim = [&](const std::string& kind, File& file) {
        file.claimed = true;
        cases.push_back({kind, without_extension(file.name), {}});
    };
    for (auto* file : directory.unclaimed()) {
        if (file->claimed || !file->document) continue;
        if (has_keys(*file->document, {"model", "bits", "quantizer_kinds"})) {
            for (auto* sibling : directory.siblings(*file)) sibling->claimed = true;
            claim("quantized-model", *file);
        } else if (is_coco(*file->document)) {
            claim("coco", *file);
        }
    }
    return cases;
}

}  // namespace prelude::golden
