// SPDX-License-Identifier: Apache-2.0
#pragma once

// The table a sweep ends with.

#include <string>

#include "experiments/output/files.hpp"

namespace prelude::experiments {

/// Contract
///   - rows in the order of the points, at most `kMaxTableRows`; of more, those on the Pareto front;
///   - a column that says nothing (all cells empty, or status when all is well) is left out;
///   - a result that is the same in all rows stands once below them, except the objectives people look for;
///   - where the width does not suffice the least important columns go first, never the swept keys;
///   - `*` marks the Pareto front.
inline constexpr std::size_t kMaxTableRows = 200;
[[nodiscard]] std::string print_table(const Results& results, int width);

/// What the sweep asks for beside its table: the comparison, the table of sweep.table. Empty where it asks for nothing.
[[nodiscard]] std::string print_comparisons(const Results& results);

/// How the sweep went, in one or two lines: counts, front, what was left out.
[[nodiscard]] std::string print_summary(const Results& results);

}  // namespace prelude::experiments
