// SPDX-License-Identifier: Apache-2.0
#include "experiments/store/cache.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fstream>

#include "experiments/hash.hpp"
#include "experiments/process/descriptor.hpp"

namespace prelude::experiments {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kTemporary = ".prelude.tmp";
constexpr std::string_view kSeal = "prelude.sealed/1";
constexpr std::size_t kKeyDigits = 64;
constexpr std::size_t kSealBytes = kSeal.size() + 1 + 16 + 1 + kKeyDigits + 1;  // "prelude.sealed/1 <length> <sha256>\n"

[[noreturn]] void fail(const fs::path& file, const char* what) {
    throw fs::filesystem_error(what, file, std::error_code(errno, std::generic_category()));
}

std::string seal_of(std::string_view bytes) {
    return fmt::format("{} {:016x} {}\n", kSeal, bytes.size(), sha256(bytes));
}

void sync(const fs::path& path, int flags) {
    const Descriptor descriptor(::open(path.c_str(), flags | O_CLOEXEC));
    if (!descriptor || ::fsync(descriptor.get()) != 0) fail(path, "cannot sync");
}

void write_bytes(const fs::path& file, std::string_view bytes) {
    const Descriptor descriptor(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (!descriptor) fail(file, "cannot create");
    while (!bytes.empty()) {
        const auto written = ::write(descriptor.get(), bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) fail(file, "cannot write");
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
}

}  // namespace

namespace cache_detail {

fs::path temporary_beside(const fs::path& file) {
    static std::atomic<unsigned> counter = 0;
    return file.parent_path() / fmt::format(".{}.{}.{}{}", file.filename().string(), ::getpid(), counter++, kTemporary);
}

void publish(const fs::path& temporary, const fs::path& file) {
    sync(temporary, O_RDONLY);
    fs::rename(temporary, file);
    sync(file.has_parent_path() ? file.parent_path() : fs::path("."), O_RDONLY | O_DIRECTORY);
}

}  // namespace cache_detail

void write_atomically(const fs::path& file, std::string_view bytes) {
    write_atomically_with(file, [&](const fs::path& temporary) { write_bytes(temporary, bytes); });
}

void write_sealed(const fs::path& file, std::string_view bytes) {
    write_atomically(file, std::string(bytes) + seal_of(bytes));
}

std::optional<std::string> read_sealed(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) return std::nullopt;
    std::string bytes{std::istreambuf_iterator<char>(stream), {}};
    if (stream.bad() || bytes.size() < kSealBytes) return std::nullopt;
    const auto seal = bytes.substr(bytes.size() - kSealBytes);
    bytes.resize(bytes.size() - kSealBytes);
    if (seal != seal_of(bytes)) return std::nullopt;
    return bytes;
}

bool is_key(std::string_view text) noexcept {
    return text.size() == kKeyDigits &&
           std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::vector<CachedFile> files_of(const fs::path& cache, std::string_view key) {
    std::vector<CachedFile> files;
    std::error_code failure;
    for (fs::directory_iterator entry(cache, failure), end; !failure && entry != end; entry.increment(failure)) {
        const auto name = entry->path().filename().string();
        if (name.starts_with(key) && entry->is_regular_file(failure))
            files.push_back({name, entry->file_size(failure), sha256_of_path(entry->path())});
    }
    std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return files;
}

bool is_intact(const fs::path& cache, const CachedFile& file) {
    if (file.name.empty() || file.name.find('/') != std::string::npos) return false;
    std::error_code failure;
    const auto path = cache / file.name;
    if (!fs::is_regular_file(fs::symlink_status(path, failure)) || fs::file_size(path, failure) != file.num_bytes || failure) return false;
    try {
        return sha256_of_path(path) == file.sha256;
    } catch (const fs::filesystem_error&) {
        return false;
    }
}

void forget(const fs::path& cache, const CachedFile& file) noexcept {
    if (file.name.empty() || file.name.find('/') != std::string::npos) return;
    std::error_code ignored;
    fs::remove(cache / file.name, ignored);
}

void clear_cache(const fs::path& cache) noexcept {
    std::error_code failure;
    for (fs::directory_iterator entry(cache, failure), end; !failure && entry != end; entry.increment(failure)) {
        auto name = entry->path().filename().string();
        if (name.starts_with('.')) name.erase(0, 1);  // left by a writer that was killed
        std::error_code ignored;
        if (is_key(std::string_view(name).substr(0, kKeyDigits)) && !entry->is_directory(ignored)) fs::remove(entry->path(), ignored);
    }
}

void remove_leftovers(const fs::path& folder, std::chrono::seconds age) noexcept {
    std::error_code failure;
    for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end; entry.increment(failure)) {
        const auto name = entry->path().filename().string();
        std::error_code ignored;
        const auto written = entry->last_write_time(ignored);
        if (!ignored && name.starts_with('.') && name.ends_with(kTemporary) && fs::file_time_type::clock::now() - written >= age)
            fs::remove(entry->path(), ignored);
    }
}

}  // namespace prelude::experiments
