// SPDX-License-Identifier: Apache-2.0
#include "golden.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "models/checkpoint/weights.hpp"
#include "models/metrics.hpp"

namespace prelude::golden {

namespace fs = std::filesystem;

namespace {

bool is_data(const fs::path& path) {
    const auto extension = path.extension();
    return extension != ".md" && extension != ".txt" && !path.filename().string().starts_with(".");
}

File read(const fs::path& path, const fs::path& root) {
    File file{.path = path, .name = path.lexically_relative(root).generic_string(), .tensors = {}, .document = {}, .problem = {}};
    std::ifstream stream(path, std::ios::binary);
    std::string head(4, '\0');
    stream.read(head.data(), 4);
    head.resize(static_cast<std::size_t>(stream.gcount()));
    const auto first = head.find_first_not_of(" \t\r\n");
    try {
        if (first != std::string::npos && (head[first] == '{' || head[first] == '[')) {
            stream.clear();
            stream.seekg(0);
            file.document = Json::parse(stream);
        } else {
            file.tensors = models::read_checkpoint(path);
            file.is_archive = head.starts_with("PK");
        }
    } catch (const std::exception& error) {
        file.problem = error.what();
    }
    return file;
}

bool belongs_to(const File& file, const std::string& stem) {
    return file.name.starts_with(stem + ".");
}

}  // namespace

Directory::Directory(const fs::path& root) {
    std::vector<fs::path> paths;
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
        if (entry.is_regular_file() && is_data(entry.path())) paths.push_back(entry.path());
    }
    std::ranges::sort(paths);
    for (const auto& path : paths) files_.push_back(read(path, root));
}

std::vector<File*> Directory::unclaimed() {
    std::vector<File*> result;
    for (auto& file : files_) {
        if (!file.claimed && file.problem.empty()) result.push_back(&file);
    }
    return result;
}

std::vector<File*> Directory::siblings(const File& document) {
    const auto stem = without_extension(document.name);
    std::vector<File*> result;
    for (auto* file : unclaimed()) {
        if (file == &document || !belongs_to(*file, stem)) continue;
        const bool has_closer_document = std::ranges::any_of(files_, [&](const File& other) {
            const auto other_stem = without_extension(other.name);
            return other.document && other_stem.size() > stem.size() && (&other == file || belongs_to(*file, other_stem));
        });
        if (!has_closer_document) result.push_back(file);
    }
    return result;
}

void Report::compare(const std::string& what, std::span<const float> reference, std::span<const float> actual) {
    if (reference.size() == actual.size()) {
        deviation(what, models::relative_deviation(reference, actual));
    } else {
        require(false, fmt::format("{}: {} values, the reference has {}", what, actual.size(), reference.size()));
    }
}

void Report::deviation(const std::string& what, double relative) {
    ++num_comparisons_;
    if (!(relative <= worst_)) worst_ = relative, worst_tensor_ = what;
    if (!(relative <= tolerance_)) problems_.push_back(fmt::format("{}: deviation {:.2e}", what, relative));
}

void Report::require(bool holds, const std::string& what) {
    ++num_comparisons_;
    if (!holds) problems_.push_back(what);
}

std::string without_extension(const std::string& name) {
    return fs::path(name).replace_extension().generic_string();
}

bool has_keys(const Json& document, std::initializer_list<std::string_view> keys) {
    return document.is_object() && std::ranges::all_of(keys, [&](auto key) { return document.contains(key); });
}

void References::add(const File& file) {
    for (const auto& [name, tensor] : file.tensors->tensors()) {
        if (!tensors_.emplace(name, Entry{&*file.tensors, false}).second) {
            throw std::invalid_argument(fmt::format("{}: the tensor {} occurs in two files of this case", file.name, name));
        }
    }
}

std::vector<std::string> References::names() const {
    std::vector<std::string> result;
    for (const auto& [name, entry] : tensors_) result.push_back(name);
    return result;
}

const models::Shape& References::shape(const std::string& name) const {
    return tensors_.at(name).file->tensor(name).shape;
}

std::vector<std::string> References::unused() const {
    std::vector<std::string> result;
    for (const auto& [name, entry] : tensors_) {
        if (!entry.used) result.push_back(name);
    }
    return result;
}

}  // namespace prelude::golden
