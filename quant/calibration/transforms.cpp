// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/transforms.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "quant/calibration/bimodal.hpp"
#include "quant/calibration/code_range.hpp"
#include "quant/format_plan.hpp"
#include "quant/value_classes.hpp"

namespace prelude::quant {

namespace {

constexpr std::string_view kKeyProjection = "token_to_image.k_proj.";

/// x <- factor x + offset, channel by channel, of what was seen of a value. No offsets: 0.
void map_channels(ValueRanges& seen, std::span<const double> factors, std::span<const double> offsets = {}) {
    const auto channels = factors.size();
    models::check(seen.channels.size() == channels, "a transform of another number of channels");
    const auto image = [&](double x, std::size_t c) { return x * factors[c] + (offsets.empty() ? 0.0 : offsets[c]); };
    for (std::size_t c = 0; c < channels; ++c) {
        auto& range = seen.channels[c];
        range = {image(range.lo, c), image(range.hi, c)};
        if (range.lo > range.hi) std::swap(range.lo, range.hi);
    }
    for (std::size_t i = 0; i < seen.rows.size(); ++i) seen.rows[i] = static_cast<float>(image(seen.rows[i], i % channels));
    for (std::size_t i = 0; i < seen.sample.size(); ++i) {
        seen.sample[i] = static_cast<float>(image(seen.sample[i], static_cast<std::size_t>(seen.sample_channel[i])));
    }
}

/// Adds to the entries of a tensor.
void add_to_tensor(models::Weights& weights, const std::string& name, std::span<const double> terms) {
    const auto view = weights.tensor(name);
    models::Tensor tensor(view.shape, {view.values.begin(), view.values.end()});
    for (std::size_t i = 0; i < view.values.size(); ++i) tensor[i] = static_cast<float>(tensor[i] + terms[i]);
    weights.replace(name, std::move(tensor));
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

/// An encoder norm whose output linear layers alone read, through movement at most.
struct NormBeforeLinears {
    const models::LayerNorm* norm;
    models::ValueId root;  ///< of its output's class
    std::vector<const models::Linear*> linears;
};

std::vector<NormBeforeLinears> norms_before_linears(const models::Graph& graph, const ValueClasses& classes) {
    std::vector<NormBeforeLinears> found;
    for (const auto& node : graph.nodes()) {
        const auto* norm = std::get_if<models::LayerNorm>(&node.op);
        if (!norm || node.part != models::Part::encoder) continue;
        const auto root = classes.root(node.output);
        if (auto linears = readers(graph, classes, root); !linears.empty()) found.push_back({norm, root, std::move(linears)});
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
            map_channels(observed.ranges.at(graph.value(projection->output).name), factors);
        }
        folded.push_back(name);
    }
    return folded;
}

void smooth_norms(const models::Graph& graph, double strength, Observed& observed) {
    const ValueClasses classes(graph);
    for (const auto& [norm, root, linears] : norms_before_linears(graph, classes)) {
        const auto channels = static_cast<std::size_t>(graph.channels(root));
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
            if (seen != observed.ranges.end()) map_channels(seen->second, divisor);
        }
    }
}

void reparameterise_norms(const models::Graph& graph, const Settings& settings, const FormatPlan& plan, Observed& observed) {
    const ValueClasses classes(graph);
    for (const auto& [norm, root, linears] : norms_before_linears(graph, classes)) {
        const bool has_biases = std::ranges::all_of(linears, [](const auto* linear) { return !linear->bias.empty(); });
        const auto seen = observed.ranges.find(graph.value(root).name);
        if (!has_biases || seen == observed.ranges.end()) continue;

        // Codes of each channel for itself, and the one code all are brought to.
        const int bits = plan.format(graph.value(root).name).bits;
        const double levels = std::ldexp(1.0, bits) - 1.0;
        const auto channels = seen->second.channels.size();
        std::vector<std::int32_t> own(channels);
        std::iota(own.begin(), own.end(), 0);
        std::vector<double> scale, zero;
        double scales = 0, zeros = 0, living = 0;
        for (std::size_t c = 0; c < channels; ++c) {
            const auto range = code_range(seen->second, seen->second.channels[c], own, own[c], bits, settings.calibration.observer);
            scale.push_back((range.hi - range.lo) / levels);
            zero.push_back(scale[c] > 0 ? std::clamp(std::nearbyint(-range.lo / scale[c]), 0.0, levels) : 0.0);
            if (scale[c] > 0) scales += scale[c], zeros += zero[c], ++living;
        }
        if (living == 0) continue;
        const double common_scale = scales / living, common_zero = std::nearbyint(zeros / living);
        std::vector<double> ratio, inverse, shift;
        for (std::size_t c = 0; c < channels; ++c) {
            const bool lives = scale[c] > 0;  // a channel that was always 0 has no scale to bring to the common one
            ratio.push_back(lives ? scale[c] / common_scale : 1.0);
            inverse.push_back(lives ? common_scale / scale[c] : 1.0);
            shift.push_back(lives ? common_scale * (zero[c] - common_zero) : 0.0);  // -b
        }

        scale_tensor(observed.weights, norm->gamma, inverse, true);
        scale_tensor(observed.weights, norm->beta, inverse, true);
        add_to_tensor(observed.weights, norm->beta, shift);
        for (const auto* linear : linears) {
            scale_tensor(observed.weights, linear->weight, ratio, false);
            const auto values = observed.weights.values(linear->weight);
            std::vector<double> moved(values.size() / channels, 0.0);
            for (std::size_t i = 0; i < values.size(); ++i) moved[i / channels] -= values[i] * shift[i % channels];
            add_to_tensor(observed.weights, linear->bias, moved);
        }
        const Range common{-common_scale * common_zero, common_scale * (levels - common_zero)};
        for (auto member : classes.members(root)) {
            const auto& name = graph.value(member).name;
            if (const auto of_member = observed.ranges.find(name); of_member != observed.ranges.end()) {
                map_channels(of_member->second, inverse, shift);
                std::ranges::fill(of_member->second.channels, common);
                of_member->second.sample.clear();  // the codes are settled: no search may move them
            }
            const auto* producer = graph.producer(member);
            if (producer && std::holds_alternative<models::WindowPartition>(producer->op)) observed.padding.emplace(name, shift);
        }
    }
}

}  // namespace prelude::quant
