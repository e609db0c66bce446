// SPDX-License-Identifier: Apache-2.0
#pragma once

// The tables of arch_configs/costs: cells without quotes, lines that start with # aside.

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "models/error.hpp"

namespace prelude::calibration {

/// Cells between separators; a last empty one counts.
[[nodiscard]] inline std::vector<std::string> split(const std::string& text, char at) {
    std::vector<std::string> parts(1);
    for (const char c : text) {
        if (c == at) parts.emplace_back();
        else parts.back() += c;
    }
    return parts;
}

/// Rows by the names of the first.
///
/// Throws    models::InputError for a row of another number of cells, or without any row
[[nodiscard]] inline std::vector<std::map<std::string, std::string, std::less<>>> read_csv(const std::filesystem::path& csv) {
    std::ifstream file(csv);
    std::vector<std::map<std::string, std::string, std::less<>>> rows;
    std::vector<std::string> names;
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line[0] == '#') continue;
        const auto cells = split(line, ',');
        if (names.empty()) {
            names = cells;
            continue;
        }
        if (cells.size() != names.size()) throw models::InputError(fmt::format("{}: a row of {} cells, expected {}", csv.string(), cells.size(), names.size()));
        auto& row = rows.emplace_back();
        for (std::size_t i = 0; i < names.size(); ++i) row[names[i]] = cells[i];
    }
    if (rows.empty()) throw models::InputError(fmt::format("{}: no rows", csv.string()));
    return rows;
}

}  // namespace prelude::calibration
