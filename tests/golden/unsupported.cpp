// SPDX-License-Identifier: Apache-2.0
// Kinds that are recognised and wait for their part of the program. A kind that becomes available moves to a file of its own.

#include "golden.hpp"

namespace prelude::golden {

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
        }
    }
    return cases;
}

}  // namespace prelude::golden
