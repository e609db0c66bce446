// SPDX-License-Identifier: Apache-2.0
#include "experiments/commands/export.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>

#include "experiments/cli/program.hpp"
#include "experiments/commands/sweep.hpp"
#include "experiments/config/canonical.hpp"
#include "experiments/evaluate/calibrated_ranges.hpp"
#include "experiments/handoff/design.hpp"
#include "experiments/handoff/export_folder.hpp"
#include "experiments/hls/expected.hpp"
#include "experiments/hls/params_header.hpp"
#include "experiments/output/progress.hpp"
#include "models/error.hpp"
#include "quant/quantize.hpp"

namespace prelude::experiments {

namespace fs = std::filesystem;

namespace {

/// The point that is asked for; of several none is taken unasked.
Point point_of(const ExportCommand& command, const Grid& grid) {
    if (command.design_point) {
        if (*command.design_point >= 0 && *command.design_point < grid.num_combinations()) return grid.combination(*command.design_point);
        throw models::InputError(
            fmt::format("--design-point {}: the configuration has points 0 to {}", *command.design_point, grid.num_combinations() - 1));
    }
    if (grid.size() > 1)
        throw models::InputError(fmt::format("{}: {} design points over {}; --design-point N chooses one (column `point` of results.csv)",
                                             grid.configuration().source, grid.size(), fmt::join(grid.columns(), ", ")));
    return grid.at(0);
}

void refuse_without_integers(const Configuration& configuration, const Settings& settings) {
    if (!settings.quant.is_integer() || settings.quant.is_fake_quantized())
        throw rejection(configuration, "quant.datatype", "a design point without integers", "int, quant.mode clean",
                        "golden vectors are the integers of the datapath");
    if (checkpoint_path(settings.model).empty())
        throw rejection(configuration, "model.checkpoint", fmt::format("no weights for {}", model_name(settings.model)),
                        "a file of weights", "golden vectors need them");
}

quant::QuantizedGraph quantized_of(const Grid& grid, const Point& point, const LoadedModel& model, const TaskSet& task_set,
                                   const fs::path& cache) {
    fs::path file;
    if (!cache.empty())
        for (const auto& task : task_set.tasks_of(grid, point.index))
            if (task.kind == TaskKind::ranges) file = ranges_file(cache, task.key);
    return quant::quantize(model.config, models::build_sam(model.config), *model.weights, point.settings.quant,
                           calibrated_ranges(point.settings, model, file));
}

models::EvaluationImage picture_of(const ExportCommand& command, const Settings& settings, const models::SamConfig& config) {
    const auto set = evaluation_set(settings.data, config);
    if (command.picture >= set->size())
        throw models::InputError(fmt::format("--image {}: the evaluated set has pictures 0 to {}", command.picture, set->size() - 1));
    auto item = set->image(command.picture);
    if (item.prompts.empty()) throw models::InputError(fmt::format("--image {}: {} has no prompt", command.picture, item.name));
    return item;
}

/// "arch_configs/quickstart.yaml, point 3: quant.groups 4"
std::string design_text(const Grid& grid, const Point& point) {
    std::vector<std::string> swept;
    const auto columns = grid.columns();
    for (std::size_t i = 0; i < columns.size(); ++i) swept.push_back(fmt::format("{} {}", columns[i], point.swept[i]));
    return fmt::format("{}, point {}{}{}", grid.configuration().source, point.index, swept.empty() ? "" : ": ", fmt::join(swept, ", "));
}

std::string prompt_text(const models::Prompt& prompt) {
    if (prompt.box) return fmt::format("box {:.1f},{:.1f},{:.1f},{:.1f}", prompt.box->x0, prompt.box->y0, prompt.box->x1, prompt.box->y1);
    return fmt::format("{} points", prompt.points.size());
}

std::string expected_text(const Expected& expected) {
    if (!expected.latency_max || !expected.lut || !expected.total_w) return {};
    return fmt::format(
        "expected of them: {:.0f} cycles at {:.3f} ns, {:.0f} LUT, {:.0f} FF, {:.0f} DSP, {:.0f} BRAM18, {:.0f} URAM, {:.2f} W\n",
        expected.latency_max->value, expected.clock_target_ns, std::ceil(expected.lut->value), std::ceil(expected.ff->value),
        std::ceil(expected.dsp->value), std::ceil(expected.bram18->value), std::ceil(expected.uram->value), expected.total_w->value);
}

/// What an HLS engineer compiles.
void add_hls_files(ExportFolder& folder, const HandedPart& handed, const std::map<std::string, sim::Mapping, std::less<>>& mappings,
                   const std::string& design) {
    Tiles tiles;
    for (const auto& [node, mapping] : mappings)
        tiles[node] = {.rows = mapping.tile_rows, .inputs = mapping.tile_depth, .outputs = mapping.tile_cols};
    folder.add_file("hls/prelude_params.h", params_header(handed.part, handed.quantized, tiles, design));
    folder.add_file("hls/prelude_ap_types.h", std::string(ap_types_header()));
    folder.add_file("hls/prelude_words.h", std::string(words_header()));
    folder.add_file("hls/test_bench.cpp", test_bench_skeleton(handed.part, handed.quantized));
}

}  // namespace

int export_command(const ExportCommand& command, const TaskSet& task_set) {
    const bool from_results = !command.results.empty();
    const auto configuration =
        read_configuration(from_results ? command.results / kConfigurationFile : command.config, command.sets, arch_configs_folder());
    const Grid grid(configuration);
    const auto point = point_of(command, grid);
    const auto& settings = point.settings;
    refuse_without_integers(configuration, settings);
    const auto model = load_model(settings.model);
    const auto item = picture_of(command, settings, model.config);
    const auto quantized = quantized_of(grid, point, model, task_set, from_results ? command.results / "cache" : fs::path());
    const auto handed = hand_over(quantized, item, command.layers, command.units);
    const auto& costs = configuration.costs.at(settings.cost_table);
    const auto design = resolve_design(settings, costs, workload_graph(settings), quantized.plan);
    const auto mappings = mappings_of(handed, design);

    ExportFolder folder(command.out, command.formats, command.packing);
    Progress progress(
        handed.part.values().size(),
        {.quiet = command.quiet, .terminal = is_terminal(STDERR_FILENO), .width = terminal_width(STDERR_FILENO, 80), .unit = "values"});
    const auto begin = std::chrono::steady_clock::now();
    std::size_t num_values = 0;
    for_each_tensor(handed.part, handed.quantized, handed.words, mappings, [&](ExportedTensor&& tensor) {
        const auto name = tensor.description.name;
        const bool is_value = handed.part.find_value(name).has_value();
        folder.add_tensor(std::move(tensor));
        num_values += is_value ? 1 : 0;
        const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        progress.show(num_values, 0,
                      num_values == 0
                          ? -1
                          : seconds / static_cast<double>(num_values) * static_cast<double>(handed.part.values().size() - num_values),
                      name);
    });
    progress.clear();
    quant::save(handed.quantized, folder.path() / kOperationsFile);
    folder.note_file(std::string(kOperationsFile));
    folder.add_file(std::string(kConfigurationFile), resolved_yaml(configuration));
    const auto expected = expect(design, handed.part, costs, design_text(grid, point));
    folder.add_file(std::string(kExpectedFile), to_json(expected).dump(1) + "\n");
    add_hls_files(folder, handed, mappings, design_text(grid, point));
    const auto num_tensors = folder.num_tensors();
    folder.finish({.version = PRELUDE_VERSION,
                   .design = design_text(grid, point),
                   .picture = item.name,
                   .prompt = prompt_text(item.prompts.front().prompt),
                   .workload = handed.workload,
                   .nodes = handed.nodes,
                   .packing = {},
                   .tensors = {},
                   .files = {}});

    auto text = fmt::format("{} layers of {}, {} tensors, {:.1f} MB in {}\n", handed.nodes.size(), model_name(settings.model), num_tensors,
                            static_cast<double>(folder.num_bytes()) * 1e-6, command.out.string());
    text += expected_text(expected);
    if (!design.infeasible.empty()) text += fmt::format("the design point is infeasible: {}\n", design.infeasible);
    text += fmt::format("compare a build's dumps: explore verify --golden {} --actual DIR\n", command.out.string());
    std::fputs(text.c_str(), stdout);
    return kDone;
}

}  // namespace prelude::experiments
