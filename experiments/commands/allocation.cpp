// SPDX-License-Identifier: Apache-2.0
#include "experiments/commands/allocation.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "experiments/commands/sweep.hpp"
#include "experiments/compare/comparison.hpp"
#include "experiments/config/canonical.hpp"
#include "experiments/evaluate/design_point.hpp"
#include "experiments/output/csv.hpp"
#include "experiments/output/text_table.hpp"
#include "experiments/sensitivity/allocation.hpp"
#include "experiments/store/cache.hpp"
#include "experiments/sweep/pareto.hpp"
#include "experiments/sweep/run.hpp"

namespace prelude::experiments {

namespace fs = std::filesystem;

namespace {

std::string shortened(const Row& row, std::string_view column, std::string_view format) {
    const auto text = text_in(row, column);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error != std::errc{} || end == text.data() ? std::string(text) : fmt::format(fmt::runtime(format), value);
}

std::string print_candidates(const std::vector<Candidate>& candidates, const WidthSpace& space) {
    const bool latency = space.moves_activations();
    std::vector<TextTable::Head> heads{{"point", false}, {"weight bytes"}, {"predicted error_%"}, {"error_%"}, {"miou"}};
    if (latency) heads.push_back({"predicted ms"});
    for (const auto* title : {"latency_ms", "energy_mj", "dsp", "bram36"}) heads.push_back({title});
    TextTable table(heads);
    for (const auto& candidate : candidates) {
        const auto& row = candidate.row;
        std::vector<std::string> cells{candidate.name, fmt::format("{:.0f}", weight_bytes(space.layers(), candidate.choice)), fmt::format("{:.4f}", candidate.predicted * 100),
                                       fmt::format("{:.4f}", candidate.measured * 100), shortened(row, "miou", "{:.4f}")};
        if (latency) {
            double ms = 0, cycles = 1;
            const auto number = [&](std::string_view column, double& value) {
                const auto text = text_in(row, column);
                std::from_chars(text.data(), text.data() + text.size(), value);
            };
            number("latency_ms", ms), number("cycles", cycles);
            cells.push_back(fmt::format("{:.4g}", static_cast<double>(candidate.predicted_cycles) * ms / cycles));
        }
        cells.insert(cells.end(), {shortened(row, "latency_ms", "{:.4g}"), shortened(row, "energy_mj", "{:.4g}"), std::string(text_in(row, "dsp")), std::string(text_in(row, "bram36"))});
        table.add(std::move(cells));
    }
    return table.print("");
}

int bits_in(const WidthChoice& choice, const Layer& layer, int quant::LayerBits::*field, const Width& width) {
    const auto found = choice.find(layer.node);
    return found == choice.end() || found->second.*field == 0 ? width.bits : found->second.*field;
}

/// Which widths were chosen, and what they were chosen by.
std::string print_choice(const WidthSpace& space, const std::vector<Candidate>& candidates, const DamageTable& damages) {
    std::vector<TextTable::Head> heads{{"layer", false}, {"weights"}, {"uniform"}, {"chosen"}};
    for (const int bits : space.widths()) heads.push_back({fmt::format("w{}", bits)});
    if (space.moves_activations())
        for (const int bits : space.widths()) heads.push_back({fmt::format("a{}", bits)});
    TextTable table(heads);
    std::size_t held = 0;
    for (const auto& layer : space.layers()) {
        const auto weights = space.weight_widths(layer), activations = space.activation_widths(layer);
        if (weights.size() < 2 && activations.size() < 2) {
            ++held;
            continue;
        }
        const auto widths = [&](const WidthChoice& choice) {
            const auto text = [](int bits) { return bits > 0 ? std::to_string(bits) : std::string("-"); };
            return text(bits_in(choice, layer, &quant::LayerBits::weight_bits, layer.weights)) + " x " + text(bits_in(choice, layer, &quant::LayerBits::activation_bits, layer.activations));
        };
        std::vector<std::string> cells{layer.node, layer.num_weights > 0 ? std::to_string(layer.num_weights) : "", widths(candidates[0].choice), widths(candidates[1].choice)};
        const auto add = [&](const auto& table_of, const auto& key) {
            for (const int bits : space.widths()) {
                const auto found = table_of.find({key, bits});
                cells.push_back(found != table_of.end() ? fmt::format("{:.4f}", found->second * 100) : "");
            }
        };
        add(damages.weights, layer.node);
        if (space.moves_activations()) add(damages.activations, layer.group);
        table.add(std::move(cells));
    }
    return table.print("") + (held > 0 ? fmt::format("{} layers stay as configured\n", held) : "");
}

std::string choice_csv(const WidthSpace& space, const std::vector<Candidate>& candidates, const DamageTable& damages) {
    std::string text = csv_line(std::vector<std::string>{"layer", "operand", "bits", "damage", "weights", "uniform", "allocated", "held_by"});
    const auto lines = [&](const Layer& layer, const char* operand, const Width& width, const std::vector<int>& allowed, const auto& damage, int quant::LayerBits::*field) {
        if (!width.exists()) return;
        const auto chosen = [&](std::size_t i) { return std::to_string(bits_in(candidates[i].choice, layer, field, width)); };
        const auto line = [&](int bits, const std::string& value, const std::string& held) {
            text += csv_line(std::vector<std::string>{layer.node, operand, std::to_string(bits), value, std::to_string(layer.num_weights), chosen(0), chosen(1), held});
        };
        if (allowed.size() < 2) return line(bits_in(candidates[1].choice, layer, field, width), "", width.pinned ? "quant.layers" : width.held);
        for (const int bits : allowed) line(bits, fmt::format("{}", damage(bits)), "");
    };
    for (const auto& layer : space.layers()) {
        lines(layer, "weights", layer.weights, space.weight_widths(layer), [&](int bits) { return damages.weights.at({layer.node, bits}); }, &quant::LayerBits::weight_bits);
        lines(layer, "activations", layer.activations, space.activation_widths(layer), [&](int bits) { return damages.activations.at({layer.group, bits}); }, &quant::LayerBits::activation_bits);
    }
    return text;
}

std::string layers_yaml(const Budget& budget, const std::vector<quant::LayerOverride>& layers) {
    auto text = fmt::format("# Widths for --budget {}: paste into a configuration.\nquant:\n  layers:\n", budget.text);
    Settings settings;
    for (const auto& layer : layers) {
        settings.quant.layers = {layer};
        auto entry = find_key("quant.layers")->print(settings);
        text += "    - " + entry.substr(1, entry.size() - 2) + "\n";
    }
    return layers.empty() ? text + "    []\n" : text;
}

}  // namespace

int allocate_widths(const Configuration& point, const std::vector<Layer>& layers, const AllocationRequest& request, const MakeTaskSet& make_task_set) {
    const Interrupt interrupt;
    Allocator allocator(point, layers, request, make_task_set, interrupt);
    auto candidates = allocator.run();
    const auto& space = allocator.space();
    std::optional<PairedComparison> comparison;
    if (!candidates || !allocator.evaluate(*candidates, comparison)) {
        std::fputs("prelude: interrupted; the same command resumes\n", stderr);
        return kInterruptedExitCode;
    }
    auto allocated = allocator.point();
    allocated.base.quant.layers = with_widths(allocated.base.quant, space.layers(), (*candidates)[1].choice);
    write_atomically(request.out / "allocated.yaml", fmt::format("# explore sensitivity --budget {}\n", allocator.budget().text) + resolved_yaml(allocated));
    write_atomically(request.out / "quant_layers.yaml", layers_yaml(allocator.budget(), allocated.base.quant.layers));
    write_atomically(request.out / "allocation.csv", choice_csv(space, *candidates, allocator.damages()));

    std::string text = fmt::format("budget {}; error of the mask logits on {} calibration pictures, in % of their energy; what the width of one layer adds where all others have 16 bits:\n\n", allocator.budget().text,
                                   request.study.num_images);
    text += print_choice(space, *candidates, allocator.damages()) + "\n" + print_candidates(*candidates, space);
    if (comparison && !comparison->settings.empty() && !comparison->settings[0].pairs.empty()) {
        const auto& pair = comparison->settings[0].pairs[0];
        text += fmt::format("miou of allocated - uniform over the same {} prompts: {:+.4f}, 95 % {:+.4f} .. {:+.4f}: {}\n", pair.num_prompts, pair.difference.mean, pair.difference.interval.low,
                            pair.difference.interval.high, pair.verdict());
    }
    std::fputs((text + fmt::format("{}\n{}\n", (request.out / "allocated.yaml").string(), (request.out / "quant_layers.yaml").string())).c_str(), stdout);
    return kDone;
}

}  // namespace prelude::experiments
