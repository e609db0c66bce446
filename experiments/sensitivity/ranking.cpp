// SPDX-License-Identifier: Apache-2.0
#include "experiments/sensitivity/ranking.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "experiments/output/csv.hpp"
#include "experiments/output/text_table.hpp"

namespace prelude::experiments {

namespace {

constexpr double kPercent = 100, kKib = 1024;

/// The members of a layer's group with their activations one step lower; empty when a floor is in the way.
WidthChoice lower_activations(std::span<const Layer> layers, const Layer& layer) {
    int bits = 0, floor = 0;
    if (!layer.activations.exists()) return {};
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

WidthChoice one_step_lower(std::span<const Layer> layers, const Layer& layer) {
    auto choice = lower_activations(layers, layer);
    if (!layer.weights.may_fall()) return choice;
    auto& own = choice.try_emplace(layer.node, quant::LayerBits{.weight_bits = 0, .activation_bits = 0}).first->second;
    own.weight_bits = narrower(layer.weights.bits);
    return choice;
}

RankingStudy::RankingStudy(const quant::Settings& clean, std::span<const Layer> clean_layers, std::vector<Layer> layers) : layers_(std::move(layers)) {
    const auto add = [&](const WidthChoice& choice, Variant variant) {
        variant.layers = with_widths(clean, clean_layers, choice);
        variants_.push_back(std::move(variant));
        return variants_.size() - 1;
    };
    const auto base = add({}, {.layers = {}, .damage = false, .is_shared = true});
    WidthChoice as_configured, one_less;  // of all weights that may fall
    for (const auto& layer : layers_) {
        if (!layer.studied || !layer.weights.may_fall()) continue;
        as_configured[layer.node] = {.weight_bits = layer.weights.bits, .activation_bits = 0};
        one_less[layer.node] = {.weight_bits = narrower(layer.weights.bits), .activation_bits = 0};
    }
    const auto now = add(as_configured, {.layers = {}, .damage = false, .is_shared = true}), lower = add(one_less, {.layers = {}, .damage = false, .is_shared = true});
    std::map<std::size_t, Step> of_group;  // layers that move together are measured once
    for (const auto& layer : layers_) {
        Steps steps;
        if (!layer.studied) {
            steps_.push_back(steps);
            continue;
        }
        const auto low = lower_activations(layers_, layer);
        auto high = low;
        for (auto& [node, bits] : high) bits.activation_bits = std::ranges::find(layers_, node, &Layer::node)->activations.bits;
        if (layer.weights.may_fall()) {
            const auto swapped = [&](const WidthChoice& all, std::size_t other) {
                return add({{layer.node, all.at(layer.node)}}, {.layers = {}, .against = base, .swap = Variant::Swap{.base = base, .other = other, .swapped = {layer.node}}});
            };
            steps.weights = Step{.now = swapped(as_configured, now), .lower = swapped(one_less, lower)};
        }
        if (!low.empty()) {
            if (!of_group.contains(layer.group)) of_group[layer.group] = {.now = add(high, {.layers = {}, .against = base}), .lower = add(low, {.layers = {}, .against = base})};
            steps.activations = of_group[layer.group];
        }
        if (steps.weights && steps.activations) {
            const auto with_weights = [&](WidthChoice choice, int bits) {
                choice[layer.node].weight_bits = bits;
                return add(choice, {.layers = {}, .against = base});
            };
            steps.both = Step{.now = with_weights(high, layer.weights.bits), .lower = with_weights(low, narrower(layer.weights.bits))};
        } else {
            steps.both = steps.weights ? steps.weights : steps.activations;
        }
        steps_.push_back(steps);
    }
}

LayerRanking RankingStudy::ranking(const std::vector<Measured>& measured) const {
    LayerRanking result;
    const auto increase = [&](const std::optional<Step>& step) {
        return step ? std::optional(measured[step->lower].damage.error - measured[step->now].damage.error) : std::nullopt;
    };
    for (std::size_t i = 0; i < layers_.size(); ++i) {
        const auto& [weights, activations, both] = steps_[i];
        result.push_back({.layer = layers_[i], .weights = increase(weights), .activations = increase(activations), .both = increase(both), .miou = {}});
    }
    std::ranges::stable_sort(result, [](const RankedLayer& a, const RankedLayer& b) {
        if (!a.both || !b.both) return a.both.has_value() && !b.both;
        return *a.both > *b.both;
    });
    return result;
}

std::string print_ranking(const LayerRanking& ranking) {
    std::vector<TextTable::Head> heads{{"layer", false}, {"weights"}, {"bits"}, {"weights - 1"}, {"activations - 1"}, {"both"}, {"per KiB saved"}};
    const bool with_miou = std::ranges::any_of(ranking, [](const RankedLayer& row) { return row.miou.has_value(); });
    if (with_miou) heads.push_back({"miou"});
    TextTable table(heads);
    for (const auto& row : ranking) {
        if (!row.both) continue;
        const auto& layer = row.layer;
        const auto width = [](const Width& w) { return w.exists() ? std::to_string(w.bits) : std::string("-"); };
        std::vector<std::string> cells{layer.node,
                                       layer.num_weights > 0 ? std::to_string(layer.num_weights) : "",
                                       width(layer.weights) + " x " + width(layer.activations),
                                       number(row.weights, kPercent, reason(layer.weights)),
                                       number(row.activations, kPercent, reason(layer.activations)),
                                       number(row.both, kPercent, ""),
                                       number(row.per_saved_byte(), kPercent * kKib, "")};
        if (with_miou) cells.push_back(row.miou ? fmt::format("{:.4f}", *row.miou) : "");
        table.add(std::move(cells));
    }
    return table.print("");
}

std::string ranking_csv(const LayerRanking& ranking) {
    std::string text = csv_line(std::vector<std::string>{"rank", "layer", "part", "weights", "weight_bits", "activation_bits", "weight_damage", "activation_damage", "both_damage",
                                                         "weight_damage_per_byte", "miou", "weights_held_by", "activations_held_by", "activations_move_with"});
    const auto given = [](std::optional<double> value) { return value ? fmt::format("{}", *value) : std::string(); };
    const auto bits = [](const Width& width) { return width.exists() ? std::to_string(width.bits) : std::string(); };
    std::size_t rank = 0;
    for (const auto& row : ranking) {
        const auto& layer = row.layer;
        std::vector<std::string_view> group;
        for (const auto& other : ranking)
            if (other.layer.group == layer.group && other.layer.node != layer.node) group.push_back(other.layer.node);
        text += csv_line(std::vector<std::string>{row.both ? std::to_string(++rank) : "", layer.node, std::string(models::part_name(layer.part)), std::to_string(layer.num_weights),
                                                  bits(layer.weights), bits(layer.activations), given(row.weights), given(row.activations), given(row.both), given(row.per_saved_byte()),
                                                  given(row.miou), layer.weights.may_fall() ? "" : layer.weights.held, layer.activations.may_fall() ? "" : layer.activations.held, fmt::format("{}", fmt::join(group, " "))});
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
