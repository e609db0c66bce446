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

/// How the sweep went, in one or two lines: counts, front, what was left out.
[[nodiscard]] std::string print_summary(const Results& results);

/// Shortest endings of dotted keys that tell them apart: "weight_bits", "softmax.lanes".
[[nodiscard]] std::vector<std::string> short_names(const std::vector<std::string>& keys);

}  // namespace prelude::experiments
