// SPDX-License-Identifier: Apache-2.0
#pragma once

// A file's bytes in memory without reading them: a private read-only mapping, shared by all processes that map the file.
// Limits: regular files only; the file must not be shortened while it is mapped.

#include <cstddef>
#include <filesystem>
#include <span>

namespace prelude::models {

class MappedFile final {
  public:
    /// Throws    CheckpointError if the path cannot be opened, is not a regular file, or cannot be mapped
    explicit MappedFile(const std::filesystem::path& path);
    ~MappedFile();
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    /// Page-aligned; empty for an empty file.
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }

    /// Lets the kernel take back the pages seen so far; the bytes stay readable and are fetched again when used.
    void release() const noexcept;

  private:
    std::span<const std::byte> bytes_;
};

}  // namespace prelude::models
