// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/layer_weights.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "quant/calibration/condition_number.hpp"
#include "quant/calibration/rounding.hpp"

namespace prelude::quant {

namespace {

constexpr int kMaxConditionedBits = 8;

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
    const auto& input = graph.value(node.inputs[0]).name;
    const auto& form = target.plan.format(input);
    const auto grids_of = [&](std::span<const float> w) { return weight_grids(w, shape.num_outputs, plan.depth, shape.shared, plan.right_bits, settings); };
    LayerCodes result{.weights = {}, .bias = {bias.begin(), bias.end()}};
    const bool conditioned = settings.acnr && std::holds_alternative<models::Linear>(node.op) && form.bits <= kMaxConditionedBits;
    if ((settings.weight_rounding == WeightRounding::nearest && !conditioned) || form.kind == FormatKind::pixel) {
        result.weights = round_to_nearest(values, grids_of(values));
        return result;
    }
    const auto sampled = ranges.find(input);
    if (sampled == ranges.end() || sampled->second.rows.empty()) throw SettingsError(fmt::format("calibration kept no rows of {}", input));
    models::check(sampled->second.row_length == plan.depth, "rows of another depth");
    const auto coded = coded_rows(sampled->second, form, target.meanings.at(input), shape.taps);
    std::vector<float> better(values.begin(), values.end());
    if (conditioned) {
        std::vector<float> errors(coded.size());
        std::ranges::transform(sampled->second.rows, coded, errors.begin(), std::minus{});
        better = reduce_condition(values, shape.num_outputs, plan.depth, errors, {}).weight;
    }
    const auto grids = grids_of(better);
    if (settings.weight_rounding == WeightRounding::nearest) {
        result.weights = round_to_nearest(better, grids);
        return result;
    }
    const bool to_float_outputs = settings.weight_rounding == WeightRounding::least_squares;
    auto rounded = round_to_outputs(to_float_outputs ? values : better, grids, {.real = sampled->second.rows, .coded = coded}, settings.weight_rounding);
    result.weights = std::move(rounded.weights);
    if (to_float_outputs) {
        result.bias.resize(static_cast<std::size_t>(shape.num_outputs) / shape.shared, 0.0);
        for (std::size_t n = 0; n < rounded.bias_change.size(); ++n) result.bias[n / shape.shared] += rounded.bias_change[n] / static_cast<double>(shape.shared);
    }
    return result;
}

}  // namespace prelude::quant
