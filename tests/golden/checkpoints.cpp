// SPDX-License-Identifier: Apache-2.0
// Kind `checkpoint`: a PyTorch zip file against a safetensors file with the same values. The twin has the same stem, or is the
// one file of the folder that holds all its tensors by name.

#include <algorithm>
#include <cstring>

#include "golden.hpp"

namespace prelude::golden {

namespace {

/// Fewer tensors are allowed when the twin is not a namesake.
bool holds_all(const TensorFile& twin, const TensorFile& archive) {
    return std::ranges::all_of(archive.tensors(), [&](const auto& entry) { return twin.contains(entry.first); });
}

Report compare(const TensorFile& archive, const TensorFile& twin, bool same_names) {
    Report report(0);
    report.require(!same_names || archive.tensors().size() == twin.tensors().size(), "the two files hold different numbers of tensors");
    for (const auto& [name, tensor] : archive.tensors()) {
        if (!twin.contains(name)) {
            report.require(false, name + " is missing from the safetensors file");
            continue;
        }
        const auto& other = twin.tensor(name);
        report.require(tensor.type == other.type, name + " has another type");
        report.require(tensor.shape == other.shape, name + " has another shape");
        report.require(std::ranges::equal(tensor.bytes, other.bytes), name + " has other values");
    }
    return report;
}

}  // namespace

std::vector<Case> find_checkpoints(Directory& directory) {
    struct Pair {
        File *archive, *twin;
        bool same_stem;
    };
    std::vector<Pair> pairs;
    for (auto* archive : directory.unclaimed()) {
        if (!archive->is_archive) continue;
        Pair pair{archive, nullptr, false};
        for (auto* file : directory.unclaimed()) {
            if (!file->tensors || file->is_archive || file->path.parent_path() != archive->path.parent_path()) continue;
            const bool same_stem = without_extension(file->name) == without_extension(archive->name);
            if (same_stem || (pair.twin == nullptr && holds_all(*file->tensors, *archive->tensors))) pair = {archive, file, same_stem};
        }
        if (pair.twin) pairs.push_back(pair);
    }
    std::vector<Case> cases;
    for (const auto& [archive, twin, same_stem] : pairs) {
        archive->claimed = twin->claimed = true;
        cases.push_back({"checkpoint", without_extension(archive->name), [archive = archive, twin = twin, same_stem = same_stem] {
                             return compare(*archive->tensors, *twin->tensors, same_stem);
                         }});
    }
    return cases;
}

}  // namespace prelude::golden
