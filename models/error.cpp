// SPDX-License-Identifier: Apache-2.0
#include "models/error.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

namespace prelude::models {

namespace {

std::string list(std::string_view file, const std::vector<std::string>& problems) {
    std::string text;
    for (const auto& problem : problems) text += fmt::format("{}: {}\n", file, problem);
    text += fmt::format("{} problem{} in 1 file; nothing was run.", problems.size(), problems.size() == 1 ? "" : "s");
    return text;
}

}  // namespace

CheckpointError::CheckpointError(std::string_view file, const std::vector<std::string>& problems) : InputError(list(file, problems)) {}

DataError::DataError(std::string_view file, const std::vector<std::string>& problems) : InputError(list(file, problems)) {}

void check_failed(const char* expression, const char* file, int line, std::string_view detail) {
    std::fprintf(stderr, "%s:%d: internal error (%s): %.*s\n", file, line, expression, static_cast<int>(detail.size()), detail.data());
    std::abort();
}

}  // namespace prelude::models
