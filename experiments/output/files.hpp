// SPDX-License-Identifier: Apache-2.0
#pragma once

// The files of a finished, interrupted or merged sweep, all written from its store alone.

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "experiments/compare/comparison.hpp"
#include "experiments/store/store.hpp"
#include "experiments/sweep/pareto.hpp"

namespace prelude::experiments {

/// A store's sweep with its rows (without layers), their ranking, and their comparison where the sweep asks for one: what every
/// output needs.
struct Results {
    SweepInfo info;
    std::vector<Row> rows;
    Ranking ranking;
    std::optional<PairedComparison> comparison = {};
    std::string comparison_problem = {};  ///< why there is none although it was asked for

    /// Throws    StoreError when no sweep was ever begun there
    [[nodiscard]] static Results of(const Store& store);
    [[nodiscard]] std::int64_t num_with_status(std::string_view status) const;
};

/// Columns of results.csv: point, status, reason, swept keys, the others.
[[nodiscard]] std::vector<std::string> result_columns(const SweepInfo& info);

[[nodiscard]] std::string results_csv(const Results& results);
/// The rows of the front.
[[nodiscard]] std::string pareto_csv(const Results& results);
[[nodiscard]] std::string layers_csv(const SweepInfo& info, const Store& store);

/// Writes results.csv, layers.csv, pareto.csv, comparison.csv (where there is a comparison), config.resolved.yaml and report.html into the
/// folder, each atomically.
/// Throws    std::filesystem::filesystem_error
void write_outputs(const std::filesystem::path& out, const Results& results, const Store& store);

/// 0 done; 1 a bit check failed; 4 no feasible point; 5 every point failed. Points that were not evaluated do not count.
[[nodiscard]] int exit_code_of(const Results& results);

}  // namespace prelude::experiments
