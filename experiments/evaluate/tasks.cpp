// SPDX-License-Identifier: Apache-2.0
#include "experiments/evaluate/tasks.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "experiments/config/canonical.hpp"
#include "experiments/evaluate/accuracy.hpp"
#include "experiments/evaluate/design_point.hpp"
#include "experiments/evaluate/fingerprint.hpp"
#include "experiments/evaluate/hardware.hpp"
#include "experiments/evaluate/samples.hpp"
#include "experiments/hash.hpp"
#include "experiments/sweep/pareto.hpp"
#include "quant/calibration/calibrate.hpp"
#include "quant/compat/calibrate.hpp"
#include "quant/float/float_graph.hpp"
#include "quant/quantize.hpp"
#include "sim/cost/energy.hpp"

namespace prelude::experiments {

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

std::string content_of_file(const std::string& path) {
    return remembered("sha256", path, [&] { return sha256_of_path(path); });
}

/// Paths by what is there; of a COCO file the pictures it names are part.
ContentOf content_of(const Settings& settings) {
    return [&data = settings.data](const std::string& path) { return path == data.path ? content_of_data(data) : content_of_file(path); };
}

std::string text_of(const Settings& settings, std::initializer_list<std::string_view> sections) {
    return section_text(settings, std::vector<std::string_view>(sections), content_of(settings));
}

/// The weights a point uses are part of its keys by content, wherever they lie.
std::string model_text(const Settings& settings) {
    const auto path = checkpoint_path(settings.model);
    return text_of(settings, {"model"}) + "weights=" + (path.empty() ? "none" : content_of_file(path)) + "\n";
}

std::string key_of(TaskKind kind, std::initializer_list<std::string_view> parts) {
    std::string text(name_of(kind));
    for (const auto part : parts) text += fmt::format("\n{}:", part.size()) + std::string(part);
    return sha256(text);
}

struct Keys {
    std::string reference, ranges, quantized, accuracy, timing, bound, bit_check;
};

Keys keys_of(const Settings& settings, const DesignPoint* design) {
    const auto model = model_text(settings), data = text_of(settings, {"data"});
    const bool own_images = settings.quant.calibration.on_evaluated_images;
    Keys keys;
    keys.reference = key_of(TaskKind::reference, {kFingerprint.models, model, data});
    // Calibration looks at the same kinds of pictures and prompts that are evaluated, from another split.
    keys.ranges = key_of(TaskKind::ranges, {kFingerprint.models, kFingerprint.quant, model, data, own_images ? "own" : "train",
                                           quant::sampled_rows(settings.quant), text_of(settings, {"quant.calibration"})});
    keys.quantized = key_of(TaskKind::quantized, {kFingerprint.models, kFingerprint.quant, model, text_of(settings, {"quant"}), keys.ranges});
    const auto numeric = model + numeric_text(settings, content_of(settings));
    keys.accuracy = key_of(TaskKind::accuracy, {kFingerprint.models, kFingerprint.quant, numeric});
    if (!design) return keys;
    const auto& pe = design->design.pe;
    const auto hardware = hardware_text(settings) + fmt::format("array {} {} {} clock {} packing {}\n", pe.rows, pe.cols, pe.depth,
                                                                design->design.clock_mhz, fmt::join(design->design.packing.products, " "));
    const bool is_calibrated = !checkpoint_path(settings.model).empty() && settings.quant.is_integer();
    const auto key_of_design = [&](TaskKind kind) {
        return key_of(kind, {kFingerprint.models, kFingerprint.quant, kFingerprint.sim, model, text_of(settings, {"quant"}), is_calibrated ? keys.quantized : "assumed", hardware});
    };
    keys.timing = key_of_design(TaskKind::timing);
    keys.bound = key_of_design(TaskKind::bound);
    // Bits are the same on every design; toggles are not.
    const bool of_design = settings.sweep.toggles == ToggleSource::measured;
    keys.bit_check = key_of(TaskKind::bit_check, {kFingerprint.models, kFingerprint.quant, kFingerprint.sim, numeric, of_design ? hardware : ""});
    return keys;
}

const sim::CostTable& costs_of(const Grid& grid, const Settings& settings) { return grid.configuration().costs.at(settings.cost_table); }

/// Which tasks a point has, and its concrete design where it has one.
struct Outline {
    Settings settings;
    std::optional<DesignPoint> design;
    Keys keys;
    bool has_weights = false;
};

Outline outline(const Grid& grid, std::int64_t index) {
    Outline result{.settings = grid.combination(index).settings, .design = std::nullopt, .keys = {}};
    result.has_weights = !checkpoint_path(result.settings.model).empty();
    if (result.settings.quant.has_datapath()) result.design = resolve_design(result.settings, costs_of(grid, result.settings));
    result.keys = keys_of(result.settings, result.design ? &*result.design : nullptr);
    return result;
}

quant::QuantizedGraph quantize_point(const Outline& point, const LoadedModel& model, const fs::path& cache, const models::ReportProgress& report = {}) {
    return quant::quantize(model.config, models::build_sam(model.config), *model.weights, point.settings.quant,
                           quant::load_ranges(ranges_file(cache, point.keys.ranges)), report);
}

/// The integers of a point: those a sweep's task left, outside a sweep made from cached ranges.
quant::QuantizedGraph quantized_graph(const Outline& point, const LoadedModel& model, const fs::path& cache) {
    const auto file = quantized_file(cache, point.keys.quantized);
    return fs::exists(file) ? quant::load(file) : quantize_point(point, model, cache);
}

json run_reference(const Outline& point, const fs::path& cache, const models::ReportProgress& report) {
    const auto model = load_model(point.settings.model);
    const auto set = evaluation_set(point.settings.data, model.config);
    auto [answers, accuracy] = evaluate_reference(model, *set, point.settings.data, report);
    save_answers(answers, answers_file(cache, point.keys.reference));
    save_samples(samples_of(*set, answers), samples_file(cache, point.keys.reference));
    return std::move(accuracy);
}

json run_ranges(const Outline& point, const fs::path& cache, const models::ReportProgress& report) {
    const auto model = load_model(point.settings.model);
    models::Predictor predictor(model.config, *model.weights);
    const auto set = calibration_set(point.settings, model.config);
    quant::save_ranges(quant::calibrate(predictor, *set, point.settings.quant, report), ranges_file(cache, point.keys.ranges));
    return {{"num_images", set->size()}};
}

json run_quantized(const Outline& point, const fs::path& cache, const models::ReportProgress& report) {
    const auto quantized = quantize_point(point, load_model(point.settings.model), cache, report);
    quant::save(quantized, quantized_file(cache, point.keys.quantized));
    return {{"warnings", quantized.warnings}};
}

quant::FloatGraph float_graph(const Outline& point, const LoadedModel& model) {
    return quant::make_float_graph(model.config, point.design->graph, *model.weights, point.settings.quant);
}

json run_accuracy(const Outline& point, const fs::path& cache, const models::ReportProgress& report) {
    const auto model = load_model(point.settings.model);
    const auto set = evaluation_set(point.settings.data, model.config);
    const auto answers = load_answers(answers_file(cache, point.keys.reference));
    if (point.settings.quant.is_floating()) return float_accuracy(float_graph(point, model), *set, answers, point.settings.data, report);
    if (!point.settings.quant.is_fake_quantized()) return quantized_accuracy(model, quantized_graph(point, model, cache), *set, answers, point.settings.data, report);
    constexpr double kCalibrationShare = 0.3;  // of the time, about
    // Searches need the pictures themselves and belong to this point alone: nothing of the calibration is kept.
    const auto fake = quant::compat::calibrate(model.config, *model.weights, *calibration_set(point.settings, model.config), point.settings.quant,
                                               models::part_of(report, 0, kCalibrationShare));
    return fake_quantized_accuracy(model, fake, *set, answers, point.settings.data, models::part_of(report, kCalibrationShare, 1));
}

/// The point's design with the formats calibration settled, where there are weights.
DesignPoint calibrated_design(const Outline& point, const quant::FormatPlan& plan) {
    auto design = *point.design;
    design.plan = plan;
    return design;
}

/// The design as it is simulated.
DesignPoint simulated_design(const Outline& point, const fs::path& cache) {
    if (!point.has_weights || point.settings.quant.is_floating()) return *point.design;
    const auto model = load_model(point.settings.model);
    return calibrated_design(point, quantized_graph(point, model, cache).plan);
}

json run_timing(const Outline& point, const fs::path& cache, const fs::path& trace) { return simulate_timing(simulated_design(point, cache), workload_of(point.settings), trace); }

json run_bound(const Outline& point, const fs::path& cache) {
    const auto design = simulated_design(point, cache);
    return {{"cycles", sim::lower_bound(design.graph, design.plan, design.design, simulation_options(design, workload_of(point.settings)))}};
}

json run_bit_check(const Outline& point, const fs::path& cache) {
    const auto model = load_model(point.settings.model);
    const auto item = evaluation_set(point.settings.data, model.config)->image(0);
    if (point.settings.quant.is_floating()) return check_bits(*point.design, float_graph(point, model), item);
    const auto quantized = quantized_graph(point, model, cache);
    return check_bits(calibrated_design(point, quantized.plan), quantized, item);
}

}  // namespace

