// SPDX-License-Identifier: Apache-2.0
#include "experiments/compare/selection.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "experiments/config/error.hpp"
#include "experiments/config/keys.hpp"
#include "experiments/output/short_names.hpp"
#include "experiments/sweep/pareto.hpp"

namespace prelude::experiments {

namespace {

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    return first == std::string_view::npos ? std::string_view{} : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

SelectionError::SelectionError(const std::string& message, const std::string& allowed)
    : InputError(fmt::format("{}\n    allowed   {}", message, allowed)), message_(message), allowed_(allowed) {}

std::vector<std::string> chosen_keys(std::string_view text, std::span<const std::string> swept) {
    std::vector<std::string> keys, problems;
    for (bool more = true; more;) {
        const auto comma = text.find(',');
        const std::string name(trimmed(text.substr(0, comma)));
        more = comma != std::string_view::npos;
        text.remove_prefix(more ? comma + 1 : text.size());
        if (std::ranges::find(keys, name) != keys.end()) problems.push_back(fmt::format("{}: there twice", name));
        else if (std::ranges::find(swept, name) != swept.end()) keys.push_back(name);
        else if (find_key(name) != nullptr) problems.push_back(fmt::format("{}: not swept", name));
        else problems.push_back(fmt::format("{}: {}", shown(name), unknown_key_message(name)));
    }
    if (problems.empty()) return keys;
    const auto allowed = swept.empty() ? std::string("nothing: this sweep has no axis") : fmt::format("swept keys, joined by commas: {}", fmt::join(swept, ", "));
    throw SelectionError(fmt::format("{}", fmt::join(problems, "; ")), allowed);
}

const Column& chosen_column(std::string_view name) {
    if (const auto* column = find_column(name)) return *column;
    std::vector<std::string> names;
    for (const auto& column : all_columns()) names.emplace_back(column.name);
    const auto near = closest(name, names);
    throw SelectionError(fmt::format("{}: unknown column.{}", shown(name), near.empty() ? "" : fmt::format(" Did you mean '{}'?", near)),
                         "a column of results.csv, such as miou, ap, dice, latency_ms");
}

std::string values_text(const Row& row, std::span<const std::string> keys) {
    std::vector<std::string> values;
    for (const auto& key : keys) values.push_back(text_in(row, key));
    return fmt::format("{}", fmt::join(values, ","));
}

std::vector<std::string> other_keys(std::span<const std::string> swept, std::span<const std::string> chosen) {
    std::vector<std::string> others;
    std::ranges::copy_if(swept, std::back_inserter(others), [&](const auto& key) { return std::ranges::find(chosen, key) == chosen.end(); });
    return others;
}

std::vector<Slice> slices(std::span<const Row> rows, std::span<const std::string> others) {
    std::vector<Slice> result;
    std::map<std::vector<std::string>, std::size_t> places;
    for (const auto& row : rows) {
        std::vector<std::string> values;
        for (const auto& key : others) values.push_back(text_in(row, key));
        const auto [place, is_new] = places.emplace(values, result.size());
        if (is_new) result.push_back({.values = std::move(values), .rows = {}});
        result[place->second].rows.push_back(&row);
    }
    return result;
}

std::string setting_text(const Slice& slice, std::span<const std::string> others) {
    const auto names = short_names({others.begin(), others.end()});
    std::vector<std::string> parts;
    for (std::size_t k = 0; k < names.size(); ++k) parts.push_back(names[k] + " " + slice.values[k]);
    return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace prelude::experiments
