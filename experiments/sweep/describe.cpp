// SPDX-License-Identifier: Apache-2.0
#include "experiments/sweep/describe.hpp"

#include <algorithm>
#include <array>

#include "experiments/config/canonical.hpp"
#include "experiments/config/keys.hpp"
#include "experiments/evaluate/model.hpp"

namespace prelude::experiments {

namespace {

/// Without weights nothing has an accuracy: a front that nobody chose objectives for is then of the others.
bool lacks_accuracy(const Configuration& configuration) {
    const auto is_of_model = [](const Key* key) { return key->path.starts_with("model."); };
    for (const auto& axis : configuration.axes)
        if (std::ranges::any_of(axis.keys, is_of_model)) return false;
    const auto is_chosen = [](const Assignment& assignment) { return assignment.key->path == "sweep.objectives.max"; };
    return checkpoint_path(configuration.base.model).empty() && std::ranges::none_of(configuration.assignments, is_chosen);
}

}  // namespace

SweepInfo info_of(const Configuration& configuration, const Grid& grid, const TaskSet& task_set) {
    SweepInfo info;
    info.source = configuration.source;
    info.resolved_yaml = resolved_yaml(configuration);
    info.num_points = grid.size();
    info.swept = grid.columns();
    info.layer_columns = task_set.layer_columns;
    if (!lacks_accuracy(configuration)) info.maximize = configuration.base.sweep.maximize;
    info.minimize = configuration.base.sweep.minimize;
    for (const auto& constraint : configuration.constraints) info.constraints.push_back(constraint.text());
    const auto& sweep = configuration.base.sweep;
    if (sweep.compare != kNone) info.compare = sweep.compare;
    if (sweep.table_rows != kNone) {
        info.table_rows = sweep.table_rows;
        info.table_columns = sweep.table_columns;
        info.table_cell = sweep.table_cell;
    }
    info.warnings = configuration.warnings;
    for (const auto& key : all_keys())
        if (key.path.ends_with(".seed")) info.seeds[std::string(key.path)] = key.print(configuration.base);
    info.device = configuration.base.hw.device.name;
    for (const auto& [name, device] : configuration.devices) {
        const auto count = [](std::int64_t number, double share) { return std::array{static_cast<double>(number), share}; };
        info.devices[name] = {{"lut", count(device.lut, device.max_utilization_lut)},
                              {"ff", count(device.ff, device.max_utilization_ff)},
                              {"dsp", count(device.dsp, device.max_utilization_dsp)},
                              {"bram36", count(device.bram36, device.max_utilization_bram)},
                              {"uram", count(device.uram, device.max_utilization_uram)}};
    }
    return info;
}

}  // namespace prelude::experiments
