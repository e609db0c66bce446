// SPDX-License-Identifier: Apache-2.0
#include "experiments/commands/run_image.hpp"

#include "experiments/cli/program.hpp"
#include "experiments/commands/sweep.hpp"
#include "experiments/evaluate/calibrated_ranges.hpp"
#include "experiments/evaluate/model.hpp"
#include "models/data/coco_json.hpp"
#include "models/metrics.hpp"
#include "models/overlay.hpp"
#include "quant/compat/calibrate.hpp"
#include "quant/predictor.hpp"
#include "quant/quantize.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>


namespace prelude::experiments {

namespace fs = std::filesystem;

namespace {

using models::Prompt;

class Watch {
  public:
    /// Seconds since the last call.
    double lap() {
        const auto now = std::chrono::steady_clock::now(), before = std::exchange(begin_, now);
        return std::chrono::duration<double>(now - before).count();
    }

  private:
    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

struct NamedPrompt {
    std::string name;
    Prompt prompt;
};

/// Every prompt of the command line; all that miss the picture are reported at once.
std::vector<NamedPrompt> prompts_of(const RunCommand& command, const models::Image& image) {
    models::DataProblems problems(command.image.string());
    const auto allowed = fmt::format("the picture has {} x {} pixels", image.width, image.height);
    std::vector<NamedPrompt> prompts;
    for (const auto& [x0, y0, x1, y1] : command.boxes) {
        const auto name = fmt::format("box {},{},{},{}", x0, y0, x1, y1);
        if (!(x0 >= 0 && y0 >= 0 && x0 < x1 && y0 < y1 && x1 <= image.width && y1 <= image.height))
            problems.add(fmt::format("{}: allowed x0 < x1 and y0 < y1 inside the picture; {}", name, allowed));
        Prompt prompt;
        prompt.box = models::Box{x0, y0, x1, y1};
        prompts.push_back({name, std::move(prompt)});
    }
    for (const auto& [x, y] : command.points) {
        const auto name = fmt::format("point {},{}", x, y);
        if (!(x >= 0 && y >= 0 && x < image.width && y < image.height)) problems.add(fmt::format("{}: allowed a position inside the picture; {}", name, allowed));
        Prompt prompt;
        prompt.points.push_back({.position = {x, y}, .label = 1});
        prompts.push_back({name, std::move(prompt)});
    }
    problems.throw_if_any();
    return prompts;
}

const Task* find(const std::vector<Task>& tasks, TaskKind kind) {
    const auto found = std::ranges::find(tasks, kind, &Task::kind);
    return found == tasks.end() ? nullptr : &*found;
}

/// Cycles of the point as a row of a sweep states them. Runs before anything here starts a thread: the simulation forks.
std::string predicted_latency(const Grid& grid, std::int64_t index, const TaskSet& task_set, const std::vector<Task>& tasks, const fs::path& cache) {
    TaskResults results;
    for (const auto& task : tasks) results[task.key];  // not run: without a reason of their own
    if (const auto* timing = find(tasks, TaskKind::timing); timing != nullptr && !cache.empty()) {
        auto& result = results[timing->key];
        try {
            result.value = task_set.run_task(*timing, grid, cache, {});
            result.ok = true;
        } catch (const models::InputError& error) {
            result.reason = error.what();
        }
    }
    const auto row = task_set.make_row(grid, index, results);
    const auto cell = [&](const char* name) {
        const auto found = row.cells.find(name);
        return found == row.cells.end() ? std::string() : found->second;
    };
    if (!cell("latency_ms").empty()) return fmt::format("{:.4g} ms, {} cycles ({})", std::stod(cell("latency_ms")), cell("cycles"), cell("latency_status"));
    const auto reason = cell("reason");
    const auto begin = reason.find_first_not_of("; ");
    return begin == std::string::npos ? "unknown" : "none: " + reason.substr(begin);
}

void run_reference(const LoadedModel& model, const models::Image& image, const std::vector<NamedPrompt>& prompts, RunOutcome& outcome, std::vector<models::Tensor>& logits) {
    models::Predictor predictor(model.config, *model.weights);
    const auto encoded = predictor.encode(image);
    for (const auto& [name, prompt] : prompts) {
        auto prediction = predictor.predict(encoded, prompt);
        auto mask = prediction.mask(0);
        outcome.prompts.push_back({.prompt = name, .reference = mask, .quantized = mask, .agreement = 1, .sqnr_db = std::numeric_limits<double>::infinity()});
        logits.push_back(std::move(prediction.low_res_logits));
    }
}

/// Asks a quantized model for every prompt; `logits_of(prediction)`: its low-resolution logits as real numbers.
template <class Predictor, class LogitsOf>
void compare_answers(Predictor& predictor, const models::Image& image, const std::vector<NamedPrompt>& prompts, const std::vector<models::Tensor>& reference,
                     const LogitsOf& logits_of, RunOutcome& outcome) {
    const auto encoded = predictor.encode(image);
    for (std::size_t i = 0; i < prompts.size(); ++i) {
        const auto prediction = predictor.predict(encoded, prompts[i].prompt);
        auto& result = outcome.prompts[i];
        result.quantized = prediction.mask(0);
        result.agreement = models::intersection_over_union(result.quantized, result.reference);
        result.sqnr_db = models::sqnr_db(reference[i].values(), logits_of(prediction).values());
    }
}

void run_quantized(const quant::QuantizedGraph& quantized, const models::Image& image, const std::vector<NamedPrompt>& prompts, RunOutcome& outcome,
                   const std::vector<models::Tensor>& logits) {
    quant::IntegerPredictor predictor(quantized);
    const auto logits_of = [&](const quant::IntegerPrediction& prediction) {
        return quantized.dequantize(models::sam_values::kLowResLogits, prediction.low_res_logits, 0);
    };
    compare_answers(predictor, image, prompts, logits, logits_of, outcome);
    if (const auto overflows = predictor.num_overflows(); overflows > 0) outcome.warnings.push_back(fmt::format("{} accumulator overflows", overflows));
}

void run_fake_quantized(const models::SamConfig& config, const quant::compat::FakeQuantizedModel& fake, const models::Image& image, const std::vector<NamedPrompt>& prompts,
                        RunOutcome& outcome, const std::vector<models::Tensor>& logits) {
    quant::compat::Predictor predictor(config, fake);
    const auto logits_of = [](const models::Prediction& prediction) -> const models::Tensor& { return prediction.low_res_logits; };
    compare_answers(predictor, image, prompts, logits, logits_of, outcome);
}

/// Both models' masks and the prompts over the picture, quantized left.
models::Image overlay_of(const RunCommand& command, const RunOutcome& outcome) {
    std::array<models::Image, 2> sides{outcome.image, outcome.image};
    for (std::size_t i = 0; i < outcome.prompts.size(); ++i) {
        models::draw_mask(sides[0], outcome.prompts[i].quantized, models::overlay_colour(i));
        models::draw_mask(sides[1], outcome.prompts[i].reference, models::overlay_colour(i));
    }
    for (auto& side : sides) {
        for (std::size_t i = 0; i < command.boxes.size(); ++i) {
            const auto& [x0, y0, x1, y1] = command.boxes[i];
            models::draw_box(side, {x0, y0, x1, y1}, models::overlay_colour(i));
        }
        for (std::size_t i = 0; i < command.points.size(); ++i) models::draw_point(side, {command.points[i][0], command.points[i][1]}, models::overlay_colour(command.boxes.size() + i));
    }
    return models::side_by_side(sides);
}

std::string print_outcome(const RunOutcome& outcome) {
    std::size_t width = 6;
    for (const auto& prompt : outcome.prompts) width = std::max(width, prompt.prompt.size());
    auto text = fmt::format("{:<{}}  {:>10}  {:>10}  {:>11}  {:>9}\n", "prompt", width, "pixels", "FP32", "IoU to FP32", "SQNR dB");
    for (const auto& prompt : outcome.prompts) {
        text += fmt::format("{:<{}}  {:>10}  {:>10}  {:>11.4f}  {:>9}\n", prompt.prompt, width, models::area(prompt.quantized), models::area(prompt.reference), prompt.agreement,
                            std::isfinite(prompt.sqnr_db) ? fmt::format("{:.2f}", prompt.sqnr_db) : "equal");
    }
    return text;
}

}  // namespace

RunOutcome run_on_image(const RunCommand& command, const Grid& grid, const TaskSet& task_set, const fs::path& cache) {
    const auto point = grid.at(0);
    const auto& settings = point.settings;
    RunOutcome outcome;
    outcome.is_quantized = settings.quant.is_integer() || settings.quant.is_fake_quantized();
    outcome.warnings = point.warnings;
    if (checkpoint_path(settings.model).empty())
        throw rejection(grid.configuration(), "model.checkpoint", fmt::format("no weights for {}: a mask needs them", model_name(settings.model)), "a file of weights",
                        "without one only latency, power and resources are known");
    const auto model = load_model(settings.model);
    outcome.image = models::read_image(command.image);
    const auto prompts = prompts_of(command, outcome.image);

    Watch watch;
    std::optional<quant::QuantizedGraph> quantized;
    std::optional<quant::compat::FakeQuantizedModel> fake;
    if (settings.quant.is_fake_quantized()) {
        fake = quant::compat::calibrate(model.config, *model.weights, *calibration_set(settings, model.config), settings.quant);
        outcome.warnings.insert(outcome.warnings.end(), fake->notes.begin(), fake->notes.end());
        outcome.calibration_s = watch.lap();
        outcome.latency = "none: compat is fake quantization in float";
    } else if (settings.quant.is_integer()) {
        const auto tasks = task_set.tasks_of(grid, point.index);
        const auto* ranges = find(tasks, TaskKind::ranges);
        const auto file = ranges == nullptr || cache.empty() ? fs::path() : ranges_file(cache, ranges->key);
        quantized = quant::quantize(model.config, models::build_sam(model.config), *model.weights, settings.quant, calibrated_ranges(settings, model, file));
        outcome.warnings.insert(outcome.warnings.end(), quantized->warnings.begin(), quantized->warnings.end());
        outcome.calibration_s = watch.lap();
        outcome.latency = predicted_latency(grid, point.index, task_set, tasks, cache);
        outcome.latency_s = watch.lap();
    } else {
        outcome.latency = "none: the datapath of this version is integer";
    }
    std::vector<models::Tensor> logits;
    run_reference(model, outcome.image, prompts, outcome, logits);
    outcome.reference_s = watch.lap();
    if (quantized) run_quantized(*quantized, outcome.image, prompts, outcome, logits);
    if (fake) run_fake_quantized(model.config, *fake, outcome.image, prompts, outcome, logits);
    outcome.quantized_s = watch.lap();
    return outcome;
}

int run_image(const RunCommand& command, const TaskSet& task_set) {
    Watch watch;
    const auto configuration = read_configuration(command.config, command.sets, arch_configs_folder());
    const Grid grid(configuration);
    const auto folder = command.out.empty() ? fs::path("out") / command.image.stem() : command.out;
    const auto outcome = run_on_image(command, grid, task_set, folder / "cache");
    if (grid.size() > 1) std::fputs(fmt::format("the first of {} design points; --set chooses another\n", grid.size()).c_str(), stderr);
    for (const auto& warning : outcome.warnings) std::fputs(fmt::format("warning: {}\n", warning).c_str(), stderr);

    fs::create_directories(folder);
    std::vector<std::string> written;
    for (std::size_t i = 0; i < outcome.prompts.size(); ++i) {
        written.push_back((folder / (outcome.prompts.size() == 1 ? "mask.png" : fmt::format("mask-{}.png", i + 1))).string());
        models::write_png(written.back(), outcome.prompts[i].quantized);
    }
    written.push_back((folder / "overlay.png").string());
    models::write_png(written.back(), overlay_of(command, outcome));

    auto text = fmt::format("{}, {} x {} pixels\n", command.image.string(), outcome.image.width, outcome.image.height) + print_outcome(outcome);
    if (!outcome.is_quantized) text += "floating point: the masks are those of the FP32 model\n";
    text += fmt::format("latency  {}\n", outcome.latency);
    text += fmt::format("host     {:.2f} s: calibration {:.2f}, latency {:.2f}, FP32 {:.2f}, quantized {:.2f}\n", watch.lap(), outcome.calibration_s, outcome.latency_s,
                        outcome.reference_s, outcome.quantized_s);
    text += fmt::format("wrote    {} (left: quantized, right: FP32)\n", fmt::join(written, ", "));
    std::fputs(text.c_str(), stdout);
    return kDone;
}

}  // namespace prelude::experiments
