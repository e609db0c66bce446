// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a sweep asks of the evaluation, as values: tests put in their own.

#include <functional>

#include "experiments/evaluate/tasks.hpp"

namespace prelude::experiments {

/// Contract
///   - `tasks_of` and `make_row` take the index of a point in the whole grid (Point::index) and are pure;
///   - `run_task` is called in a forked child and may fork.
struct TaskSet {
    std::function<std::vector<Task>(const Grid& grid, std::int64_t index)> tasks_of;
    std::function<nlohmann::json(const Task& task, const Grid& grid, const std::filesystem::path& cache, const models::ReportProgress& report)> run_task;
    std::function<Row(const Grid& grid, std::int64_t index, const TaskResults& results)> make_row;
    std::vector<std::string> layer_columns;
    /// Of a sweep that prunes; none: nothing is known before a simulation.
    std::function<BestCase(const Grid& grid, std::int64_t index, const TaskResults& results)> best_case{};
};

}  // namespace prelude::experiments
