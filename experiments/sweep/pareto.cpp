// SPDX-License-Identifier: Apache-2.0
#include "experiments/sweep/pareto.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "experiments/sweep/constraint.hpp"

namespace prelude::experiments {

bool dominates(const std::vector<double>& q, const std::vector<double>& p) noexcept {
    bool better = false;
    for (std::size_t k = 0; k < p.size(); ++k) {
        if (q[k] > p[k]) return false;
        better = better || q[k] < p[k];
    }
    return better;
}

std::vector<std::size_t> pareto_front(std::span<const std::vector<double>> costs) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < costs.size(); ++i)
        if (!costs[i].empty() && std::none_of(costs[i].begin(), costs[i].end(), [](double cost) { return std::isnan(cost); }))
            order.push_back(i);
    // In lexicographic order nothing later dominates anything earlier, so only the front so far has to be asked.
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return costs[a] < costs[b]; });
    std::vector<std::size_t> front;
    for (const auto candidate : order)
        if (std::none_of(front.begin(), front.end(), [&](std::size_t member) { return dominates(costs[member], costs[candidate]); }))
            front.push_back(candidate);
    std::sort(front.begin(), front.end());
    return front;
}

const std::string& text_in(const Row& row, std::string_view column) {
    static const std::string kNothing;
    const auto cell = row.cells.find(column);
    return cell == row.cells.end() ? kNothing : cell->second;
}

std::optional<double> number_of(std::string_view text) {
    if (text == "true") return 1.0;
    if (text == "false") return 0.0;
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
    return number;
}

std::optional<double> number_in(const Row& row, std::string_view column) {
    return number_of(text_in(row, column));
}

Ranking rank(const SweepInfo& info, std::span<const Row> rows) {
    std::vector<Constraint> constraints;
    for (const auto& text : info.constraints)
        if (const auto parsed = parse_constraint(text); const auto* constraint = std::get_if<Constraint>(&parsed))
            constraints.push_back(*constraint);

    Ranking ranking;
    ranking.feasible.assign(rows.size(), false);
    ranking.on_front.assign(rows.size(), false);
    std::vector<std::vector<double>> costs;
    std::vector<std::size_t> candidates;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto& row = rows[i];
        if (text_in(row, "status") != "ok") continue;
        if (!std::all_of(constraints.begin(), constraints.end(),
                         [&](const Constraint& constraint) { return holds(constraint, number_in(row, constraint.column)); }))
            continue;
        ranking.feasible[i] = true;
        ++ranking.num_feasible;
        std::vector<double> cost;
        bool complete = true;
        const auto add = [&](const std::vector<std::string>& columns, double sign) {
            for (const auto& column : columns) {
                const auto number = number_in(row, column);
                if (number)
                    cost.push_back(sign * *number);
                else if (std::find(ranking.lacked.begin(), ranking.lacked.end(), column) == ranking.lacked.end())
                    ranking.lacked.push_back(column);
                complete = complete && number;
            }
        };
        add(info.maximize, -1);
        add(info.minimize, 1);
        if (!complete) {
            ++ranking.num_lacking;
            continue;
        }
        costs.push_back(std::move(cost));
        candidates.push_back(i);
    }
    for (const auto member : pareto_front(costs)) ranking.on_front[candidates[member]] = true;
    ranking.num_on_front = std::count(ranking.on_front.begin(), ranking.on_front.end(), true);
    return ranking;
}

}  // namespace prelude::experiments