std::string_view name_of(TaskKind kind) noexcept {
    switch (kind) {
        case TaskKind::reference: return "reference";
        case TaskKind::ranges: return "ranges";
        case TaskKind::quantized: return "quantized";
        case TaskKind::accuracy: return "accuracy";
        case TaskKind::timing: return "timing";
        case TaskKind::bound: return "bound";
        case TaskKind::bit_check: return "bit_check";
        case TaskKind::calibration_answers: return "calibration_answers";
        case TaskKind::damage: return "damage";
    }
    return "";
}

std::vector<Task> tasks_of(const Grid& grid, std::int64_t index) {
    const auto point = outline(grid, index);
    std::vector<Task> tasks;
    const auto add = [&](TaskKind kind, const std::string& key, std::vector<std::string> needs) {
        tasks.push_back({.kind = kind, .key = key, .combination = index, .needs = std::move(needs)});
    };
    if (point.has_weights) add(TaskKind::reference, point.keys.reference, {});
    if (point.has_weights && point.settings.quant.is_fake_quantized()) add(TaskKind::accuracy, point.keys.accuracy, {point.keys.reference});
    if (!point.design) return tasks;
    const bool is_floating = point.settings.quant.is_floating();
    if (point.has_weights && is_floating) add(TaskKind::accuracy, point.keys.accuracy, {point.keys.reference});
    if (point.has_weights && !is_floating) {
        add(TaskKind::ranges, point.keys.ranges, {});
        add(TaskKind::quantized, point.keys.quantized, {point.keys.ranges});
        add(TaskKind::accuracy, point.keys.accuracy, {point.keys.reference, point.keys.quantized});
    }
    if (!point.design->infeasible.empty()) return tasks;
    const std::vector<std::string> calibrated = point.has_weights && !is_floating ? std::vector{point.keys.quantized} : std::vector<std::string>{};
    if (point.settings.sweep.prune) add(TaskKind::bound, point.keys.bound, calibrated);
    add(TaskKind::timing, point.keys.timing, calibrated);
    if (point.has_weights) add(TaskKind::bit_check, point.keys.bit_check, calibrated);
    return tasks;
}

