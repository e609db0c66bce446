// SPDX-License-Identifier: Apache-2.0
#include "experiments/commands/accumulators.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "experiments/config/error.hpp"
#include "experiments/evaluate/calibrated_ranges.hpp"
#include "experiments/output/text_table.hpp"
#include "models/graph/sam.hpp"
#include "quant/accumulator_study.hpp"
#include "quant/predictor.hpp"
#include "quant/quantize.hpp"

namespace prelude::experiments {

namespace {

using Widths = std::map<std::string, quant::SumWidths, std::less<>>;

/// "encoder.block12.qkv" -> "encoder.block*.qkv"
std::string kind_of(const std::string& name) {
    std::string kind;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const bool digit = name[i] >= '0' && name[i] <= '9', after_word = i > 0 && (kind.ends_with("block") || kind.ends_with("layer") || kind.ends_with("*"));
        if (!digit || !after_word) kind += name[i];
        else if (!kind.ends_with("*")) kind += '*';
    }
    return kind;
}

std::string print_widths(const models::Graph& graph, const Widths& widths, bool all) {
    struct Line {
        std::size_t count = 0;
        quant::SumWidths widest;
    };
    std::vector<std::pair<std::string, Line>> lines;  // in the order of the graph
    for (const auto& node : graph.nodes()) {
        const auto found = widths.find(node.name);
        if (found == widths.end()) continue;
        const auto name = all ? node.name : kind_of(node.name);
        auto line = std::ranges::find(lines, name, &std::pair<std::string, Line>::first);
        if (line == lines.end()) line = lines.insert(lines.end(), {name, {}});
        auto& [count, widest] = line->second;
        ++count;
        widest.depth = std::max(widest.depth, found->second.depth);
        widest.num_terms = std::max(widest.num_terms, found->second.num_terms);
        widest.operands = std::max(widest.operands, found->second.operands);
        widest.weights = std::max(widest.weights, found->second.weights);
        widest.observed = std::max(widest.observed, found->second.observed);
    }
    TextTable table({{"layer", false}, {"times"}, {"K"}, {"sums"}, {"any operands"}, {"these weights"}, {"observed"}});
    for (const auto& [name, line] : lines) {
        const auto& w = line.widest;
        table.add({name, std::to_string(line.count), std::to_string(w.depth), std::to_string(w.num_terms), std::to_string(w.operands), std::to_string(w.weights),
                   std::to_string(w.observed)});
    }
    return table.print("");
}

}  // namespace

int accumulators(const AccumulatorsCommand& command, const MakeTaskSet& make_task_set) {
    const auto configuration = read_configuration(command.sweep.config, command.sweep.sets, arch_configs_folder());
    const Grid grid(configuration);
    const auto settings = grid.at(0).settings;
    const auto refuse = [&](std::string_view key, std::string found, std::string allowed) {
        throw rejection(configuration, key, std::move(found), std::move(allowed), "the widths of sums are those of a quantized network");
    };
    if (settings.quant.datatype != quant::Datatype::integer || settings.quant.is_fake_quantized()) refuse("quant.datatype", "a design point without integers", "int, quant.mode clean");
    if (checkpoint_path(settings.model).empty()) refuse("model.checkpoint", fmt::format("no weights for {}", model_name(settings.model)), "a file of weights");

    int code = kDone;
    if (grid.size() > 1) code = sweep(command.sweep, make_task_set);  // before anything here starts a thread: the sweep forks
    if (code != kDone) return code;

    const auto model = load_model(settings.model);
    auto point = settings.quant;
    point.accumulator = {.chunk = settings.quant.accumulator.chunk};
    const auto graph = models::build_sam(model.config);
    const auto quantized = quant::quantize(model.config, graph, *model.weights, point, calibrated_ranges(settings, model, {}));
    quant::IntegerPredictor predictor(quantized);
    quant::AccumulatorStudy study(quantized, point.accumulator.chunk);
    const auto set = evaluation_set(settings.data, model.config);
    const int images = std::min(command.num_images, set->size());
    for (int index = 0; index < images; ++index) {
        const auto item = set->image(index);
        const auto encoded = predictor.encode(item.image, study.hook());
        for (const auto& prompt : item.prompts) (void)predictor.predict(encoded, prompt.prompt, models::MaskSelection::single, study.hook());
    }
    std::fputs(fmt::format("\nbits of the running sums A_t, W{}A{}, widest of each kind; observed on {} pictures, narrowed every {} products\n", point.weight_bits,
                           point.activation_bits, images, point.accumulator.chunk).c_str(), stdout);
    std::fputs(print_widths(graph, study.widths(), command.all).c_str(), stdout);
    return kDone;
}

}  // namespace prelude::experiments
