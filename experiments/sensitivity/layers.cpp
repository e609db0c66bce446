// SPDX-License-Identifier: Apache-2.0
#include "experiments/sensitivity/layers.hpp"

#include <algorithm>
#include <numeric>

#include "models/overloaded.hpp"
#include "quant/format_plan.hpp"
#include "quant/glob.hpp"
#include "quant/value_classes.hpp"

namespace prelude::experiments {

namespace {

constexpr int kLeastBits = 2;

std::int64_t weights_of(const models::Operator& op) {
    return std::visit(models::Overloaded{[](const models::Linear& o) { return o.in_features * o.out_features; },
                                         [](const models::Conv& o) { return o.in_channels * o.out_channels * o.kernel * o.kernel; },
                                         [](const models::ConvTranspose& o) { return o.in_channels * o.out_channels * o.kernel * o.kernel; },
                                         [](const auto&) { return std::int64_t{0}; }},
                      op);
}

bool is_code(const quant::Format& format) { return format.kind == quant::FormatKind::code || format.kind == quant::FormatKind::hybrid; }

/// Widths of every layer under some settings.
class Widths {
  public:
    Widths(const models::Graph& graph, const quant::Settings& settings) : graph_(graph), plan_(quant::make_plan(graph, settings)) {}
    [[nodiscard]] int weights(const models::Node& node) const { return weights_of(node.op) > 0 ? plan_.contraction(node.name).right_bits : 0; }
    [[nodiscard]] int activations(const models::Node& node) const {
        int bits = 0;
        for (const auto id : node.inputs)
            if (const auto& format = plan_.format(graph_.value(id).name); is_code(format)) bits = std::max(bits, format.bits);
        return bits;
    }
    [[nodiscard]] bool is_coded(models::ValueId id) const { return is_code(plan_.format(graph_.value(id).name)); }

  private:
    const models::Graph& graph_;
    quant::FormatPlan plan_;
};

quant::Settings narrowest(quant::Settings settings) {
    settings.weight_bits = settings.activation_bits = kLeastBits;
    return settings;
}

/// Numbers of sets that grow together.
class Sets {
  public:
    explicit Sets(std::size_t count) : parent_(count) { std::iota(parent_.begin(), parent_.end(), std::size_t{0}); }
    [[nodiscard]] std::size_t of(std::size_t i) const { return parent_[i] == i ? i : of(parent_[i]); }
    void join(std::size_t a, std::size_t b) {
        const auto first = of(a), second = of(b);
        parent_[std::max(first, second)] = std::min(first, second);
    }

  private:
    std::vector<std::size_t> parent_;
};

}  // namespace

std::vector<Layer> layers_of(const models::Graph& graph, const quant::Settings& settings) {
    auto lowest = narrowest(settings), without_edges = lowest;
    for (auto& entry : lowest.layers) {  // an entry stands above any floor
        if (entry.weight_bits) entry.weight_bits = kLeastBits;
        if (entry.activation_bits) entry.activation_bits = kLeastBits;
    }
    without_edges.edge_bits = kLeastBits;
    const Widths now(graph, settings), least(graph, lowest), edgeless(graph, without_edges);
    const quant::ValueClasses classes(graph);
    std::vector<Layer> layers;
    std::map<models::ValueId, std::vector<std::size_t>> readers;  // of coded values, by class
    for (const auto& node : graph.nodes()) {
        if (!quant::is_contraction(node.op)) continue;
        const auto width = [&](int bits, int floor, int without, std::optional<int> quant::LayerOverride::*field) {
            Width result{.bits = bits, .floor = floor, .held = {}, .pinned = false};
            if (bits > 0 && floor > kLeastBits) result.held = without < floor ? "quant.edge_bits" : "quant.decoder_bits";
            for (const auto& entry : settings.layers) result.pinned |= (entry.*field).has_value() && quant::glob_matches(entry.match, node.name);
            return result;
        };
        Layer layer{.node = node.name, .part = node.part, .num_weights = weights_of(node.op), .weights = {}, .activations = {}, .group = layers.size()};
        layer.weights = width(now.weights(node), least.weights(node), edgeless.weights(node), &quant::LayerOverride::weight_bits);
        layer.activations = width(now.activations(node), least.activations(node), edgeless.activations(node), &quant::LayerOverride::activation_bits);
        for (const auto id : node.inputs)
            if (now.is_coded(id)) readers[classes.root(id)].push_back(layers.size());
        layers.push_back(std::move(layer));
    }
    Sets sets(layers.size());
    for (const auto& [value, users] : readers)
        for (const auto user : users) sets.join(users.front(), user);
    for (models::ValueId id = 0; id < static_cast<models::ValueId>(graph.values().size()); ++id) {  // parts of one projection have one width
        if (!classes.is_composite(id)) continue;
        std::optional<std::size_t> first;
        for (const auto user : graph.consumers(id)) {
            const auto found = readers.find(classes.root(graph.node(user).output));
            if (found == readers.end()) continue;
            if (first) sets.join(*first, found->second.front());
            first = found->second.front();
        }
    }
    for (std::size_t i = 0; i < layers.size(); ++i) layers[i].group = sets.of(i);
    return layers;
}

bool study_only(std::vector<Layer>& layers, std::string_view patterns) {
    for (auto& layer : layers) layer.studied = false;
    for (bool is_last = false; !is_last;) {
        const auto comma = patterns.find(',');
        const auto pattern = patterns.substr(0, comma);
        bool found = false;
        for (auto& layer : layers) {
            if (!quant::glob_matches(pattern, layer.node)) continue;
            layer.studied = found = true;
        }
        if (!found) return false;
        is_last = comma == std::string_view::npos;
        if (!is_last) patterns.remove_prefix(comma + 1);
    }
    return true;
}

std::vector<quant::LayerOverride> with_widths(const quant::Settings& settings, std::span<const Layer> layers, const WidthChoice& choice) {
    auto entries = settings.layers;
    for (const auto& layer : layers) {
        const auto found = choice.find(layer.node);
        if (found == choice.end()) continue;
        const auto given = [](int bits, const Width& width) { return bits > 0 && width.exists() && bits != width.bits ? std::optional(bits) : std::nullopt; };
        quant::LayerOverride entry{.match = layer.node,
                                   .weight_bits = given(found->second.weight_bits, layer.weights),
                                   .activation_bits = given(found->second.activation_bits, layer.activations),
                                   .groups = {}};
        if (entry.weight_bits || entry.activation_bits) entries.push_back(std::move(entry));
    }
    return entries;
}

double weight_bytes(std::span<const Layer> layers, const WidthChoice& choice) {
    std::int64_t bits = 0;
    for (const auto& layer : layers) {
        const auto found = choice.find(layer.node);
        const int width = found == choice.end() || found->second.weight_bits == 0 ? layer.weights.bits : found->second.weight_bits;
        bits += layer.num_weights * width;
    }
    return static_cast<double>(bits) / 8;
}

}  // namespace prelude::experiments
