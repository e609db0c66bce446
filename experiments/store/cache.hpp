// SPDX-License-Identifier: Apache-2.0
#pragma once

// DIR/cache: bulk results shared between tasks, points and shards, one file or more per key, found by content hash alone.
// A file is complete or absent; what was tampered with or cut short is noticed and computed again.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace prelude::experiments {

/// What a file held when it was written.
struct CachedFile {
    std::string name;  ///< relative to the cache
    std::uint64_t num_bytes = 0;
    std::string sha256;
    friend bool operator==(const CachedFile&, const CachedFile&) = default;
};

/// Writes the file under a temporary name, syncs it and renames it: readers see all of it or nothing, also after a power cut.
/// Throws    std::filesystem::filesystem_error
void write_atomically(const std::filesystem::path& file, std::string_view bytes);

/// The same for a writer that wants a path: gives it a temporary name beside `file`, then syncs and renames what it wrote.
template <typename Write>
void write_atomically_with(const std::filesystem::path& file, Write&& write);

/// Writes bytes followed by their length and SHA-256; read_sealed gives them back, or nothing when they are not intact.
void write_sealed(const std::filesystem::path& file, std::string_view bytes);
[[nodiscard]] std::optional<std::string> read_sealed(const std::filesystem::path& file);

/// The files of a key: those of the cache whose name begins with it.
[[nodiscard]] std::vector<CachedFile> files_of(const std::filesystem::path& cache, std::string_view key);

/// Whether the file is as it was written. A name that leaves the cache is not.
[[nodiscard]] bool is_intact(const std::filesystem::path& cache, const CachedFile& file);

/// Removes what is there under this name.
void forget(const std::filesystem::path& cache, const CachedFile& file) noexcept;

/// Removes the files named by a key, and nothing else.
void clear_cache(const std::filesystem::path& cache) noexcept;

/// Removes temporary files of writers that were killed: those older than `age`, so that nobody's work under way is lost.
void remove_leftovers(const std::filesystem::path& folder, std::chrono::seconds age) noexcept;

/// Whether a text is a key: 64 lower-case hexadecimal digits.
[[nodiscard]] bool is_key(std::string_view text) noexcept;

namespace cache_detail {
[[nodiscard]] std::filesystem::path temporary_beside(const std::filesystem::path& file);
void publish(const std::filesystem::path& temporary, const std::filesystem::path& file);
}  // namespace cache_detail

template <typename Write>
void write_atomically_with(const std::filesystem::path& file, Write&& write) {
    const auto temporary = cache_detail::temporary_beside(file);
    try {
        write(temporary);
        cache_detail::publish(temporary, file);
    } catch (...) {
        std::error_code ignored;
        std::filesystem::remove(temporary, ignored);
        throw;
    }
}

}  // namespace prelude::experiments
