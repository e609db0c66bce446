// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which file of the HLS or RTL side holds which tensor.

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "experiments/dumps/word_format.hpp"

namespace prelude::experiments {

/// Files of a folder by the tensor they are called after.
///
/// Contract  a tensor NAME is in NAME.EXT or in its C name (dots as underscores), alone or behind `autotvin_` / `autotvout_` as co-simulation calls its vectors; EXT .npy, .bin,
///           .raw, .hex, .mem, .dat, .txt, .log or .h; in the folder or in folders inside it. Of several files of one tensor the one of the wanted format
/// Limits    100000 files, folders eight deep; links are not followed
class ActualFiles final {
  public:
    /// Throws    models::InputError where the folder is none
    ActualFiles(const std::filesystem::path& folder, std::optional<DumpFormat> format);

    /// Throws    models::InputError for two files of one tensor
    [[nodiscard]] std::optional<std::filesystem::path> file_of(const std::string& tensor);
    /// Files no tensor was asked for.
    [[nodiscard]] std::vector<std::filesystem::path> unclaimed() const;

  private:
    struct Entry {
        std::filesystem::path path;
        bool claimed = false;
    };
    std::filesystem::path folder_;
    std::optional<DumpFormat> format_;
    std::map<std::string, std::vector<Entry>> by_stem_;
};

}  // namespace prelude::experiments
