// SPDX-License-Identifier: Apache-2.0
#pragma once

// Tests against reference data. A directory is searched for cases; what a file is, is told by its content, never by its name.
// To add a kind: one file with a finder, one line in kFinders (main.cpp).
//
// Files      tensors (safetensors, PyTorch zip) and JSON documents. Text (.md, .txt) and hidden files are not data
// Case       what belongs together: usually a JSON document and its siblings, the files of that folder called <stem>.*
// Claim      every data file has to be claimed by a case, or the run fails: nothing is overlooked silently

#include <cstddef>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/checkpoint/tensor_file.hpp"

namespace prelude::golden {

using Json = nlohmann::json;
using models::TensorFile;

struct File {
    std::filesystem::path path;
    std::string name;  ///< relative to the directory searched
    std::optional<TensorFile> tensors;
    std::optional<Json> document;
    bool is_archive = false;  ///< a PyTorch zip file
    std::string problem;      ///< why it could not be read
    bool claimed = false;
};

/// All data files below a folder, in order of their names.
class Directory final {
  public:
    explicit Directory(const std::filesystem::path& root);

    [[nodiscard]] const std::vector<File>& files() const noexcept { return files_; }
    /// Files no case has claimed so far.
    [[nodiscard]] std::vector<File*> unclaimed();
    /// Unclaimed files that belong to `document`: same folder, same stem (its name without ".json"). The longest stem wins.
    [[nodiscard]] std::vector<File*> siblings(const File& document);

  private:
    std::vector<File> files_;
};

enum class Status { pass, fail, unsupported };

/// What a case found out: deviations relative to the largest magnitude of each reference tensor.
class Report final {
  public:
    explicit Report(double tolerance) : tolerance_(tolerance) {}

    /// Deviation of `actual` from the reference values, judged by the tolerance.
    void compare(const std::string& what, std::span<const float> reference, std::span<const float> actual);
    /// A relative deviation computed by the caller.
    void deviation(const std::string& what, double relative);
    void require(bool holds, const std::string& what);
    void note(std::string text) { notes_.push_back(std::move(text)); }

    [[nodiscard]] Status status() const noexcept { return problems_.empty() ? Status::pass : Status::fail; }
    [[nodiscard]] double worst() const noexcept { return worst_; }
    [[nodiscard]] const std::string& worst_tensor() const noexcept { return worst_tensor_; }
    [[nodiscard]] double tolerance() const noexcept { return tolerance_; }
    [[nodiscard]] std::size_t num_comparisons() const noexcept { return num_comparisons_; }
    [[nodiscard]] const std::vector<std::string>& problems() const noexcept { return problems_; }
    [[nodiscard]] const std::vector<std::string>& notes() const noexcept { return notes_; }

  private:
    double tolerance_;
    double worst_ = 0;
    std::string worst_tensor_;
    std::size_t num_comparisons_ = 0;
    std::vector<std::string> problems_, notes_;
};

struct Case {
    std::string kind;
    std::string path;             ///< stem, relative to the directory
    std::function<Report()> run;  ///< empty: recognised, not supported yet
};

/// Claims files and returns their cases.
using Finder = std::vector<Case> (*)(Directory&);

[[nodiscard]] std::vector<Case> find_sam_models(Directory& directory);
[[nodiscard]] std::vector<Case> find_portable_sam(Directory& directory);
[[nodiscard]] std::vector<Case> find_quantizers(Directory& directory);
[[nodiscard]] std::vector<Case> find_coco(Directory& directory);
[[nodiscard]] std::vector<Case> find_quantized_models(Directory& directory);
[[nodiscard]] std::vector<Case> find_checkpoints(Directory& directory);

// Helpers of the kinds.

/// `name` without its extension.
[[nodiscard]] std::string without_extension(const std::string& name);
[[nodiscard]] bool has_keys(const Json& document, std::initializer_list<std::string_view> keys);

/// Tensors of several files under one roof; remembers which were used.
class References final {
  public:
    void add(const File& file);
    [[nodiscard]] bool contains(const std::string& name) const { return tensors_.contains(name); }
    [[nodiscard]] std::vector<std::string> names() const;
    [[nodiscard]] const models::Shape& shape(const std::string& name) const;
    /// Throws std::out_of_range, or CheckpointError for another element type.
    template <class T>
    [[nodiscard]] std::span<const T> view(const std::string& name) {
        auto& entry = tensors_.at(name);
        entry.used = true;
        return entry.file->view<T>(name);
    }
    [[nodiscard]] std::vector<std::string> unused() const;

  private:
    struct Entry {
        const TensorFile* file = nullptr;
        bool used = false;
    };
    std::map<std::string, Entry> tensors_;
};

}  // namespace prelude::golden
