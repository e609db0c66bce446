// SPDX-License-Identifier: Apache-2.0
#include "experiments/sensitivity/study.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "experiments/evaluate/calibrated_ranges.hpp"
#include "experiments/hash.hpp"
#include "experiments/sensitivity/clean.hpp"
#include "experiments/sweep/run.hpp"
#include "quant/calibration/calibrate.hpp"
#include "quant/quantize.hpp"
#include "quant/serialize.hpp"
#include "quant/weight_swap.hpp"

namespace prelude::experiments {

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::string_view kDamageVersion = "1";  ///< of what logit_error measures: part of its keys

/// The tasks of a study: those of a sweep where they are the same, and its own.
class Study {
  public:
    Study(const std::vector<Variant>& variants, int num_images, TaskSet standard) : variants_(variants), num_images_(num_images), standard_(std::move(standard)) {}

    [[nodiscard]] TaskSet task_set() const {
        return {.tasks_of = [this](const Grid& grid, std::int64_t index) { return tasks_of(grid, index); },
                .run_task = [this](const Task& task, const Grid& grid, const fs::path& cache, const models::ReportProgress& report) { return run_task(task, grid, cache, report); },
                .make_row = [this](const Grid& grid, std::int64_t index, const TaskResults& results) { return make_row(grid, index, results); },
                .layer_columns = standard_.layer_columns};
    }

    [[nodiscard]] std::vector<Task> tasks_of(const Grid& grid, std::int64_t index) const {
        const auto& variant = variants_.at(static_cast<std::size_t>(index));
        const auto usual = standard_.tasks_of(grid, index);
        std::vector<Task> tasks{of_kind(usual, TaskKind::ranges)};
        const auto ranges = tasks[0].key;
        std::vector<std::string> integers{ranges};  // what the integers of the variant are made from
        const auto add = [&](const Task& task) {
            if (std::ranges::find(tasks, task.key, &Task::key) == tasks.end()) tasks.push_back(task);
            return task.key;
        };
        if (variant.swap) {
            integers.clear();
            for (const auto from : {variant.swap->base, variant.swap->other})
                integers.push_back(add(of_kind(standard_.tasks_of(grid, static_cast<std::int64_t>(from)), TaskKind::quantized)));
        } else if (variant.is_shared || variant.timing) {
            integers = {add(of_kind(usual, TaskKind::quantized))};
        }
        const auto needing = [&](const std::string& key) {
            auto needs = integers;
            needs.push_back(key);
            return needs;
        };
        const auto accuracy = of_kind(usual, TaskKind::accuracy);
        if (variant.damage) {
            const auto answers = add(variant.against ? answers_task(grid, *variant.against, add) : reference_answers_task(ranges, index));
            add({.kind = TaskKind::damage,
                 .key = sha256(fmt::format("damage {} of {} against {} on {}", kDamageVersion, accuracy.key, answers, num_images_)),
                 .combination = index,
                 .needs = needing(answers)});
        }
        if (variant.miou) {
            const auto reference = add(of_kind(usual, TaskKind::reference));
            add({.kind = TaskKind::accuracy, .key = accuracy.key, .combination = index, .needs = needing(reference)});
        }
        if (variant.timing) add(of_kind(usual, TaskKind::timing));
        return tasks;
    }

    [[nodiscard]] json run_task(const Task& task, const Grid& grid, const fs::path& cache, const models::ReportProgress& report) const {
        const auto settings = grid.combination(task.combination).settings;
        switch (task.kind) {
            case TaskKind::calibration_answers: {
                const auto model = load_model(settings.model);
                if (!task.needs.empty()) {
                    save_answers(experiments::answers_of(quant::load(quantized_file(cache, task.needs[0])), *calibration_set(settings, model.config), num_images_, report), answers_file(cache, task.key));
                    return json::object();
                }
                save_answers(evaluate_reference(model, *calibration_set(settings, model.config), masks_alone(settings.data), report).answers, answers_file(cache, task.key));
                return json::object();
            }
            case TaskKind::damage: {
                const auto model = load_model(settings.model);
                const auto error = logit_error(integers_of(task, grid, cache, model), *calibration_set(settings, model.config), num_images_,
                                               load_answers(answers_file(cache, task.needs.back())), report);
                return {{"error", error.error}, {"agreement", error.agreement}};
            }
            case TaskKind::accuracy: {
                const auto model = load_model(settings.model);
                return quantized_accuracy(model, integers_of(task, grid, cache, model), *evaluation_set(settings.data, model.config),
                                          load_answers(answers_file(cache, task.needs.back())), settings.data, report);
            }
            default: return standard_.run_task(task, grid, cache, report);
        }
    }

    [[nodiscard]] Row make_row(const Grid& grid, std::int64_t index, const TaskResults& results) const {
        Row row{.point = index, .cells = {{"status", "ok"}}, .layers = {}};
        for (const auto& task : tasks_of(grid, index)) {
            const auto found = results.find(task.key);
            if (found == results.end()) row.cells["status"] = "cancelled";
            else if (!found->second.ok) row.cells["status"] = "failed", row.cells["reason"] = found->second.reason;
        }
        return row;
    }

