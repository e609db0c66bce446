// SPDX-License-Identifier: Apache-2.0
#include "experiments/validation/prediction.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>

#include "experiments/config/configuration.hpp"
#include "experiments/config/library.hpp"
#include "experiments/output/csv.hpp"
#include "experiments/output/text_table.hpp"
#include "experiments/sweep/grid.hpp"

namespace prelude::experiments {

namespace {

namespace fs = std::filesystem;

constexpr double kLeastMove = 0.005;  ///< of the figure: less is not worth a word

bool states(const Configuration& configuration, const Key* key) {
    return configuration.is_axis(key) || std::ranges::any_of(configuration.assignments, [&](const auto& assignment) { return assignment.key == key; });
}

/// The axis of assumed keys, which move together: default, slow, fast.
std::string axis_of(const std::vector<const Assumption*>& open) {
    std::string names;
    std::array<std::string, 3> tuples;
    for (const auto* assumption : open) {
        const auto& domain = assumption->key->domain;
        const auto comma = names.empty() ? "" : ",";
        names += comma + std::string(assumption->key->path);
        tuples[0] += comma + domain.print(assumption->standard), tuples[1] += comma + domain.print(assumption->slow), tuples[2] += comma + domain.print(assumption->fast);
    }
    const auto brackets = open.size() == 1 ? "" : "[", closing = open.size() == 1 ? "" : "]";
    return fmt::format("sweep.axes.{}=[{}{}{}, {}{}{}, {}{}{}]", names, brackets, tuples[0], closing, brackets, tuples[1], closing, brackets, tuples[2], closing);
}

double figure_of(const Row& row, std::string_view figure) {
    const auto cell = [&](std::string_view name) {
        const auto found = row.cells.find(name);
        return found == row.cells.end() || found->second.empty() ? 0.0 : std::stod(found->second);
    };
    return figure == kArrayTime ? cell("latency_ms") * (1.0 - cell("stall_pct") / 100.0) : cell(figure);
}

/// Why a point is infeasible: the last reason; that there are no weights stands before it.
std::string last_reason(const Row& row) {
    const auto& reasons = row.cells.at("reason");
    const auto separator = reasons.find("; ");
    return separator == std::string::npos ? reasons : reasons.substr(separator + 2);
}

bool is_ok(const Row& row) { return row.cells.at("status") == "ok"; }

std::string number(double value) { return fmt::format("{:.4g}", value); }
std::string exact(double value) { return fmt::format("{}", value); }

}  // namespace

void Predictor::add_points(const Configuration& configuration, const std::vector<std::string>& ends, std::int64_t count, Run& run) const {
    const Grid grid(configuration);
    for (std::int64_t index = 0; index < std::min(grid.size(), count); ++index) {
        TaskResults results;
        for (const auto& task : task_set_.tasks_of(grid, index)) results.emplace(task.key, TaskResult{true, "", task_set_.run_task(task, grid, {}, {})});
        // The axis of the assumed keys is the last, which moves fastest.
        run.points.push_back({ends[static_cast<std::size_t>(index) % ends.size()], task_set_.make_row(grid, index, results)});
    }
}

const Predictor::Run& Predictor::run(const std::string& name) {
    const auto [entry, is_new] = runs_.try_emplace(name);
    auto& run = entry->second;
    if (!is_new) return run;
    const auto file = folder_ / (name + ".yaml");
    const auto stated = read_configuration(file, {}, arch_configs_);
    std::vector<const Assumption*> open;
    for (const auto& assumption : protocol_.assumptions)
        if (!states(stated, assumption.key)) open.push_back(&assumption);
    const auto all = std::numeric_limits<std::int64_t>::max();
    if (open.empty()) {
        add_points(stated, {"default"}, all, run);
        return run;
    }
    add_points(read_configuration(file, {axis_of(open)}, arch_configs_), {"default", "slow", "fast"}, all, run);
    for (const auto* assumption : open) {
        const auto& key = *assumption->key;
        run.assumed.emplace(key.path);
        std::string ends;
        std::int64_t count = 0;
        for (const auto& end : {assumption->slow, assumption->fast}) {
            if (key.domain.print(end) == key.domain.print(assumption->standard)) continue;
            ends += (count++ == 0 ? "" : ", ") + key.domain.print(end);
        }
        const auto configuration = read_configuration(file, {fmt::format("sweep.axes.{}=[{}]", key.path, ends)}, arch_configs_);
        if (count > 0) add_points(configuration, {std::string(key.path)}, count, run);
    }
    return run;
}

Prediction Predictor::of(const PublishedDesign& design) {
    Prediction prediction;
    std::map<std::string, double> moves;  ///< by key: how far its ends are from the default, all runs together
    for (const auto& name : design.runs) {
        const auto& points = run(name).points;
        prediction.assumed.insert(run(name).assumed.begin(), run(name).assumed.end());
        prediction.num_points += static_cast<int>(points.size());
        prediction.is_feasible = prediction.is_feasible && is_ok(points.front().row);
        const auto standard = figure_of(points.front().row, design.figure);
        auto low = standard, high = standard;
        std::map<std::string, double> of_run;
        for (const auto& [end, row] : points) {
            if (!is_ok(row)) {
                prediction.left_out.push_back(fmt::format("{}, {}: {}", name, end, last_reason(row)));
                continue;
            }
            const auto value = figure_of(row, design.figure);
            low = std::min(low, value), high = std::max(high, value);
            auto& move = of_run[end];
            if (std::abs(value - standard) > std::abs(move)) move = value - standard;
        }
        for (const auto& [end, move] : of_run) moves[end] += move;
        prediction.low += low, prediction.standard += standard, prediction.high += high;
    }
    for (const auto& [key, move] : moves) {
        const auto share = move / prediction.standard;
        if (!prediction.assumed.contains(key) || std::abs(share) < kLeastMove) continue;
        if (prediction.decisive.empty() || std::abs(share) > std::abs(moves[prediction.decisive.substr(0, prediction.decisive.find(' '))] / prediction.standard))
            prediction.decisive = fmt::format("{} {:+.0f} %", key, 100 * share);
    }
    const auto copies = static_cast<double>(design.copies);
    prediction.low *= copies, prediction.standard *= copies, prediction.high *= copies;
    return prediction;
}

std::string print_validation(const std::vector<ValidationRow>& rows, ValidationForm form) {
    if (form == ValidationForm::csv) {
        std::string text;
        const auto line = [&](const std::vector<std::string>& fields) { text += csv_line(fields); };
        line({"design", "figure", "unit", "min", "default", "max", "points", "decisive", "assumed_keys", "left_out"});
        for (const auto& row : rows) {
            const auto& p = row.prediction;
            line({row.design->name, row.design->figure, row.design->unit, exact(p.low), p.is_feasible ? exact(p.standard) : "", exact(p.high), std::to_string(p.num_points), p.decisive,
                  fmt::format("{}", fmt::join(p.assumed, " ")), fmt::format("{}", fmt::join(p.left_out, "; "))});
        }
        return text;
    }
    TextTable table({{"design", false}, {"figure", false}, {"unit", false}, {"min"}, {"default"}, {"max"}, {"published"}, {"deviation"}, {"inside", false}, {"assumed"}, {"most by one of them", false}});
    for (const auto& row : rows) {
        const auto& p = row.prediction;
        const auto is_comparable = row.published != nullptr && p.is_feasible;
        table.add({row.design->name, row.design->figure, row.design->unit, number(p.low), p.is_feasible ? number(p.standard) : "infeasible", number(p.high),
                   row.published ? number(row.published->value) : "", is_comparable ? fmt::format("{:+.1f} %", 100 * row.deviation()) : "",
                   is_comparable ? (row.is_inside() ? "yes" : "no") : "", std::to_string(p.assumed.size()), p.decisive});
    }
    return form == ValidationForm::markdown ? table.markdown() : table.print("");
}

}  // namespace prelude::experiments
