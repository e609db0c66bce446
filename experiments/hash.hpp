// SPDX-License-Identifier: Apache-2.0
#pragma once

// Content hashes: what cached results are keyed by.

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace prelude::experiments {

/// SHA-256 as 64 hexadecimal digits.
[[nodiscard]] std::string sha256(std::string_view bytes);

/// SHA-256 of a file's bytes; of a folder, of the names and sizes in it.
/// Throws    std::filesystem::filesystem_error when it cannot be read
[[nodiscard]] std::string sha256_of_path(const std::filesystem::path& path);

/// What a user's file says, computed once a process for as long as the file keeps its size and its time of last change: every point
/// of a sweep asks. Of a folder, whose time tells little, it is computed anew.
/// Contract   one `compute` for a `what`; not for concurrent use; not for files that have to be checked (store/cache.hpp)
[[nodiscard]] std::string remembered(std::string_view what, const std::filesystem::path& file, const std::function<std::string()>& compute);
/// The same for what is told by a text of its own.
[[nodiscard]] std::string remembered_as(std::string_view what, const std::string& state, const std::function<std::string()>& compute);

/// Name, size and time of last change of a file: whether it is worth reading again in this process. Empty when it is not there.
[[nodiscard]] std::string stamp_of(const std::filesystem::path& file);

}  // namespace prelude::experiments
