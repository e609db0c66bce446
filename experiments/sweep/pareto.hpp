// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which rows satisfy the constraints, and which of those no other one beats.

#include <optional>
#include <span>
#include <vector>

#include "experiments/store/store.hpp"

namespace prelude::experiments {

/// Whether q is not worse than p in any cost and better in one.
[[nodiscard]] bool dominates(const std::vector<double>& q, const std::vector<double>& p) noexcept;

/// Indices of the points that no other point dominates, ascending.
///
/// Meaning   q dominates p: q is not worse in any objective and better in one. Equal points do not dominate each other: all stay.
/// Shapes    costs [num_points][num_objectives], all to be minimised
/// Limits    a point with a NaN is never on the front and dominates nothing; without objectives the front is empty
[[nodiscard]] std::vector<std::size_t> pareto_front(std::span<const std::vector<double>> costs);

/// The number a text says; nothing when it is empty, no number, or not finite. Booleans are 0 and 1.
[[nodiscard]] std::optional<double> number_of(std::string_view text);
[[nodiscard]] std::optional<double> number_in(const Row& row, std::string_view column);
/// The text of a cell, "" when there is none.
[[nodiscard]] const std::string& text_in(const Row& row, std::string_view column);

struct Ranking {
    std::vector<bool> feasible;  ///< status ok, and every constraint holds
    std::vector<bool> on_front;
    std::int64_t num_feasible = 0;
    std::int64_t num_on_front = 0;
    std::int64_t num_lacking = 0;     ///< feasible rows left out because an objective is unknown
    std::vector<std::string> lacked;  ///< those objectives
};

[[nodiscard]] Ranking rank(const SweepInfo& info, std::span<const Row> rows);

}  // namespace prelude::experiments
