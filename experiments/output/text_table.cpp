// SPDX-License-Identifier: Apache-2.0
#include "experiments/output/text_table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "models/error.hpp"

namespace prelude::experiments {

namespace {

using Lines = std::vector<std::vector<std::string>>;

std::vector<std::size_t> widths_of(const Lines& lines) {
    std::vector<std::size_t> widths(lines.front().size());
    for (const auto& line : lines)
        for (std::size_t c = 0; c < line.size(); ++c) widths[c] = std::max(widths[c], line[c].size());
    return widths;
}

std::string aligned(const std::string& cell, std::size_t width, bool right) {
    return right ? fmt::format("{:>{}}", cell, width) : fmt::format("{:<{}}", cell, width);
}

}  // namespace

void TextTable::add(std::vector<std::string> cells) {
    models::check(cells.size() == heads_.size(), "text table: as many cells as columns");
    rows_.push_back(std::move(cells));
}

Lines TextTable::lines() const {
    Lines lines(1);
    for (const auto& head : heads_) lines.front().push_back(head.title);
    lines.insert(lines.end(), rows_.begin(), rows_.end());
    return lines;
}

std::string TextTable::print(std::string_view indent) const {
    const auto all = lines();
    const auto widths = widths_of(all);
    std::string text;
    for (const auto& line : all) {
        text += indent;
        for (std::size_t c = 0; c < line.size(); ++c) text += (c == 0 ? "" : "  ") + aligned(line[c], widths[c], heads_[c].right);
        text.erase(text.find_last_not_of(' ') + 1);
        text += "\n";
    }
    return text;
}

std::string TextTable::markdown() const {
    auto all = lines();
    for (auto& line : all)
        for (auto& cell : line)
            for (std::size_t at = 0; (at = cell.find('|', at)) != std::string::npos; at += 2) cell.insert(at, 1, '\\');
    std::vector<std::string> rule;
    for (const auto& head : heads_) rule.emplace_back(head.right ? "---:" : ":---");
    all.insert(all.begin() + 1, rule);
    const auto widths = widths_of(all);
    std::string text;
    for (const auto& line : all) {
        text += "|";
        for (std::size_t c = 0; c < line.size(); ++c) text += " " + aligned(line[c], widths[c], heads_[c].right) + " |";
        text += "\n";
    }
    return text;
}

}  // namespace prelude::experiments
