// SPDX-License-Identifier: Apache-2.0
#include "experiments/commands/compare.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>

#include "experiments/compare/comparison.hpp"
#include "experiments/sweep/run.hpp"

namespace prelude::experiments {

namespace {

SweepInfo info_in(const Store& store) {
    if (auto info = store.info()) return *std::move(info);
    throw StoreError(fmt::format("{}: holds no sweep", store.file().string()));
}

}  // namespace

int compare_command(const CompareCommand& command) {
    const auto store = Store::open_existing(store_path(command.folder, {}), false);
    const auto rows = store.rows(false);
    const auto comparison = compare(info_in(store), rows, scores_in(store), command.by, command.reference);
    if (!comparison.lacking.empty())
        throw SelectionError(fmt::format("{}: no accuracy of point {}", store.file().string(), fmt::join(comparison.lacking, ", ")),
                             "points with accuracy: a model with weights, a sweep that ran to its end in this version; the same command resumes it");
    std::fputs((command.csv ? comparison_csv(comparison) : print_comparison(comparison)).c_str(), stdout);
    return 0;
}

int table_command(const TableCommand& command) {
    const auto store = Store::open_existing(store_path(command.folder, {}), false);
    const auto rows = store.rows(false);
    std::fputs(print_pivot(pivot(info_in(store), rows, command.request), command.markdown ? PivotForm::markdown : PivotForm::text).c_str(), stdout);
    return 0;
}

int ratio_command(const RatioCommand& command) {
    const auto store = Store::open_existing(store_path(command.folder, {}), false);
    const auto rows = store.rows(false);
    std::fputs(print_ratios(ratios(info_in(store), rows, command.request), command.markdown).c_str(), stdout);
    return 0;
}

}  // namespace prelude::experiments
