// SPDX-License-Identifier: Apache-2.0
#include "experiments/commands/sensitivity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "experiments/commands/allocation.hpp"
#include "experiments/commands/sweep.hpp"
#include "experiments/evaluate/design_point.hpp"
#include "experiments/process/launcher.hpp"
#include "experiments/sensitivity/ranking.hpp"
#include "experiments/store/cache.hpp"
#include "models/graph/sam.hpp"

namespace prelude::experiments {

namespace fs = std::filesystem;

namespace {

int interrupted() {
    std::fputs("prelude: interrupted; the same command resumes\n", stderr);
    return kInterruptedExitCode;
}

/// Mean IoU of the configured point with each layer lowered, into the ranking; nothing after Ctrl-C.
std::optional<double> add_miou(const Configuration& point, const std::vector<Layer>& layers, LayerRanking& ranking, const StudyOptions& options, const MakeTaskSet& make_task_set,
                               const Interrupt& interrupt) {
    const auto& settings = point.base.quant;
    std::vector<Variant> variants{{.layers = settings.layers, .damage = false, .miou = true}};
    for (const auto& row : ranking)
        if (row.both) variants.push_back({.layers = with_widths(settings, layers, one_step_lower(layers, row.layer)), .damage = false, .miou = true});
    const auto measured = run_study(point, variants, options, make_task_set, interrupt);
    if (!measured) return std::nullopt;
    std::size_t next = 1;
    for (auto& row : ranking)
        if (row.both) row.miou = (*measured)[next++].miou;
    return measured->front().miou;
}

int rank(const Configuration& point, const std::vector<Layer>& layers, const models::Graph& graph, const SensitivityCommand& command, const StudyOptions& options, const fs::path& out,
         const MakeTaskSet& make_task_set) {
    const auto& quant = point.base.quant;
    const RankingStudy study(clean_settings(quant), layers_of(graph, clean_settings(quant)), layers);
    const Interrupt interrupt;
    const auto measured = run_study(clean_point(point), study.variants(), options, make_task_set, interrupt);
    if (!measured) return interrupted();
    auto ranking = study.ranking(*measured);
    const auto configured = run_study(point, {{.layers = quant.layers}}, options, make_task_set, interrupt);
    if (!configured) return interrupted();
    std::string miou;
    if (command.miou) {
        const auto value = add_miou(point, layers, ranking, options, make_task_set, interrupt);
        if (!value) return interrupted();
        miou = fmt::format(", mean IoU {:.4f}", *value);
    }
    std::string text = fmt::format("W{}A{}: error of the mask logits {:.4f} % of their energy against FP32, on {} calibration pictures{}\n"
                                   "what one bit less of a layer adds, in %, where all else has {} bits:\n\n",
                                   quant.weight_bits, quant.activation_bits, configured->front().damage.error * 100, options.num_images, miou, kCleanBits);
    const auto file = out / "sensitivity.csv";
    write_atomically(file, ranking_csv(ranking));
    text += print_ranking(ranking) + "\n" + print_held(layers) + file.string() + "\n";
    std::fputs(text.c_str(), stdout);
    return kDone;
}

}  // namespace

int sensitivity(const SensitivityCommand& command, const MakeTaskSet& make_task_set) {
    const auto configuration = read_configuration(command.config, command.sets, arch_configs_folder());
    const Grid grid(configuration);
    const auto settings = grid.at(0).settings;
    const auto refuse = [&](std::string_view key, std::string found, std::string allowed) {
        throw rejection(configuration, key, std::move(found), std::move(allowed), "widths of layers are those of a quantized network");
    };
    if (settings.quant.datatype != quant::Datatype::integer || settings.quant.is_fake_quantized()) refuse("quant.datatype", "a design point without integers", "int, quant.mode clean");
    if (checkpoint_path(settings.model).empty()) refuse("model.checkpoint", fmt::format("no weights for {}", model_name(settings.model)), "a file of weights");
    if (grid.size() > 1) std::fputs(fmt::format("the first of {} design points; --set chooses another\n", grid.size()).c_str(), stderr);
    for (const auto& warning : configuration.warnings) std::fputs(fmt::format("warning: {}\n", warning).c_str(), stderr);

    const auto point = single_point(configuration, settings);
    const auto out = command.out.empty() ? fs::path("out") / (command.config.stem().string() + "-sensitivity") : command.out;
    fs::create_directories(out);
    const auto config = model_config(settings.model);
    const auto graph = workload_graph(settings);
    auto layers = layers_of(graph, settings.quant);
    if (!command.layers.empty() && !study_only(layers, command.layers)) {
        throw models::InputError(fmt::format("--layers: got {}\n    allowed   patterns that layers match, joined by commas: {}, encoder.*, *.lin2 (`explore inspect` lists all)", command.layers,
                                             layers.front().node));
    }
    const int pictures = calibration_set(settings, config)->size();
    const StudyOptions options{.out = out / "study",
                               .num_jobs = command.num_jobs > 0 ? command.num_jobs : num_cores(),
                               .num_images = command.num_images > 0 ? std::min(command.num_images, pictures) : pictures,
                               .quiet = command.quiet};
    if (!command.budget.empty()) return allocate_widths(point, layers, {.budget = command.budget, .widths = command.widths, .out = out, .study = options}, make_task_set);
    return rank(point, layers, graph, command, options, out, make_task_set);
}

}  // namespace prelude::experiments
