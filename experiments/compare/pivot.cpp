// SPDX-License-Identifier: Apache-2.0
#include "experiments/compare/pivot.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "experiments/output/short_names.hpp"
#include "experiments/output/text_table.hpp"
#include "experiments/sweep/pareto.hpp"

namespace prelude::experiments {

namespace {

std::string cell_text(const Row& row, const std::string& name, std::string_view unit) {
    const auto& text = text_in(row, name);
    const auto value = text.find('.') == std::string::npos ? std::nullopt : number_of(text);
    if (!value) return text;
    return unit == "fraction" ? fmt::format("{:.4f}", *value) : fmt::format("{:.4g}", *value);
}

/// Different values, in the order of the points.
std::vector<std::string> values_in(std::span<const Row> rows, std::span<const std::string> keys) {
    std::vector<std::string> values;
    for (const auto& row : rows)
        if (auto text = values_text(row, keys); std::ranges::find(values, text) == values.end()) values.push_back(std::move(text));
    return values;
}

std::size_t position(const std::vector<std::string>& values, const std::string& value) {
    return static_cast<std::size_t>(std::ranges::find(values, value) - values.begin());
}

}  // namespace

TableKeys keys_of_table(std::string_view rows, std::string_view columns, std::span<const std::string> swept) {
    TableKeys keys{chosen_keys(rows, swept), chosen_keys(columns, swept)};
    for (const auto& key : keys.columns)
        if (std::ranges::find(keys.rows, key) != keys.rows.end()) throw SelectionError(fmt::format("{}: both of the rows and of the columns", key), "one of the two");
    return keys;
}

Pivot pivot(const SweepInfo& info, std::span<const Row> rows, const PivotRequest& request) {
    const auto [down, across] = keys_of_table(request.rows, request.columns, info.swept);
    auto chosen = down;
    chosen.insert(chosen.end(), across.begin(), across.end());
    const auto& column = chosen_column(request.cell);
    const auto reference = request.cell + "_fp32";
    const auto others = other_keys(info.swept, chosen);
    const auto names = short_names(chosen);
    const auto across_names = std::span(names).subspan(down.size());
    Pivot result{.cell = request.cell,
                 .corner = fmt::format("{} \\ {}", fmt::join(std::span(names).first(down.size()), ","), fmt::join(across_names, ",")),
                 .columns = values_in(rows, across),
                 .blocks = {}};
    const auto row_values = values_in(rows, down);
    for (const auto& slice : slices(rows, others)) {
        Pivot::Block block{.setting = setting_text(slice, others), .fp32 = {}, .rows = {}};
        for (const auto& value : row_values) block.rows.emplace_back(value, std::vector<std::string>(result.columns.size()));
        std::vector<std::string> fp32(result.columns.size());
        for (const auto* row : slice.rows) {
            const auto at = position(result.columns, values_text(*row, across));
            block.rows[position(row_values, values_text(*row, down))].second[at] = cell_text(*row, request.cell, column.unit);
            if (fp32[at].empty()) fp32[at] = cell_text(*row, reference, column.unit);
        }
        if (std::ranges::any_of(fp32, [](const auto& text) { return !text.empty(); })) block.fp32 = std::move(fp32);
        result.blocks.push_back(std::move(block));
    }
    return result;
}

std::string print_pivot(const Pivot& pivot, PivotForm form) {
    const bool markdown = form == PivotForm::markdown;
    std::string text;
    for (const auto& block : pivot.blocks) {
        const auto title = block.setting.empty() ? pivot.cell : fmt::format("{}: {}", pivot.cell, block.setting);
        text += markdown ? fmt::format("{}**{}**\n\n", text.empty() ? "" : "\n", title) : title + "\n";
        std::vector<TextTable::Head> heads{{pivot.corner, false}};
        for (const auto& column : pivot.columns) heads.push_back({column});
        TextTable table(std::move(heads));
        const auto add = [&](const std::string& name, const std::vector<std::string>& cells) {
            std::vector<std::string> line{name};
            for (const auto& cell : cells) line.push_back(cell.empty() ? "-" : cell);
            table.add(std::move(line));
        };
        if (!block.fp32.empty()) add("FP32", block.fp32);
        for (const auto& [value, cells] : block.rows) add(value, cells);
        text += markdown ? table.markdown() : table.print("  ");
    }
    return text;
}

}  // namespace prelude::experiments
