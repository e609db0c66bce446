// SPDX-License-Identifier: Apache-2.0
#pragma once

// The user's errors of this layer: bad checkpoints and bad data. A programmer's error is an assertion (PRELUDE_CHECK).

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace prelude::models {

/// An input the user supplied is wrong. `what()` is the complete message; nothing was run.
class InputError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// A checkpoint file is broken, hostile, or does not fit the model. Lists every problem of the file at once.
class CheckpointError final : public InputError {
  public:
    explicit CheckpointError(const std::string& message) : InputError(message) {}
    CheckpointError(std::string_view file, const std::vector<std::string>& problems);
};

/// A picture, annotation file or prompt is wrong.
class DataError final : public InputError {
  public:
    explicit DataError(const std::string& message) : InputError(message) {}
    DataError(std::string_view file, const std::vector<std::string>& problems);
};

/// A broken promise between our own functions: the program stops (kept in release builds).
[[noreturn]] void check_failed(const char* expression, const char* file, int line, std::string_view detail);

inline void check(bool condition, std::string_view detail, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    if (!condition) [[unlikely]] check_failed("check", file, line, detail);
}

}  // namespace prelude::models
