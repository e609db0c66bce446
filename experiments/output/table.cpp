// SPDX-License-Identifier: Apache-2.0
#include "experiments/output/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "experiments/compare/pivot.hpp"
#include "experiments/output/short_names.hpp"

namespace prelude::experiments {

namespace {

struct TableColumn {
    std::string name;  ///< in the row
    std::string header;
    int importance;  ///< the smallest goes first
    bool right = true;
    std::string_view format = {};
};

constexpr int kNeverDropped = 100;
constexpr int kAlwaysColumn = 90;  ///< from here on a column of equal cells is still a column
constexpr std::size_t kMaxReason = 60;

std::string shortened(std::string text, std::size_t limit) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    if (text.size() <= limit) return text;
    text.resize(limit - 3);
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0x80U) != 0) text.pop_back();  // do not cut a character
    return text + "...";
}

std::string cell_text(const Row& row, const TableColumn& column) {
    if (!column.format.empty())
        if (const auto number = number_in(row, column.name)) return fmt::format(fmt::runtime(column.format), *number);
    return shortened(text_in(row, column.name), kMaxReason);
}

std::vector<TableColumn> candidates(const Results& results) {
    std::vector<TableColumn> columns{{"point", "point", kNeverDropped}};
    const auto headers = short_names(results.info.swept);
    for (std::size_t k = 0; k < headers.size(); ++k) columns.push_back({results.info.swept[k], headers[k], kNeverDropped});
    columns.insert(columns.end(), {
                                      {"miou", "miou", 90, true, "{:.4f}"},
                                      {"miou_ci95_low", "ci95_low", 24, true, "{:.4f}"},
                                      {"miou_ci95_high", "ci95_high", 23, true, "{:.4f}"},
                                      {"dice", "dice", 18, true, "{:.4f}"},
                                      {"boundary_px", "boundary_px", 27, true, "{:.2f}"},
                                      {"hd95_px", "hd95_px", 26, true, "{:.2f}"},
                                      {"ap", "ap", 80, true, "{:.4f}"},
                                      {"ap50", "ap50", 28, true, "{:.4f}"},
                                      {"ap75", "ap75", 25, true, "{:.4f}"},
                                      {"ap_fp32", "ap_fp32", 20, true, "{:.4f}"},
                                      {"miou_box", "miou_box", 22, true, "{:.4f}"},
                                      {"miou_point", "miou_point", 21, true, "{:.4f}"},
                                      {"num_prompts", "prompts", 19, true, "{:.0f}"},
                                      {"miou_fp32", "miou_fp32", 20, true, "{:.4f}"},
                                      {"sqnr_db", "sqnr_db", 30, true, "{:.1f}"},
                                      {"latency_ms", "latency_ms", 90, true, "{:.4g}"},
                                      {"bound", "bound", 40, false},
                                      {"power_w", "power_w", 90, true, "{:.3g}"},
                                      {"energy_mj", "energy_mj", 50, true, "{:.4g}"},
                                      {"lut", "lut", 35, true, "{:.0f}"},
                                      {"dsp", "dsp", 36, true, "{:.0f}"},
                                      {"bram36", "bram36", 34, true, "{:.4g}"},
                                      {"fits", "fits", 70, false},
                                      {"max_util_pct", "util_%", 45, true, "{:.1f}"},
                                      {"limiting_resource", "limit", 44, false},
                                      {"bits_checked", "bits_checked", 60, false},
                                  });
    const auto num_rows = static_cast<std::int64_t>(results.rows.size());
    if (results.num_with_status("ok") != num_rows) {
        columns.push_back({"status", "status", 95, false});
        columns.push_back({"reason", "reason", 65, false});
    }
    return columns;
}

std::string plural(std::size_t count, std::string_view noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

/// Why points are not all they could be, each reason once. Failures are the caller's to report.
std::string remarks(const Results& results) {
    constexpr std::size_t kShown = 5;
    std::map<std::string, std::size_t> reasons;
    std::size_t num_warned = 0;
    for (const auto& row : results.rows) {
        const auto &status = text_in(row, "status"), &reason = text_in(row, "reason");
        if (!reason.empty() && (status == "ok" || status == "infeasible")) ++reasons[reason];
        if (!text_in(row, "warnings").empty()) ++num_warned;
    }
    std::string text;
    std::size_t shown = 0;
    for (const auto& [reason, count] : reasons) {
        if (++shown > kShown) {
            text += fmt::format("   and {} more reasons in results.csv\n", reasons.size() - kShown);
            break;
        }
        text += fmt::format("   {}: {}\n", plural(count, "point"), reason);
    }
    if (num_warned > 0) text += fmt::format("   {} with warnings: column `warnings` of results.csv\n", plural(num_warned, "point"));
    return text;
}

}  // namespace

