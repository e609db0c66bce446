// SPDX-License-Identifier: Apache-2.0
#pragma once

// The folder that goes to the HLS team.

#include <filesystem>
#include <set>
#include <string>

#include "experiments/handoff/manifest.hpp"
#include "experiments/handoff/tensors.hpp"

namespace prelude::experiments {

/// Contract
///  - the manifest is written last: a folder that has one is complete, and everything in it stands in the manifest with its hash.
///  - a folder with other things than an earlier export in it is refused; an earlier export is replaced.
class ExportFolder final {
  public:
    /// Throws    models::InputError
    ExportFolder(std::filesystem::path folder, std::set<DumpFormat> formats, const Packing& packing);

    void add_file(const std::string& name, const std::string& text);
    /// Canonical .npy with its side-car, and the other formats.
    void add_tensor(ExportedTensor&& tensor);
    /// A file that stands in the folder already.
    void note_file(const std::string& name);
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return folder_; }
    [[nodiscard]] std::uint64_t num_bytes() const noexcept { return num_bytes_; }
    [[nodiscard]] std::size_t num_tensors() const noexcept { return tensors_.size(); }

    /// Writes the manifest, with the tensors and files given.
    void finish(Manifest manifest);

  private:
    [[nodiscard]] std::string write(const std::string& name, const std::string& text);

    std::filesystem::path folder_;
    std::set<DumpFormat> formats_;
    Packing packing_;
    std::vector<ManifestTensor> tensors_;
    std::map<std::string, ManifestFile> files_;
    std::set<std::string> c_names_;
    std::uint64_t num_bytes_ = 0;
};

}  // namespace prelude::experiments
