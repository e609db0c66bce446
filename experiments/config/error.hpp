// SPDX-License-Identifier: Apache-2.0
#pragma once

// What is wrong with a configuration: every problem with its place, what was found and what is allowed.
// One message carries all problems of all files; the program prints it and ends with exit code 3.

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace prelude::experiments {

/// A place in a file (`arch.yaml:12:16`), a file as a whole (line 0) or a `--set` argument.
struct Location {
    std::string source;
    int line = 0;  ///< 1-based; 0: the whole source
    int column = 0;
    [[nodiscard]] std::string text() const;
    friend bool operator==(const Location&, const Location&) = default;
};

struct Problem {
    Location where;
    std::string key;      ///< dotted key path, empty when no key is concerned
    std::string message;  ///< "got 9"
    std::string allowed;
    std::string because;
    bool unknown_key = false;  ///< the last line then points to the list of keys
};

/// Thrown when a configuration is rejected. `what()` is the complete text; nothing was run.
class ConfigError final : public std::runtime_error {
  public:
    ConfigError(const std::string& text, std::size_t num_problems) : std::runtime_error(text), num_problems_(num_problems) {}
    [[nodiscard]] std::size_t num_problems() const noexcept { return num_problems_; }

  private:
    std::size_t num_problems_;
};

/// Collects problems while reading goes on.
///
/// Contract
///   - `text()` lists them by source (in order of first appearance), then by line and column; at most 50, then how many more;
///   - the last line counts errors and files and says where the keys are explained.
class Problems {
  public:
    void add(Problem problem) { problems_.push_back(std::move(problem)); }
    void add(Location where, std::string message) { problems_.push_back({std::move(where), {}, std::move(message), {}, {}}); }
    [[nodiscard]] bool empty() const noexcept { return problems_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return problems_.size(); }
    [[nodiscard]] const std::vector<Problem>& items() const noexcept { return problems_; }
    [[nodiscard]] std::string text() const;
    void throw_if_any() const;

  private:
    std::vector<Problem> problems_;
};

/// The candidate closest to `word` in edit distance, or empty when none is near enough to be a slip of the keyboard.
[[nodiscard]] std::string closest(std::string_view word, const std::vector<std::string>& candidates);

/// `text` made fit for one line of a message: control bytes escaped, at most `limit` bytes.
[[nodiscard]] std::string shown(std::string_view text, std::size_t limit = 60);

}  // namespace prelude::experiments
