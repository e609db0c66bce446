// SPDX-License-Identifier: Apache-2.0
#pragma once

// Collects what is wrong with one file, so that all of it is reported at once. A hostile file cannot make the list long.

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace prelude::models {

/// A name from a file as it may be printed: in quotes, control and non-ASCII bytes as \xNN, long names cut.
[[nodiscard]] std::string in_quotes(std::string_view name);

/// The problems of one file.
///
/// **Contract**
/// - every problem is one sentence without the file's name
/// - the first `kMaxListed` are kept, the rest are counted
class Problems final {
  public:
    static constexpr std::size_t kMaxListed = 1000;

    explicit Problems(std::string file) : file_(std::move(file)) {}

    void add(std::string problem);
    [[nodiscard]] bool empty() const noexcept { return listed_.empty(); }
    [[nodiscard]] const std::string& file() const noexcept { return file_; }
    /// Throws     CheckpointError with all problems, if there are any
    void throw_if_any() const;
    /// Adds a problem after which reading cannot go on. Throws CheckpointError with it and all before.
    [[noreturn]] void fail(std::string problem);

  private:
    std::string file_;
    std::vector<std::string> listed_;
    std::size_t num_unlisted_ = 0;
};

}  // namespace prelude::models
