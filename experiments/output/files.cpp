// SPDX-License-Identifier: Apache-2.0
#include "experiments/output/files.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/columns.hpp"
#include "experiments/output/csv.hpp"
#include "experiments/report/report.hpp"
#include "experiments/store/cache.hpp"

namespace prelude::experiments {

namespace fs = std::filesystem;

namespace {

std::string csv_row(const std::vector<std::string>& columns, const Row& row) {
    std::vector<std::string> fields;
    fields.reserve(columns.size());
    for (const auto& column : columns) fields.push_back(text_in(row, column));
    return csv_line(fields);
}

}  // namespace

Results Results::of(const Store& store) {
    auto info = store.info();
    if (!info) throw StoreError(fmt::format("{}: holds no sweep", store.file().string()));
    Results results{*std::move(info), store.rows(false), {}};
    results.ranking = rank(results.info, results.rows);
    if (results.info.compare.empty()) return results;
    try {
        results.comparison = compare(results.info, results.rows, scores_in(store), results.info.compare);
    } catch (const SelectionError& error) {
        results.comparison_problem = fmt::format("sweep.compare: {}", error.what());
    }
    return results;
}

std::int64_t Results::num_with_status(std::string_view status) const {
    return std::count_if(rows.begin(), rows.end(), [&](const Row& row) { return text_in(row, "status") == status; });
}

std::vector<std::string> result_columns(const SweepInfo& info) {
    std::vector<std::string> columns;
    for (const auto& column : all_columns()) {
        columns.emplace_back(column.name);
        if (column.name == "reason") columns.insert(columns.end(), info.swept.begin(), info.swept.end());
    }
    return columns;
}

std::string results_csv(const Results& results) {
    const auto columns = result_columns(results.info);
    auto text = csv_line(columns);
    for (const auto& row : results.rows) text += csv_row(columns, row);
    return text;
}

std::string pareto_csv(const Results& results) {
    const auto columns = result_columns(results.info);
    auto text = csv_line(columns);
    for (std::size_t i = 0; i < results.rows.size(); ++i)
        if (results.ranking.on_front[i]) text += csv_row(columns, results.rows[i]);
    return text;
}

std::string layers_csv(const SweepInfo& info, const Store& store) {
    std::vector<std::string> fields{"point"};
    fields.insert(fields.end(), info.layer_columns.begin(), info.layer_columns.end());
    auto text = csv_line(fields);
    store.each_row(
        [&](Row&& row) {
            for (const auto& layer : row.layers) {
                fields.assign(1, std::to_string(row.point));
                fields.insert(fields.end(), layer.begin(), layer.end());
                fields.resize(info.layer_columns.size() + 1);
                text += csv_line(fields);
            }
        },
        true);
    return text;
}

void write_outputs(const fs::path& out, const Results& results, const Store& store) {
    write_atomically(out / "config.resolved.yaml", results.info.resolved_yaml);
    write_atomically(out / "results.csv", results_csv(results));
    write_atomically(out / "layers.csv", layers_csv(results.info, store));
    write_atomically(out / "pareto.csv", pareto_csv(results));
    if (results.comparison) write_atomically(out / "comparison.csv", comparison_csv(*results.comparison));
    else fs::remove(out / "comparison.csv");  // of a run that asked for one
    write_atomically(out / "report.html", report_html(results, store, out / "cache"));
}

int exit_code_of(const Results& results) {
    const auto& rows = results.rows;
    if (std::any_of(rows.begin(), rows.end(), [](const Row& row) { return text_in(row, "bits_checked") == "false"; })) return 1;
    const auto num_cancelled = results.num_with_status("cancelled");
    const auto num_evaluated = static_cast<std::int64_t>(rows.size()) - num_cancelled;
    if (num_evaluated > 0 && results.num_with_status("failed") == num_evaluated) return 5;
    if (num_evaluated > 0 && results.ranking.num_feasible == 0) return 4;
    return 0;
}

}  // namespace prelude::experiments
