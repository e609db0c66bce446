// SPDX-License-Identifier: Apache-2.0
#pragma once

// One condition a design point must satisfy: `fits`, or a column compared with a number.

#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace prelude::experiments {

enum class Comparison { less, less_equal, greater, greater_equal, equal, not_equal };

struct Constraint {
    std::string column;
    Comparison comparison = Comparison::equal;
    double number = 1;
    [[nodiscard]] std::string text() const;
    friend bool operator==(const Constraint&, const Constraint&) = default;
};

/// What is wrong with the text of a constraint, in the form of a configuration problem.
struct BadConstraint {
    std::string message;
    std::string allowed;
};

/// Grammar   constraint = boolean column | column op number;  op = "<" | "<=" | ">" | ">=" | "==" | "!="
/// A list of constraints is their conjunction.
[[nodiscard]] std::variant<Constraint, BadConstraint> parse_constraint(std::string_view text);

/// Whether a row with this value satisfies the constraint. An empty cell does not satisfy anything.
[[nodiscard]] bool holds(const Constraint& constraint, std::optional<double> value) noexcept;

/// Problem of a column name used as an objective, or nothing.
[[nodiscard]] std::optional<BadConstraint> check_objective(std::string_view column);

}  // namespace prelude::experiments
