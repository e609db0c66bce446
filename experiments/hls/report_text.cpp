// SPDX-License-Identifier: Apache-2.0
#include "experiments/hls/report_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "models/error.hpp"

namespace prelude::experiments {

namespace {

constexpr std::size_t kMaxColumns = 256, kShown = 60;

bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\r'; }

/// A cell as messages show it.
std::string shown(std::string_view text) {
    std::string result;
    for (const char c : text.substr(0, kShown)) result += c >= ' ' && c < 127 ? c : '?';
    return text.size() > kShown ? result + "..." : result;
}

std::string_view without_mark(std::string_view name) noexcept {
    while (!name.empty() && (name.back() == '*' || name.back() == '^')) name.remove_suffix(1);
    return trimmed(name);
}

}  // namespace

std::string_view trimmed(std::string_view text) noexcept {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

bool is_unknown(std::string_view text) noexcept {
    constexpr std::array<std::string_view, 7> kWords{"", "?", "-", "--", "undef", "NA", "N/A"};
    return std::ranges::find(kWords, trimmed(text)) != kWords.end();
}

ReportText::ReportText(std::string_view text, std::string name) : name_(std::move(name)) {
    while (!text.empty()) {
        const auto end = text.find('\n');
        lines_.push_back(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
}

std::optional<std::size_t> ReportText::find(std::string_view words, std::size_t from) const {
    for (auto i = from; i < lines_.size(); ++i)
        if (lines_[i].find(words) != std::string_view::npos) return i;
    return std::nullopt;
}

std::size_t ReportText::expect(std::string_view words, std::size_t from) const {
    const auto found = find(words, from);
    if (!found) refuse(lines_.size() - 1, fmt::format("the report ends without \"{}\"", words));
    return *found;
}

ReportText::Entry ReportText::entry(std::string_view key) const {
    for (std::size_t i = 0; i < lines_.size(); ++i) {
        auto line = lines_[i];
        while (!line.empty() && (is_blank(line.front()) || line.front() == '*' || line.front() == '|')) line.remove_prefix(1);
        if (!line.starts_with(key)) continue;
        const auto rest = trimmed(line.substr(key.size()));
        if (rest.starts_with(':')) return {trimmed(rest.substr(1)), i};
    }
    return {};
}

ReportTable ReportText::table(std::size_t from) const {
    const auto is_border = [&](std::size_t i) { return trimmed(lines_[i]).starts_with("+-"); };
    auto i = from;
    while (i < lines_.size() && !is_border(i)) ++i;
    if (i == lines_.size()) refuse(std::min(from, lines_.size() - 1), "a table is expected behind this line");
    ReportTable table{.line = i, .end = i, .rows = {}};
    int borders = 0;
    for (; i < lines_.size(); ++i) {
        auto line = trimmed(lines_[i]);
        if (line.starts_with('+')) {
            if (is_border(i)) ++borders;
            continue;
        }
        if (!line.starts_with('|')) break;
        ReportRow row{.line = i, .in_head = borders < 2, .cells = {}};
        line.remove_prefix(1);
        while (!line.empty()) {
            const auto end = line.find('|');
            row.cells.push_back(trimmed(line.substr(0, end)));
            if (row.cells.size() > kMaxColumns) refuse(i, fmt::format("a table of more than {} columns", kMaxColumns));
            line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
        }
        table.rows.push_back(std::move(row));
    }
    table.end = i;
    return table;
}

std::optional<std::size_t> ReportTable::column(std::initializer_list<std::string_view> names) const {
    std::size_t width = 0;
    for (const auto& row : rows)
        if (row.in_head) width = std::max(width, row.cells.size());
    for (std::size_t c = 0; c < width; ++c) {
        std::string title;
        for (const auto& row : rows)
            if (row.in_head && c < row.cells.size() && !row.cells[c].empty()) title += (title.empty() ? "" : " ") + std::string(row.cells[c]);
        if (std::ranges::find(names, std::string_view(title)) != names.end()) return c;
    }
    return std::nullopt;
}

const ReportRow* ReportTable::row(std::string_view name) const {
    for (const auto& row : rows)
        if (!row.in_head && !row.cells.empty() && without_mark(row.cells.front()) == name) return &row;
    return nullptr;
}

std::optional<double> ReportText::number(std::string_view cell, std::size_t line, std::string_view unit) const {
    auto text = trimmed(cell);
    if (is_unknown(text)) return std::nullopt;
    double value = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || !std::isfinite(value) || value < 0) refuse(line, fmt::format("\"{}\" where a number is expected", shown(cell)));
    const auto behind = trimmed(text.substr(static_cast<std::size_t>(rest - text.data())));
    const bool share = (behind.starts_with('(') && behind.ends_with(')')) || (behind.starts_with('[') && behind.ends_with(']'));
    if (!behind.empty() && !share && behind != unit) refuse(line, fmt::format("\"{}\" where a number{} is expected", shown(cell), unit.empty() ? std::string{} : fmt::format(" in {}", unit)));
    return value;
}

std::optional<std::int64_t> ReportText::count(std::string_view cell, std::size_t line, int times) const {
    constexpr double kMost = 9e15;
    const auto value = number(cell, line);
    if (!value) return std::nullopt;
    const double whole = times * *value;
    if (whole != std::floor(whole) || whole > kMost) refuse(line, fmt::format("\"{}\" where a whole number is expected", shown(cell)));
    return static_cast<std::int64_t>(whole);
}

void ReportText::refuse(std::size_t line, std::string_view what) const { throw models::InputError(fmt::format("{}:{}: {}", name_, line + 1, what)); }

}  // namespace prelude::experiments
