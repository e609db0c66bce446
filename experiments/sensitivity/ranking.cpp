// SPDX-License-Identifier: Apache-2.0
#include "experiments/sensitivity/ranking.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/output/csv.hpp"
#include "experiments/output/text_table.hpp"

namespace prelude::experiments {

namespace {

constexpr double kPercent = 100, kKib = 1024;

/// The members of a layer's group with their activations one step lower; empty when a floor is in the way.
WidthChoice lower_activations(std::span<const Layer> layers, const Layer& layer) {
    int bits = 0, floor = 0;
    for (const auto& other : layers)
        if (other.group == layer.group) bits = std::max(bits, other.activations.bits), floor = std::max(floor, other.activations.floor);
    WidthChoice choice;
    if (bits <= floor) return choice;
    for (const auto& other : layers)
        if (other.group == layer.group && other.activations.exists())
            choice[other.node] = {.weight_bits = 0, .activation_bits = std::min(other.activations.bits, narrower(bits))};
    return choice;
}

std::string number(std::optional<double> value, double unit, std::string_view otherwise) { return value ? fmt::format("{:+.4f}", *value * unit) : std::string(otherwise); }

std::string_view reason(const Width& width) { return !width.exists() ? "" : width.held.empty() ? "least" : "held"; }

}  // namespace

std::optional<double> RankedLayer::per_saved_byte() const {
    if (!weights) return std::nullopt;
    return *weights * 8 / static_cast<double>(layer.num_weights * (layer.weights.bits - narrower(layer.weights.bits)));
}

RankingStudy::RankingStudy(const quant::Settings& settings, std::vector<Layer> layers, bool with_miou) : layers_(std::move(layers)), with_miou_(with_miou) {
    variants_.push_back({.layers = settings.layers, .miou = with_miou, .is_shared = true});
    WidthChoice all_lower;
    for (const auto& layer : layers_)
        if (layer.weights.may_fall()) all_lower[layer.node] = {.weight_bits = narrower(layer.weights.bits), .activation_bits = 0};
    variants_.push_back({.layers = with_widths(settings, layers_, all_lower), .damage = false, .is_shared = true});
    const auto add = [&](Variant variant) {
        variants_.push_back(std::move(variant));
        return variants_.size() - 1;
    };
    std::map<std::size_t, std::size_t> of_group;  // layers that move together are measured once
    for (const auto& layer : layers_) {
        Lowered lowered;
        const quant::LayerBits weights{.weight_bits = layer.weights.may_fall() ? narrower(layer.weights.bits) : 0, .activation_bits = 0};
        auto choice = layer.activations.exists() ? lower_activations(layers_, layer) : WidthChoice{};
        const bool activations_fall = !choice.empty();
        if (weights.weight_bits > 0) {
            lowered.weights = lowered.both = add({.layers = with_widths(settings, layers_, {{layer.node, weights}}), .miou = with_miou && !activations_fall,
                                                  .swap = Variant::Swap{.base = 0, .other = 1, .swapped = {layer.node}}});
        }
        if (activations_fall) {
            if (!of_group.contains(layer.group)) of_group[layer.group] = add({.layers = with_widths(settings, layers_, choice), .miou = with_miou && !lowered.weights});
            lowered.activations = of_group[layer.group];
            if (!lowered.weights) {
                lowered.both = lowered.activations;
                variants_[*lowered.both].miou = with_miou;
            }
        }
        if (lowered.weights && lowered.activations) {
            choice[layer.node].weight_bits = weights.weight_bits;
            lowered.both = add({.layers = with_widths(settings, layers_, choice), .miou = with_miou});
        }
        lowered_.push_back(lowered);
    }
}

LayerRanking RankingStudy::ranking(const std::vector<Measured>& measured) const {
    LayerRanking result{.point = measured[0].damage, .miou = with_miou_ ? std::optional(measured[0].miou) : std::nullopt, .layers = {}};
    const auto increase = [&](std::optional<std::size_t> variant) {
        return variant ? std::optional(measured[*variant].damage.error - measured[0].damage.error) : std::nullopt;
    };
    for (std::size_t i = 0; i < layers_.size(); ++i) {
        const auto& [weights, activations, both] = lowered_[i];
        RankedLayer row{.layer = layers_[i], .weights = increase(weights), .activations = increase(activations), .both = increase(both), .miou = {}};
        if (with_miou_ && both) row.miou = measured[*both].miou;
        result.layers.push_back(std::move(row));
    }
    std::ranges::stable_sort(result.layers, [](const RankedLayer& a, const RankedLayer& b) {
        if (!a.damage() || !b.damage()) return a.damage().has_value() && !b.damage();
        return *a.damage() > *b.damage();
    });
    return result;
}

std::string print_ranking(const LayerRanking& ranking) {
    std::vector<TextTable::Head> heads{{"layer", false}, {"weights"}, {"bits"}, {"weights - 1"}, {"activations - 1"}, {"both"}, {"per KiB saved"}};
    if (ranking.miou) heads.push_back({"miou"});
    TextTable table(heads);
    for (const auto& row : ranking.layers) {
        if (!row.damage()) continue;
        const auto& layer = row.layer;
        const auto width = [](const Width& w) { return w.exists() ? std::to_string(w.bits) : std::string("-"); };
        std::vector<std::string> cells{layer.node,
                                       layer.num_weights > 0 ? std::to_string(layer.num_weights) : "",
                                       width(layer.weights) + " x " + width(layer.activations),
                                       number(row.weights, kPercent, reason(layer.weights)),
                                       number(row.activations, kPercent, reason(layer.activations)),
                                       number(row.both, kPercent, ""),
                                       number(row.per_saved_byte(), kPercent * kKib, "")};
        if (ranking.miou) cells.push_back(row.miou ? fmt::format("{:.4f}", *row.miou) : "");
        table.add(std::move(cells));
    }
    return table.print("");
}

std::string ranking_csv(const LayerRanking& ranking) {
    std::string text = csv_line(std::vector<std::string>{"rank", "layer", "part", "weights", "weight_bits", "activation_bits", "weight_damage", "activation_damage", "both_damage",
                                                         "weight_damage_per_byte", "miou", "weights_held_by", "activations_held_by"});
    const auto given = [](std::optional<double> value) { return value ? fmt::format("{}", *value) : std::string(); };
    const auto bits = [](const Width& width) { return width.exists() ? std::to_string(width.bits) : std::string(); };
    std::size_t rank = 0;
    for (const auto& row : ranking.layers) {
        const auto& layer = row.layer;
        text += csv_line(std::vector<std::string>{row.damage() ? std::to_string(++rank) : "", layer.node, std::string(models::part_name(layer.part)), std::to_string(layer.num_weights),
                                                  bits(layer.weights), bits(layer.activations), given(row.weights), given(row.activations), given(row.both), given(row.per_saved_byte()),
                                                  given(row.miou), layer.weights.may_fall() ? "" : layer.weights.held, layer.activations.may_fall() ? "" : layer.activations.held});
    }
    return text;
}

std::string print_held(std::span<const Layer> layers) {
    struct Held {
        std::size_t count = 0;
        std::int64_t weights = 0;
    };
    std::map<std::pair<std::string, int>, Held> kinds;
    for (const auto& layer : layers) {
        if (!layer.weights.exists() || layer.weights.may_fall() || layer.weights.held.empty()) continue;
        auto& held = kinds[{layer.weights.held, layer.weights.bits}];
        ++held.count;
        held.weights += layer.num_weights;
    }
    std::string text;
    for (const auto& [kind, held] : kinds)
        text += fmt::format("held at {} bits by {}: {} layers, {} weights\n", kind.second, kind.first, held.count, held.weights);
    return text;
}

}  // namespace prelude::experiments
