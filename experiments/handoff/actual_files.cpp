// SPDX-License-Identifier: Apache-2.0
#include "experiments/handoff/actual_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "experiments/handoff/selection.hpp"
#include "models/error.hpp"

namespace prelude::experiments {

namespace fs = std::filesystem;

namespace {

constexpr std::array<std::string_view, 9> kExtensions{".npy", ".bin", ".raw", ".hex", ".mem", ".dat", ".txt", ".log", ".h"};
constexpr std::size_t kMaxFiles = 100'000;
constexpr int kMaxDepth = 8;

/// A file of this name may hold a dump of the format.
bool may_hold(const fs::path& file, DumpFormat format) {
    const auto extension = file.extension().string();
    switch (format) {
        case DumpFormat::npy: return extension == ".npy";
        case DumpFormat::binary: return extension == ".bin" || extension == ".raw";
        case DumpFormat::hex: return extension == ".hex" || extension == ".mem" || extension == ".dat" || extension == ".txt";
        case DumpFormat::decimal: return extension == ".dat" || extension == ".txt" || extension == ".log";
        case DumpFormat::real: return extension == ".dat" || extension == ".txt" || extension == ".log";
        case DumpFormat::cosim: return extension == ".dat";
        case DumpFormat::header: return extension == ".h";
    }
    return false;
}

/// What a file is called after: its name without extension, of vectors of co-simulation the port.
std::string stem_of(const fs::path& file) {
    auto stem = file.stem().string();
    for (const std::string_view marker : {"autotvout_", "autotvin_"})
        if (const auto at = stem.find(marker); at != std::string::npos) return stem.substr(at + marker.size());
    return stem;
}

}  // namespace

ActualFiles::ActualFiles(const fs::path& folder, std::optional<DumpFormat> format) : folder_(folder), format_(format) {
    if (!fs::is_directory(folder)) throw models::InputError(fmt::format("{}: no such folder", folder.string()));
    std::size_t num_files = 0;
    for (auto entry = fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied);
         entry != fs::recursive_directory_iterator(); ++entry) {
        if (entry.depth() >= kMaxDepth) entry.disable_recursion_pending();
        if (!entry->is_regular_file() || std::ranges::find(kExtensions, entry->path().extension().string()) == kExtensions.end()) continue;
        if (format && !may_hold(entry->path(), *format)) continue;
        if (++num_files > kMaxFiles) throw models::InputError(fmt::format("{}: more than {} files", folder.string(), kMaxFiles));
        by_stem_[stem_of(entry->path())].push_back({entry->path()});
    }
    for (auto& [stem, entries] : by_stem_) std::ranges::sort(entries, {}, &Entry::path);
}

std::optional<fs::path> ActualFiles::file_of(const std::string& tensor) {
    std::vector<Entry*> found;
    for (const auto& name : {tensor, c_name(tensor)}) {
        if (const auto entries = by_stem_.find(name); entries != by_stem_.end())
            for (auto& entry : entries->second)
                if (std::ranges::find(found, &entry) == found.end()) found.push_back(&entry);
    }
    for (auto* entry : found) entry->claimed = true;
    if (found.empty()) return std::nullopt;
    if (found.size() > 1)
        throw models::InputError(fmt::format("{}: two dumps of it: {} and {}; --format chooses by their format, or leave one in the folder",
                                             tensor, found[0]->path.string(), found[1]->path.string()));
    return found[0]->path;
}

std::vector<fs::path> ActualFiles::unclaimed() const {
    std::vector<fs::path> files;
    for (const auto& [stem, entries] : by_stem_)
        for (const auto& entry : entries)
            if (!entry.claimed) files.push_back(fs::relative(entry.path, folder_));
    return files;
}

}  // namespace prelude::experiments
