// SPDX-License-Identifier: Apache-2.0
#include "experiments/validation/prediction.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
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

/// The axis of assumed keys, which move together: default, slow, fast; ends that are alike stand once.
struct Ends {
    std::vector<std::string> names, tuples;
    std::string argument;  ///< of --set
};

Ends ends_of(const std::vector<const Assumption*>& open) {
    Ends ends;
    std::vector<std::string> keys;
    for (const auto* assumption : open) keys.emplace_back(assumption->key->path);
    const std::pair<std::string_view, Value Assumption::*> values[] = {{"default", &Assumption::standard}, {"slow", &Assumption::slow}, {"fast", &Assumption::fast}};
    for (const auto& [name, value] : values) {
        std::vector<std::string> tuple;
        for (const auto* assumption : open) tuple.push_back(assumption->key->domain.print(assumption->*value));
        auto text = fmt::format("{}", fmt::join(tuple, ", "));
        if (open.size() > 1) text = "[" + text + "]";
        if (std::ranges::find(ends.tuples, text) != ends.tuples.end()) continue;
        ends.names.emplace_back(name);
        ends.tuples.push_back(std::move(text));
    }
    ends.argument = fmt::format("sweep.axes.{}=[{}]", fmt::join(keys, ","), fmt::join(ends.tuples, ", "));
    return ends;
}

double figure_of(const Row& row, std::string_view figure) {
    const auto cell = [&](std::string_view name) {
        const auto found = row.cells.find(name);
        return found == row.cells.end() || found->second.empty() ? 0.0 : std::stod(found->second);
    };
    return figure == kArrayTime ? cell("latency_ms") * (1.0 - cell("stall_pct") / 100.0) : cell(figure);
}

/// What was built has closed at its clock: only what the device does not have makes a point infeasible, not the margins of our own designs.
Configuration as_built(Configuration configuration) {
    constexpr double kEveryClock = 1e5;
    const auto lift = [](sim::Device& device) {
        device.max_utilization_lut = device.max_utilization_ff = device.max_utilization_dsp = device.max_utilization_bram = device.max_utilization_uram = 1.0;
        device.max_mean_utilization = 1.0;
        device.fmax_mhz.value = kEveryClock;
    };
    lift(configuration.base.hw.device);
    for (auto& [name, device] : configuration.devices) lift(device);
    return configuration;
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

void Predictor::add_points(const Configuration& configuration, const std::vector<std::string>& ends, std::int64_t count, Run& run, std::int64_t first) const {
    const Grid grid(configuration);
    for (std::int64_t index = first; index < std::min(grid.size(), count); ++index) {
        TaskResults results;
        for (const auto& task : task_set_.tasks_of(grid, index)) results.emplace(task.key, TaskResult{true, "", task_set_.run_task(task, grid, {}, {})});
        run.points.push_back({ends[static_cast<std::size_t>(index) % ends.size()], task_set_.make_row(grid, index, results)});
    }
}

const Predictor::Run& Predictor::run(const std::string& name) {
    const auto [entry, is_new] = runs_.try_emplace(name);
    auto& run = entry->second;
    if (!is_new) return run;
    const auto file = folder_ / (name + ".yaml");
    const auto stated = as_built(read_configuration(file, {}, arch_configs_));
    std::vector<const Assumption*> open;
    for (const auto& assumption : protocol_.assumptions)
        if (!states(stated, assumption.key)) open.push_back(&assumption);
    const auto all = std::numeric_limits<std::int64_t>::max();
    if (open.empty()) {
        add_points(stated, {"default"}, all, run);
        return run;
    }
    const auto together = ends_of(open);
    add_points(as_built(read_configuration(file, {together.argument}, arch_configs_)), together.names, all, run);
    for (const auto* assumption : open) {
        const auto alone = ends_of({assumption});
        const std::string key(assumption->key->path);
        run.assumed.insert(key);
        // The first alternative alone, and of it the ends: its default has been run.
        std::vector<std::string> labels(alone.names.size(), key);
        labels.front() = "default";
        add_points(as_built(read_configuration(file, {alone.argument}, arch_configs_)), labels, static_cast<std::int64_t>(alone.names.size()), run, 1);
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
            line({row.design->name, row.design->figure, row.design->unit, exact(p.low), p.is_feasible ? exact(p.standard) : "", exact(p.high), std::to_string(p.num_points),
                  p.decisive,
                  fmt::format("{}", fmt::join(p.assumed, " ")), fmt::format("{}", fmt::join(p.left_out, "; "))});
        }
        return text;
    }
    TextTable table({{"design", false}, {"figure", false}, {"unit", false}, {"min"}, {"default"}, {"max"}, {"published"}, {"deviation"}, {"inside", false},
                     {"assumed"}, {"most by one of them", false}});
    for (const auto& row : rows) {
        const auto& p = row.prediction;
        const auto is_comparable = row.published != nullptr && p.is_feasible;
        const auto predicted = [&](double value) { return p.is_feasible ? number(value) : std::string("infeasible"); };
        table.add({row.design->name, row.design->figure, row.design->unit, predicted(p.low), predicted(p.standard), predicted(p.high),
                   row.published ? number(row.published->value) : "", is_comparable ? fmt::format("{:+.1f} %", 100 * row.deviation()) : "",
                   is_comparable ? (row.is_inside() ? "yes" : "no") : "", std::to_string(p.assumed.size()), p.decisive});
    }
    return form == ValidationForm::markdown ? table.markdown() : table.print("");
}

}  // namespace prelude::experiments