json run_task(const Task& task, const Grid& grid, const fs::path& cache, const models::ReportProgress& report, const fs::path& trace) {
    const auto point = outline(grid, task.combination);
    switch (task.kind) {
        case TaskKind::reference: return run_reference(point, cache, report);
        case TaskKind::ranges: return run_ranges(point, cache, report);
        case TaskKind::quantized: return run_quantized(point, cache, report);
        case TaskKind::accuracy: return run_accuracy(point, cache, report);
        case TaskKind::timing: return run_timing(point, cache, trace);
        case TaskKind::bound: return run_bound(point, cache);
        case TaskKind::bit_check: return run_bit_check(point, cache);
        case TaskKind::calibration_answers:
        case TaskKind::damage: break;
    }
    models::check(false, fmt::format("a design point has no task {}", name_of(task.kind)));
    return {};
}

BestCase best_case(const Grid& grid, std::int64_t index, const TaskResults& results) {
    const auto point = outline(grid, index);
    const auto result_of = [&](const std::string& key) -> const json* {
        const auto found = results.find(key);
        return found != results.end() && found->second.ok ? &found->second.value : nullptr;
    };
    Cells exact;
    BestCase best;
    if (const auto* reference = point.has_weights ? result_of(point.keys.reference) : nullptr) reference_cells(*reference, exact);
    if (const auto* accuracy = point.has_weights ? result_of(point.keys.accuracy) : nullptr) accuracy_cells(*accuracy, exact);
    const auto* bound = point.design ? result_of(point.keys.bound) : nullptr;
    AssumedFigures assumed;
    if (point.design) resource_cells(*point.design, exact, assumed);
    for (const auto& [column, text] : exact)
        if (const auto number = number_of(text)) best.least[column] = best.most[column] = *number;
    if (!bound) return best;
    // Nothing but the clock tree and the controller at work, for as few cycles as there can be.
    const double mhz = point.design->design.clock_mhz;
    const sim::SegmentStats idle{.cycles = std::max<std::int64_t>(bound->at("cycles").get<std::int64_t>(), 1)};
    const auto power = sim::estimate_power(std::span(&idle, 1), point.design->resources, point.design->design, mhz, costs_of(grid, point.settings));
    const double cycles = static_cast<double>(idle.cycles), milliseconds = cycles / (mhz * 1e3);
    best.least.insert({{"cycles", cycles}, {"latency_ms", milliseconds}, {"power_w", power.power_w.value}, {"energy_mj", power.energy_mj.value}});
    best.most.insert({"fps", 1e3 / milliseconds});
    return best;
}