  private:
    static Task of_kind(const std::vector<Task>& tasks, TaskKind kind) {
        const auto found = std::ranges::find(tasks, kind, &Task::kind);
        if (found == tasks.end()) throw StudyFailed(fmt::format("a variant without the task {}: it is infeasible on this device", name_of(kind)));
        return *found;
    }

    static Task reference_answers_task(const std::string& ranges, std::int64_t index) {
        return {.kind = TaskKind::calibration_answers, .key = sha256("calibration answers of " + ranges), .combination = index, .needs = {}};
    }

    /// Those of a variant's integers.
    template <class Add>
    [[nodiscard]] Task answers_task(const Grid& grid, std::size_t variant, const Add& add) const {
        const auto index = static_cast<std::int64_t>(variant);
        const auto integers = add(of_kind(standard_.tasks_of(grid, index), TaskKind::quantized));
        return {.kind = TaskKind::calibration_answers, .key = sha256(fmt::format("calibration answers of {} on {}", integers, num_images_)), .combination = index, .needs = {integers}};
    }

    /// What the masks of calibration are asked for: nothing that is scored.
    static DataSettings masks_alone(DataSettings data) {
        data.boundary = false;
        data.max_detections = 0;
        return data;
    }

    [[nodiscard]] quant::QuantizedGraph integers_of(const Task& task, const Grid& grid, const fs::path& cache, const LoadedModel& model) const {
        const auto& variant = variants_.at(static_cast<std::size_t>(task.combination));
        const auto settings = grid.combination(task.combination).settings.quant;
        if (variant.swap) {
            auto mixed = quant::with_weights_of(quant::load(quantized_file(cache, task.needs.at(0))), quant::load(quantized_file(cache, task.needs.at(1))), variant.swap->swapped);
            mixed.settings = settings;
            return mixed;
        }
        if (variant.is_shared || variant.timing) return quant::load(quantized_file(cache, task.needs.at(0)));
        return quant::quantize(model.config, models::build_sam(model.config), *model.weights, settings, quant::load_ranges(ranges_file(cache, task.needs.at(0))));
    }

    const std::vector<Variant>& variants_;
    int num_images_;
    TaskSet standard_;
};

/// What the store says of every variant.
std::vector<Measured> results_in(const Store& store, const Grid& grid, const std::vector<Variant>& variants, const Study& study) {
    std::set<std::string> reasons;
    std::vector<Measured> results;
    for (std::size_t v = 0; v < variants.size(); ++v) {
        Measured measured;
        for (const auto& task : study.tasks_of(grid, static_cast<std::int64_t>(v))) {
            const auto stored = store.task(task.key);
            if (!stored || !stored->result.ok) {
                reasons.insert(fmt::format("{}: {}", name_of(task.kind), stored ? stored->result.reason : "was not computed"));
                continue;
            }
            const auto& value = stored->result.value;
            if (task.kind == TaskKind::damage) measured.damage = {.error = value.at("error").get<double>(), .agreement = value.at("agreement").get<double>()};
            if (task.kind == TaskKind::accuracy) measured.miou = value.value("miou", 0.0);
            if (task.kind == TaskKind::timing) measured.timing = value;
        }
        results.push_back(std::move(measured));
    }
    if (!reasons.empty()) throw StudyFailed(fmt::format("{}", fmt::join(reasons, "\n")));
    return results;
}

}  // namespace

Configuration single_point(Configuration configuration, const Settings& settings) {
    configuration.base = settings;
    configuration.base.sweep.strategy = SweepStrategy::grid;
    configuration.base.sweep.compare = configuration.base.sweep.table_rows = configuration.base.sweep.table_columns = kNone;
    configuration.axes.clear();
    return configuration;
}

Configuration clean_point(Configuration point) {
    point.base.quant = clean_settings(point.base.quant);
    return point;
}

Configuration with_layer_axis(Configuration configuration, const std::vector<std::vector<quant::LayerOverride>>& values) {
    Axis axis{.keys = {find_key("quant.layers")}, .tuples = {}, .where = {configuration.source}};
    for (const auto& value : values) axis.tuples.push_back({Value(value)});
    configuration.axes = {std::move(axis)};
    return configuration;
}

std::optional<std::vector<Measured>> run_study(const Configuration& point, const std::vector<Variant>& variants, const StudyOptions& options,
                                               const MakeTaskSet& make_task_set, const Interrupt& interrupt) {
    std::vector<std::vector<quant::LayerOverride>> values;
    for (const auto& variant : variants) values.push_back(variant.layers);
    const auto configuration = with_layer_axis(point, values);
    const Grid grid(configuration);
    const Study study(variants, options.num_images, make_task_set({}));
    SweepInfo info;
    info.source = configuration.source;
    info.resolved_yaml = "# variants of one design point that differ in quant.layers\n";
    info.num_points = grid.size();
    info.swept = grid.columns();
    const auto summary = run_sweep(grid, study.task_set(), info, {.out = options.out, .num_jobs = options.num_jobs, .shard = {}, .quiet = options.quiet, .strict = {}}, interrupt);
    if (summary.interrupted) return std::nullopt;
    return results_in(Store::open_existing(store_path(options.out, {}), true), grid, variants, study);
}

}  // namespace prelude::experiments
