// SPDX-License-Identifier: Apache-2.0
#pragma once

// Content hashes: what cached results are keyed by.

#include <filesystem>
#include <string>
#include <string_view>

namespace prelude::experiments {

/// SHA-256 as 64 hexadecimal digits.
[[nodiscard]] std::string sha256(std::string_view bytes);

/// SHA-256 of a file's bytes; of a folder, of the names and sizes in it.
/// Throws    std::filesystem::filesystem_error when it cannot be read
[[nodiscard]] std::string sha256_of_path(const std::filesystem::path& path);

}  // namespace prelude::experiments
