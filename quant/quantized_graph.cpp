// SPDX-License-Identifier: Apache-2.0
#include "quant/quantized_graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "quant/arithmetic/rounding.hpp"

namespace prelude::quant {

namespace {

std::int32_t hybrid_code(const Format& form, const Meaning& meaning, double x) {
    const double y = x - meaning.offset, log_scale = std::ldexp(meaning.scale[0], form.shift_cap);
    const auto half_down = [](double v) { return std::ceil(v - 0.5); };
    if (y > log_scale) {
        const double step = std::clamp(half_down((y - log_scale) / meaning.scale[1]), 0.0, static_cast<double>((1 << form.bits) - 1 - form.log_levels));
        return step == 0 ? 0 : form.log_levels + static_cast<std::int32_t>(step);  // the lowest step is the highest power
    }
    const double shift = y > 0 ? half_down(-std::log2(y / log_scale)) : std::numeric_limits<double>::infinity();
    return shift > form.shift_cap ? form.log_levels : static_cast<std::int32_t>(shift);
}

std::size_t group_of(const Meaning& meaning, std::size_t channel) {
    return meaning.group_of.empty() ? 0 : static_cast<std::size_t>(meaning.group_of[channel]);
}

}  // namespace

std::int32_t word_of(const Format& form, const Meaning& meaning, std::size_t channel, double x) {
    if (form.kind == FormatKind::hybrid) return hybrid_code(form, meaning, x);
    const auto g = group_of(meaning, channel);
    const bool is_unsigned = form.kind == FormatKind::code;
    const auto lo = is_unsigned ? 0.0 : static_cast<double>(signed_min(form.bits));
    const auto hi = is_unsigned ? std::ldexp(1.0, form.bits) - 1 : static_cast<double>(signed_max(form.bits));
    return static_cast<std::int32_t>(std::clamp(meaning.zero_point[g] + std::nearbyint(x / meaning.scale[g]), lo, hi));
}

double value_of(const Meaning& meaning, std::size_t channel, std::int32_t word) {
    if (!meaning.values.empty()) return meaning.values[static_cast<std::size_t>(word)];
    const auto g = group_of(meaning, channel);
    return meaning.scale[g] * (word - meaning.zero_point[g]);
}

QuantizedGraph restricted_to(const QuantizedGraph& graph, const models::Graph& part) {
    QuantizedGraph result{.config = graph.config, .settings = graph.settings, .plan = graph.plan, .operations = {}, .meanings = {}, .warnings = graph.warnings};
    result.plan.formats.clear();
    result.plan.contractions.clear();
    const auto take = [](const auto& from, auto& to, const std::string& name) {
        if (const auto found = from.find(name); found != from.end()) to.insert(*found);
    };
    for (const auto& value : part.values()) {
        take(graph.plan.formats, result.plan.formats, value.name);
        take(graph.meanings, result.meanings, value.name);
    }
    for (const auto& node : part.nodes()) {
        take(graph.plan.contractions, result.plan.contractions, node.name);
        take(graph.operations, result.operations, node.name);
    }
    return result;
}

const Operation& QuantizedGraph::operation(std::string_view node) const {
    const auto found = operations.find(node);
    models::check(found != operations.end(), fmt::format("quantized graph: no operation {}", node));
    return found->second;
}

models::Tensor QuantizedGraph::dequantize(std::string_view name, const IntTensor& words, std::size_t channel_axis) const {
    const auto found = meanings.find(name);
    models::check(found != meanings.end(), fmt::format("quantized graph: no value {}", name));
    const auto& meaning = found->second;
    std::int64_t inner = 1;
    for (auto axis = channel_axis + 1; axis < words.shape().rank(); ++axis) inner *= words.shape()[axis];
    const auto channels = words.shape().rank() == 0 ? 1 : words.shape()[channel_axis];
    models::Tensor values(words.shape());
    for (std::int64_t i = 0; i < words.num_elements(); ++i) {
        const auto at = static_cast<std::size_t>(i);
        values[at] = static_cast<float>(value_of(meaning, static_cast<std::size_t>(i / inner % channels), words[at]));
    }
    return values;
}

}  // namespace prelude::quant
