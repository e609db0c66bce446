// SPDX-License-Identifier: Apache-2.0
#include "experiments/sweep/prune.hpp"

#include <algorithm>
#include <limits>

#include "experiments/sweep/pareto.hpp"

namespace prelude::experiments {

namespace {

double known(const std::map<std::string, double, std::less<>>& values, const std::string& column, double unknown) {
    const auto found = values.find(column);
    return found == values.end() ? unknown : found->second;
}

/// The objectives of a point at its best, to be minimised.
std::vector<double> best_costs(const SweepInfo& info, const BestCase& point) {
    constexpr double kBest = -std::numeric_limits<double>::infinity();
    std::vector<double> costs;
    for (const auto& column : info.maximize) costs.push_back(-known(point.most, column, -kBest));
    for (const auto& column : info.minimize) costs.push_back(known(point.least, column, kBest));
    return costs;
}

std::vector<double> costs_of(const SweepInfo& info, const Row& row) {
    std::vector<double> costs;
    for (const auto& column : info.maximize) costs.push_back(-*number_in(row, column));
    for (const auto& column : info.minimize) costs.push_back(*number_in(row, column));
    return costs;
}

}  // namespace

PruneRound prune(const SweepInfo& info, std::span<const Row> simulated, std::span<const BestCase> open) {
    // Only the front so far has to be asked: what it does not dominate nothing behind it does.
    const auto ranking = rank(info, simulated);
    std::vector<std::pair<std::int64_t, std::vector<double>>> front;
    for (std::size_t i = 0; i < simulated.size(); ++i)
        if (ranking.on_front[i]) front.emplace_back(simulated[i].point, costs_of(info, simulated[i]));

    PruneRound round;
    std::vector<std::vector<double>> costs;
    std::vector<std::size_t> left;
    for (std::size_t p = 0; p < open.size(); ++p) {
        auto best = best_costs(info, open[p]);
        const auto by = std::ranges::find_if(front, [&](const auto& member) { return dominates(member.second, best); });
        if (by != front.end()) {
            round.pruned.push_back({p, by->first});
            continue;
        }
        costs.push_back(std::move(best));
        left.push_back(p);
    }
    for (const auto member : pareto_front(costs)) round.simulate.push_back(left[member]);
    if (info.maximize.empty() && info.minimize.empty()) round.simulate = left;
    return round;
}

}  // namespace prelude::experiments