Row make_row(const Grid& grid, std::int64_t index, const TaskResults& results) {
    const auto point = outline(grid, index);
    const auto& settings = point.settings;
    Row row{.point = index, .cells = {}, .layers = {}};
    auto& cells = row.cells;
    cells["point"] = std::to_string(index);
    cells["status"] = "ok";
    std::vector<std::string> warnings = grid.combination(index).warnings, reasons;
    const auto warn = [&](const json& result) {
        for (const auto& warning : result.at("warnings")) warnings.push_back(warning.get<std::string>());
    };
    const auto result_of = [&](const std::string& key) -> const json* {
        const auto found = results.find(key);
        if (found == results.end()) {
            if (cells["status"] == "ok") cells["status"] = "cancelled";
            return nullptr;
        }
        if (found->second.ok) return &found->second.value;
        cells["status"] = "failed";
        if (std::ranges::find(reasons, found->second.reason) == reasons.end()) reasons.push_back(found->second.reason);
        return nullptr;
    };

    if (!point.has_weights) {
        reasons.push_back("no weights: accuracy cells are empty");
    } else if (const auto* reference = result_of(point.keys.reference)) {
        warn(*reference);
        reference_cells(*reference, cells);
    }
    const json* accuracy = point.has_weights ? result_of(point.keys.accuracy) : nullptr;
    if (accuracy) {
        accuracy_cells(*accuracy, cells);
        warn(*accuracy);
    }
    if (!point.design) {
        reasons.push_back("compat: fake quantization in float, accuracy only, hardware cells are empty");
    } else {
        const auto& costs = costs_of(grid, settings);
        resource_cells(*point.design, cells, row.assumed);
        const auto infeasible = [&](const std::string& reason) {
            cells["status"] = "infeasible";
            reasons.push_back(reason);
        };
        const auto failed = [&](const std::string& reason) {
            cells["status"] = "failed";
            reasons.push_back(reason);
        };
        const auto* timing = point.design->infeasible.empty() ? result_of(point.keys.timing) : nullptr;
        const auto* check = timing && point.has_weights ? result_of(point.keys.bit_check) : nullptr;
        if (!point.design->infeasible.empty()) {
            infeasible(point.design->infeasible);
        } else if (timing && !timing->at("infeasible").get<std::string>().empty()) {
            warn(*timing);
            infeasible(timing->at("infeasible").get<std::string>());
        } else if (timing) {
            warn(*timing);
            auto segments = segments_of(*timing);
            const bool measures = settings.sweep.toggles == ToggleSource::measured;
            cells["toggle_source"] = measures ? "measured" : "assumed";
            if (check && check->contains("infeasible")) {
                warnings.push_back("bits are not checked: the check ran on a design of this sweep that is infeasible");
            } else if (check) {
                const bool equal = check->at("equal").get<bool>();
                cells["bits_checked"] = equal ? "true" : "false";
                if (check->contains("warnings")) warn(*check);
                if (!equal) failed(check->at("detail").get<std::string>());
            }
            if (measures && (!check || !check->value("whole", false))) {
                if (!point.has_weights || check) failed("sweep.toggles measured: needs weights, and an encoder of at most 10 GMAC");
            } else {
                if (measures) measured_toggles(*check, segments);
                hardware_cells(segments, *point.design, costs, cells, row.assumed, warnings);
                row.layers = layer_rows(segments, *point.design, costs, accuracy ? accuracy->at("layers") : json::object());
            }
        }
        cells["hardware_hash"] = point.keys.timing;
    }
    if (point.has_weights) cells["numeric_hash"] = point.keys.accuracy;
    cells["reason"] = fmt::format("{}", fmt::join(reasons, "; "));
    cells["warnings"] = fmt::format("{}", fmt::join(warnings, "; "));
    return row;
}

}  // namespace prelude::experiments
