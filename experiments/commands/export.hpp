// SPDX-License-Identifier: Apache-2.0
#pragma once

// explore export: golden vectors, HLS parameters and expected figures of one design point.

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "experiments/dumps/word_format.hpp"
#include "experiments/sweep/task_set.hpp"

namespace prelude::experiments {

struct ExportCommand {
    std::filesystem::path config;              ///< or
    std::filesystem::path results;             ///< folder of a sweep
    std::optional<std::int64_t> design_point;  ///< number of a point; needed where there are several
    std::vector<std::string> sets;
    std::filesystem::path out;
    std::vector<std::string> layers, units;  ///< empty: all
    std::set<DumpFormat> formats;            ///< beside npy
    Packing packing;
    int picture = 0;  ///< of the evaluated pictures; its first prompt
    bool quiet = false;
};

/// Throws    ConfigError, models::InputError; nothing is written before the design point, the layers and the folder are found good
[[nodiscard]] int export_command(const ExportCommand& command, const TaskSet& task_set);

}  // namespace prelude::experiments