std::string print_table(const Results& results, int width) {
    std::vector<std::size_t> shown;
    const bool all = results.rows.size() <= kMaxTableRows;
    for (std::size_t i = 0; i < results.rows.size() && shown.size() < kMaxTableRows; ++i)
        if (all || results.ranking.on_front[i]) shown.push_back(i);

    struct Printed {
        TableColumn column;
        std::vector<std::string> cells;
        std::size_t width;
    };
    std::vector<Printed> table;
    std::vector<std::string> constants;
    for (auto& column : candidates(results)) {
        Printed printed{column, {}, column.header.size()};
        bool is_empty = true;
        for (const auto i : shown) {
            printed.cells.push_back(cell_text(results.rows[i], column));
            printed.width = std::max(printed.width, printed.cells.back().size());
            is_empty = is_empty && printed.cells.back().empty();
        }
        if (is_empty) continue;
        const bool is_constant = printed.cells.size() > 1 && std::all_of(printed.cells.begin(), printed.cells.end(),
                                                                         [&](const auto& cell) { return cell == printed.cells[0]; });
        if (is_constant && column.importance < kAlwaysColumn)
            constants.push_back(fmt::format("{} {}", column.header, printed.cells[0]));
        else
            table.push_back(std::move(printed));
    }
    const auto total = [&] {
        std::size_t sum = 1;
        for (const auto& printed : table) sum += printed.width + 2;
        return sum;
    };
    while (width > 0 && total() > static_cast<std::size_t>(width)) {
        const auto least = std::min_element(table.begin(), table.end(),
                                            [](const auto& a, const auto& b) { return a.column.importance < b.column.importance; });
        if (least == table.end() || least->column.importance >= kNeverDropped) break;
        table.erase(least);
    }

    const auto line = [&](std::string mark, const auto& text_of) {
        std::string text = std::move(mark);
        for (const auto& printed : table) {
            const std::string& cell = text_of(printed);
            text += printed.column.right ? fmt::format("  {:>{}}", cell, printed.width) : fmt::format("  {:<{}}", cell, printed.width);
        }
        text.erase(text.find_last_not_of(' ') + 1);
        return text + "\n";
    };
    std::string text = line(" ", [](const Printed& printed) -> const std::string& { return printed.column.header; });
    for (std::size_t r = 0; r < shown.size(); ++r)
        text += line(results.ranking.on_front[shown[r]] ? "*" : " ",
                     [&](const Printed& printed) -> const std::string& { return printed.cells[r]; });
    if (!constants.empty()) text += fmt::format("   the same everywhere: {}\n", fmt::join(constants, ", "));
    if (!all) text += fmt::format("{} rows of the Pareto front; all {} rows are in results.csv\n", shown.size(), results.rows.size());
    return text;
}

std::string print_comparisons(const Results& results) {
    const auto& info = results.info;
    std::string text;
    if (!info.table_rows.empty()) text += print_pivot(pivot(info, results.rows, {info.table_rows, info.table_columns, info.table_cell}), PivotForm::text);
    if (results.comparison) text += print_comparison(*results.comparison);
    if (!results.comparison_problem.empty()) text += results.comparison_problem + "\n";
    return text;
}

std::string print_summary(const Results& results) {
    const auto& ranking = results.ranking;
    std::string text =
        fmt::format("{} point{}: {} ok", results.rows.size(), results.rows.size() == 1 ? "" : "s", results.num_with_status("ok"));
    for (const auto* status : {"infeasible", "failed", "cancelled"})
        if (const auto count = results.num_with_status(status); count > 0) text += fmt::format(", {} {}", count, status);
    if (!results.info.constraints.empty())
        text += fmt::format("; {} satisfy {}", ranking.num_feasible, fmt::join(results.info.constraints, " and "));
    text += "\n" + remarks(results);
    if (results.info.maximize.empty() && results.info.minimize.empty()) return text;
    std::vector<std::string> objectives;
    for (const auto& column : results.info.maximize) objectives.push_back("max " + column);
    for (const auto& column : results.info.minimize) objectives.push_back("min " + column);
    text += fmt::format("Pareto front (*): {} of them for {}", ranking.num_on_front, fmt::join(objectives, ", "));
    if (ranking.num_lacking > 0) text += fmt::format("; {} left out for lack of {}", ranking.num_lacking, fmt::join(ranking.lacked, ", "));
    return text + "\n";
}

}  // namespace prelude::experiments
