// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a design point needs computed, cut into units that depend on as little as possible: a cross product of axes costs
// its distinct units, and units shared by points, sweeps and shards are computed once.

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/sweep/grid.hpp"
#include "models/progress.hpp"

namespace prelude::experiments {

enum class TaskKind {
    reference,  ///< FP32 masks and logits of the evaluated data               (model, data)
    ranges,     ///< calibrated ranges                                         (model, calibration)
    quantized,  ///< the integers of every operator                            (model, calibration, quant)
    accuracy,   ///< integer engine, or the walk of quant.mode compat, over the evaluated data  (model, data, quant)
    timing,     ///< datapath without payload: cycles, counters                (graph, formats, design)
    bound,      ///< cycles that no mapping beats, nothing simulated (sweep.prune)    (graph, formats, design)
    bit_check,  ///< datapath with payload on one image and prompt = engine?   (model, data, quant, design)
    calibration_answers,  ///< FP32 masks and logits of the calibration pictures  (model, calibration); of a study (experiments/sensitivity) alone
    damage,               ///< error of the quantized logits on those             (model, calibration, quant); of a study alone
};
[[nodiscard]] std::string_view name_of(TaskKind kind) noexcept;

/// Contract
///  - `key` is the SHA-256 of exactly what the result depends on, fingerprints of the source layers included.
///  - `needs` are keys of tasks that must be done before; they appear earlier in tasks_of().
struct Task {
    TaskKind kind = TaskKind::reference;
    std::string key;
    std::int64_t combination = 0;  ///< a point of the grid that needs it: where its settings are found
    std::vector<std::string> needs;
};

/// The tasks of one point, dependencies first. A point that cannot be evaluated (shapes only, compat) or has nothing to calibrate (floating point) has fewer.
[[nodiscard]] std::vector<Task> tasks_of(const Grid& grid, std::int64_t index);

/// Computes one task; called in a forked child. Bulk results (logits, ranges) go to `cache / key.*`, atomically; the rest is returned.
/// `trace`: where a timing task leaves its timeline; empty: nowhere.
/// Throws    models::InputError, quant::SettingsError, ConfigError: the point failed and the message is its reason
[[nodiscard]] nlohmann::json run_task(const Task& task, const Grid& grid, const std::filesystem::path& cache,
                                      const models::ReportProgress& report = {}, const std::filesystem::path& trace = {});

/// Where a ranges task leaves the calibrated ranges (quant::load_ranges).
[[nodiscard]] inline std::filesystem::path ranges_file(const std::filesystem::path& cache, std::string_view key) {
    return cache / (std::string(key) + ".ranges.safetensors");
}

/// Where a reference task leaves the FP32 model's answers (load_answers), and a quantized task the integers (quant::load).
[[nodiscard]] inline std::filesystem::path answers_file(const std::filesystem::path& cache, std::string_view key) {
    return cache / (std::string(key) + ".answers.safetensors");
}
[[nodiscard]] inline std::filesystem::path quantized_file(const std::filesystem::path& cache, std::string_view key) {
    return cache / (std::string(key) + ".qgraph.safetensors");
}

/// What became of a task.
struct TaskResult {
    bool ok = false;
    std::string reason;     ///< of a failure
    nlohmann::json value;
};
using TaskResults = std::map<std::string, TaskResult>;

/// One row of results.csv: cells by column name (columns.hpp), shortest round-trip decimals, empty = unknown; and its layers.
struct Row {
    std::int64_t point = 0;
    std::map<std::string, std::string, std::less<>> cells;
    std::vector<std::vector<std::string>> layers;  ///< rows of layers.csv without the point number
    /// Assumed figures behind latency_status, power_status, resource_status; not stored.
    std::map<std::string, std::vector<std::string>, std::less<>> assumed{};
};
[[nodiscard]] const std::vector<std::string>& layer_columns();

/// Joins the results of a point's tasks: a pure function of its arguments.
[[nodiscard]] Row make_row(const Grid& grid, std::int64_t index, const TaskResults& results);

/// What a point's row can be at best, by column: no smaller than `least`, no larger than `most`. A column that is missing is not known.
struct BestCase {
    std::map<std::string, double, std::less<>> least, most;
};

/// From the results of all tasks but timing. A pure function of its arguments.
[[nodiscard]] BestCase best_case(const Grid& grid, std::int64_t index, const TaskResults& results);

}  // namespace prelude::experiments
