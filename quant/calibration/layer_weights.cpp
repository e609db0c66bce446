// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/layer_weights.hpp"

#include <fmt/format.h>

#include "quant/calibration/rounding.hpp"

namespace prelude::quant {

namespace {

/// Sampled rows as the input's format keeps them.
std::vector<float> coded_rows(const ValueRanges& sampled, const Format& form, const Meaning& meaning, std::size_t taps) {
    std::vector<float> coded(sampled.rows.size());
    const auto depth = static_cast<std::size_t>(sampled.row_length);
    for (std::size_t i = 0; i < coded.size(); ++i) {
        const auto channel = i % depth / taps;
        coded[i] = static_cast<float>(value_of(meaning, channel, word_of(form, meaning, channel, sampled.rows[i])));
    }
    return coded;
}

}  // namespace

LayerCodes layer_codes(const models::Graph& graph, const models::Node& node, std::span<const float> values, std::span<const float> bias,
                       const LayerShape& shape, const Settings& settings, const Ranges& ranges, const QuantizedGraph& target) {
    const auto& plan = target.plan.contraction(node.name);
    const auto grids = weight_grids(values, shape.num_outputs, plan.depth, shape.shared, plan.right_bits, settings);
    LayerCodes result{.weights = {}, .bias = {bias.begin(), bias.end()}};
    const auto& input = graph.value(node.inputs[0]).name;
    const auto& form = target.plan.format(input);
    if (settings.weight_rounding == WeightRounding::nearest || form.kind == FormatKind::pixel) {
        result.weights = round_to_nearest(values, grids);
        return result;
    }
    const auto sampled = ranges.find(input);
    if (sampled == ranges.end() || sampled->second.rows.empty()) throw SettingsError(fmt::format("calibration kept no rows of {}", input));
    models::check(sampled->second.row_length == plan.depth, "rows of another depth");
    const auto coded = coded_rows(sampled->second, form, target.meanings.at(input), shape.taps);
    auto rounded = round_to_outputs(values, grids, {.real = sampled->second.rows, .coded = coded}, settings.weight_rounding);
    result.weights = std::move(rounded.weights);
    if (settings.weight_rounding == WeightRounding::least_squares) {
        result.bias.resize(static_cast<std::size_t>(shape.num_outputs) / shape.shared, 0.0);
        for (std::size_t n = 0; n < rounded.bias_change.size(); ++n) result.bias[n / shape.shared] += rounded.bias_change[n] / static_cast<double>(shape.shared);
    }
    return result;
}

}  // namespace prelude::quant
