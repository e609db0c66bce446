// SPDX-License-Identifier: Apache-2.0
#pragma once

// Files that the checkpoint tests read, and temporary ones that they write.

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/paths.hpp"

namespace prelude::models::test {

inline std::filesystem::path data(const std::string& name) {
    return std::filesystem::path(PRELUDE_SOURCE_DIR) / "tests/data" / name;
}

/// A file of the complete reference data, which only some machines have; empty path if absent.
inline std::filesystem::path large_golden(const std::string& name) {
    const char* folder = std::getenv("PRELUDE_GOLDEN");
    if (folder == nullptr) return {};
    const auto path = std::filesystem::path(folder) / name;
    return std::filesystem::exists(path) ? path : std::filesystem::path();
}

/// A folder that is removed at the end of the test.
class TemporaryFolder {
  public:
    TemporaryFolder() {
        static std::atomic<int> counter{0};
        path_ = std::filesystem::temp_directory_path() / ("prelude-test-" + std::to_string(::getpid()) + "-" + std::to_string(counter++));
        std::filesystem::create_directories(path_);
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

}  // namespace prelude::models::test
