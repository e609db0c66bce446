// SPDX-License-Identifier: Apache-2.0
#include "experiments/sweep/constraint.hpp"

#include "experiments/columns.hpp"
#include "experiments/config/error.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <utility>
#include <vector>

namespace prelude::experiments {

namespace {

// Longer operators first: "<=" before "<".
constexpr std::array kOperators = {
    std::pair{std::string_view("<="), Comparison::less_equal}, std::pair{std::string_view(">="), Comparison::greater_equal},
    std::pair{std::string_view("=="), Comparison::equal},      std::pair{std::string_view("!="), Comparison::not_equal},
    std::pair{std::string_view("<"), Comparison::less},        std::pair{std::string_view(">"), Comparison::greater},
};

constexpr std::string_view kForm = "fits, or COLUMN OP NUMBER with OP one of < <= > >= == != and COLUMN a number column of results.csv";

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

BadConstraint unknown_column(std::string_view name) {
    std::vector<std::string> names;
    for (const auto& column : all_columns())
        if (column.kind != Column::Kind::text) names.emplace_back(column.name);
    const auto near = closest(name, names);
    return {fmt::format("unknown column '{}'.{}", shown(name), near.empty() ? "" : fmt::format(" Did you mean '{}'?", near)),
            "the number columns of results.csv, such as miou, latency_ms, power_w, lut, dsp"};
}

}  // namespace

std::string Constraint::text() const {
    const auto* known = find_column(column);
    if (known != nullptr && known->kind == Column::Kind::boolean) return column;
    for (const auto& [symbol, meaning] : kOperators)
        if (meaning == comparison) return fmt::format("{} {} {}", column, symbol, number);
    return column;
}

std::variant<Constraint, BadConstraint> parse_constraint(std::string_view text) {
    const auto whole = trim(text);
    const auto at = whole.find_first_of("<>=!");
    const auto name = trim(whole.substr(0, at));
    if (name.empty() || name.find_first_of(" \t") != std::string_view::npos)
        return BadConstraint{fmt::format("got \"{}\"", shown(text)), std::string(kForm)};
    const auto* column = find_column(name);
    if (column == nullptr || column->kind == Column::Kind::text) return unknown_column(name);
    if (at == std::string_view::npos) {
        if (column->kind == Column::Kind::boolean) return Constraint{std::string(name), Comparison::equal, 1};
        return BadConstraint{fmt::format("got \"{}\"", shown(text)), std::string(kForm)};
    }
    for (const auto& [symbol, meaning] : kOperators) {
        if (!whole.substr(at).starts_with(symbol)) continue;
        const auto digits = trim(whole.substr(at + symbol.size()));
        double number = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
        if (column->kind == Column::Kind::boolean || digits.empty() || error != std::errc{} || end != digits.data() + digits.size() ||
            !std::isfinite(number))
            break;
        return Constraint{std::string(name), meaning, number};
    }
    return BadConstraint{fmt::format("got \"{}\"", shown(text)), std::string(kForm)};
}

bool holds(const Constraint& constraint, std::optional<double> value) noexcept {
    if (!value) return false;
    switch (constraint.comparison) {
        case Comparison::less: return *value < constraint.number;
        case Comparison::less_equal: return *value <= constraint.number;
        case Comparison::greater: return *value > constraint.number;
        case Comparison::greater_equal: return *value >= constraint.number;
        case Comparison::equal: return *value == constraint.number;
        case Comparison::not_equal: return *value != constraint.number;
    }
    return false;
}

std::optional<BadConstraint> check_objective(std::string_view name) {
    const auto* column = find_column(name);
    if (column == nullptr || column->kind != Column::Kind::number) return unknown_column(name);
    return std::nullopt;
}

}  // namespace prelude::experiments
