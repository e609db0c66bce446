// SPDX-License-Identifier: Apache-2.0
#pragma once

// A CSV file as cells by the names of its first line; lines that start with # aside, quotes around a cell taken off.

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace prelude::testing {

inline std::vector<std::map<std::string, std::string>> csv_rows(const std::filesystem::path& file) {
    std::ifstream lines(file);
    std::vector<std::string> names;
    std::vector<std::map<std::string, std::string>> rows;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with('#')) continue;
        std::vector<std::string> cells;
        std::string cell;
        bool quoted = false;
        for (const char c : line) {
            if (c == '"') quoted = !quoted;
            else if (c == ',' && !quoted) cells.push_back(std::exchange(cell, {}));
            else if (c != '\r') cell += c;
        }
        cells.push_back(cell);
        if (names.empty()) {
            names = cells;
            continue;
        }
        auto& row = rows.emplace_back();
        for (std::size_t i = 0; i < names.size(); ++i) row[names[i]] = cells.at(i);
    }
    return rows;
}

}  // namespace prelude::testing
