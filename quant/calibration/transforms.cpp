// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/transforms.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "quant/calibration/bimodal.hpp"
#include "quant/format_plan.hpp"
#include "quant/value_classes.hpp"

namespace prelude::quant {

namespace {

constexpr std::string_view kKeyProjection = "token_to_image.k_proj.";

/// Multiplies what was seen of a value's channels.
void scale_channels(ValueRanges& seen, std::span<const double> factors) {
    const auto channels = factors.size();
    models::check(seen.channels.size() == channels, "a transform of another number of channels");
    for (std::size_t c = 0; c < channels; ++c) {
        auto& range = seen.channels[c];
        range = {range.lo * factors[c], range.hi * factors[c]};
        if (range.lo > range.hi) std::swap(range.lo, range.hi);
    }
    for (std::size_t i = 0; i < seen.rows.size(); ++i) seen.rows[i] *= static_cast<float>(factors[i % channels]);
    for (std::size_t i = 0; i < seen.sample.size(); ++i) seen.sample[i] *= static_cast<float>(factors[seen.sample_channel[i]]);
}

/// Multiplies rows (axis 0) or columns (the rest) of a tensor.
void scale_tensor(models::Weights& weights, const std::string& name, std::span<const double> factors, bool by_rows) {
    const auto view = weights.tensor(name);
    models::Tensor tensor(view.shape, {view.values.begin(), view.values.end()});
    const auto inner = static_cast<std::size_t>(tensor.num_elements() / view.shape[0]);
    for (std::size_t i = 0; i < view.values.size(); ++i) tensor[i] = static_cast<float>(tensor[i] * factors[by_rows ? i / inner : i % inner]);
    weights.replace(name, std::move(tensor));
}

const models::Linear* key_projection(const models::Node& node) {
    const auto* linear = std::get_if<models::Linear>(&node.op);
    return linear && linear->weight.find(kKeyProjection) != std::string::npos ? linear : nullptr;
}

/// The node that computes the queries matched with these keys.
const models::Node& query_of(const models::Graph& graph, const models::Linear& keys) {
    auto name = keys.weight;
    name.replace(name.find("k_proj"), 6, "q_proj");
    const auto found = std::ranges::find_if(graph.nodes(), [&](const models::Node& node) {
        const auto* linear = std::get_if<models::Linear>(&node.op);
        return linear && linear->weight == name;
    });
    models::check(found != graph.nodes().end(), fmt::format("no queries for {}", keys.weight));
    return *found;
}

/// The projections of keys and of the queries they are matched with.
std::array<const models::Node*, 2> key_and_query(const models::Graph& graph, const models::Node& keys) {
    return {&keys, &query_of(graph, *key_projection(keys))};
}

/// The linear layers that read a class of values; empty if anything else does.
std::vector<const models::Linear*> readers(const models::Graph& graph, const ValueClasses& classes, models::ValueId root) {
    std::vector<const models::Linear*> found;
    for (auto member : classes.members(root)) {
        for (auto user : graph.consumers(member)) {
            const auto& node = graph.node(user);
            if (is_movement(node.op) && classes.root(node.output) == root) continue;
            const auto* linear = std::get_if<models::Linear>(&node.op);
            if (!linear) return {};
            found.push_back(linear);
        }
    }
    return found;
}

}  // namespace

std::vector<std::string> token_to_image_keys(const models::Graph& graph) {
    std::vector<std::string> names;
    for (const auto& node : graph.nodes()) {
        if (key_projection(node)) names.push_back(graph.value(node.output).name);
    }
    return names;
}

void fold_key_signs(const models::Graph& graph, std::string_view keys, std::span<const float> signs, models::Weights& weights) {
    const auto value = graph.find_value(keys);
    models::check(value && graph.producer(*value) && key_projection(*graph.producer(*value)), fmt::format("{} are no keys", keys));
    const std::vector<double> factors(signs.begin(), signs.end());
    for (const auto* projection : key_and_query(graph, *graph.producer(*value))) {
        const auto& linear = std::get<models::Linear>(projection->op);
        scale_tensor(weights, linear.weight, factors, true);
        if (!linear.bias.empty()) scale_tensor(weights, linear.bias, factors, true);
    }
}

std::vector<std::string> fold_bimodal_keys(const models::Graph& graph, Observed& observed) {
    const ValueClasses classes(graph);
    std::vector<std::string> folded;
    for (const auto& node : graph.nodes()) {
        const auto* keys = key_projection(node);
        if (!keys) continue;
        const auto& name = graph.value(node.output).name;
        const auto seen = observed.ranges.find(name);
        if (seen == observed.ranges.end() || seen->second.rows.empty()) throw SettingsError(fmt::format("calibration kept no rows of {}", name));
        if (!is_bimodal(seen->second.rows)) continue;
        const auto signs = channel_signs(seen->second.rows, keys->out_features);
        const std::vector<double> factors(signs.begin(), signs.end());
        fold_key_signs(graph, name, signs, observed.weights);
        for (const auto* projection : key_and_query(graph, node)) {
            // Heads cut the channels into parts: what their ranges were together, the whole now has.
            const auto root = classes.root(projection->output);
            for (auto member : classes.members(root)) {
                if (member != projection->output) observed.ranges.erase(graph.value(member).name);
            }
            scale_channels(observed.ranges.at(graph.value(projection->output).name), factors);
        }
        folded.push_back(name);
    }
    return folded;
}

void smooth_norms(const models::Graph& graph, double strength, Observed& observed) {
    const ValueClasses classes(graph);
    for (const auto& node : graph.nodes()) {
        const auto* norm = std::get_if<models::LayerNorm>(&node.op);
        if (!norm || node.part != models::Part::encoder) continue;
        const auto root = classes.root(node.output);
        const auto linears = readers(graph, classes, root);
        if (linears.empty()) continue;
        const auto channels = static_cast<std::size_t>(graph.channels(node.output));
        std::vector<double> activation(channels, 0), weight(channels, 0), divisor(channels, 1), factor(channels, 1);
        for (auto member : classes.members(root)) {
            const auto seen = observed.ranges.find(graph.value(member).name);
            if (seen == observed.ranges.end()) continue;
            for (std::size_t c = 0; c < channels; ++c) activation[c] = std::max(activation[c], seen->second.channels[c].max_abs());
        }
        for (const auto* linear : linears) {
            const auto values = observed.weights.values(linear->weight);
            for (std::size_t i = 0; i < values.size(); ++i) weight[i % channels] = std::max(weight[i % channels], std::abs(static_cast<double>(values[i])));
        }
        for (std::size_t c = 0; c < channels; ++c) {
            if (activation[c] > 0 && weight[c] > 0) factor[c] = std::pow(activation[c], strength) / std::pow(weight[c], 1 - strength);
            divisor[c] = 1 / factor[c];
        }
        scale_tensor(observed.weights, norm->gamma, divisor, true);
        scale_tensor(observed.weights, norm->beta, divisor, true);
        for (const auto* linear : linears) scale_tensor(observed.weights, linear->weight, factor, false);
        for (auto member : classes.members(root)) {
            const auto seen = observed.ranges.find(graph.value(member).name);
            if (seen != observed.ranges.end()) scale_channels(seen->second, divisor);
        }
    }
}

}  // namespace prelude::quant
