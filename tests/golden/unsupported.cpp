// SPDX-License-Identifier: Apache-2.0
// Kinds that are recognised and wait for their part of the program. A kind that becomes available moves to a file of its own.

#include <algorithm>

#include "golden.hpp"

namespace prelude::golden {

namespace {

bool any_name_ends(const TensorFile& file, std::string_view ending) {
    return std::ranges::any_of(file.tensors(), [&](const auto& entry) { return entry.first.ends_with(ending); });
}

struct TensorKind {
    std::string_view kind;
    std::vector<std::string_view> endings;  ///< a file of this kind has a tensor name with each of them
};

/// The first that fits is it.
const std::vector<TensorKind>& tensor_kinds() {
    static const std::vector<TensorKind> kinds{
        {"acnr", {".sigma_before"}},
        {"adaround", {".alpha_init"}},
        {"lnq", {".alpha", ".sum_errors"}},
        {"agq", {".tau", ".sum_errors"}},
        {"avg-minmax", {".avg_min", ".avg_max", "b4.zero_point"}},
        {"big", {".is_bimodal"}},
        {"cag", {".progressive.k4.labels"}},
        {"hybrid-search", {".losses", ".best_range_rate"}},
        {"hybrid", {".y_reference", ".y_intended"}},
        {"log", {".tau1.y", ".tau4.y"}},
        {"mse-bounded", {".avg_min", ".batch0.loss"}},
        {"mse-grid", {".min", ".max", ".loss"}},
        {"uniform", {".asym.scale", ".asym.zero_point", ".asym.y"}},
    };
    return kinds;
}

std::string kind_of(const TensorFile& file) {
    for (const auto& [kind, endings] : tensor_kinds()) {
        if (std::ranges::all_of(endings, [&](auto ending) { return any_name_ends(file, ending); })) return std::string(kind);
    }
    return {};
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
        }
    }
    for (auto* file : directory.unclaimed()) {
        if (!file->tensors) continue;
        if (const auto kind = kind_of(*file->tensors); !kind.empty()) claim(kind, *file);
    }
    return cases;
}

}  // namespace prelude::golden
