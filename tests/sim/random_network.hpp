// SPDX-License-Identifier: Apache-2.0
#pragma once

// Networks with random weights, ranges and inputs: every integer is legal, none is meaningful. For equality tests.

#include <random>
#include <set>

#include "models/checkpoint/weights.hpp"
#include "models/graph/sam.hpp"
#include "quant/calibration/rows.hpp"
#include "quant/engine/engine.hpp"
#include "quant/quantize.hpp"
#include "sim/simulate.hpp"

namespace prelude::sim::testing {

/// A small accelerator in which every tile has remainders.
inline Design small_design() {
    Design design;
    design.packing = {{4, 2, 2, 2, 1}};
    design.clock_mhz = 200;
    design.dram.gb_per_s = 6.4;
    design.pe = {.rows = 4, .cols = 6, .depth = 5};
    design.buffers = {.weight_kib = 16, .activation_kib = 16, .partial_sum_kib = 8, .score_kib = 16};
    design.softmax_lanes = 3, design.layernorm_lanes = 3, design.gelu_lanes = 3;
    design.axi = {.ports = 2, .data_bits = 64, .outstanding = 4, .max_burst = 16};
    return design;
}

struct RandomNetwork {
    models::Graph graph;
    quant::QuantizedGraph quantized;
    std::map<models::ValueId, models::IntTensor> inputs;
};

/// Quantizes `graph` with random weights and ranges and draws input words of its formats.
inline RandomNetwork randomise(models::Graph graph, const models::SamConfig& config, const quant::Settings& settings, unsigned seed) {
    std::mt19937 random(seed);
    const auto uniform = [&](double lo, double hi) { return std::uniform_real_distribution<double>(lo, hi)(random); };
    models::Weights weights("random");
    std::set<std::string> done;
    const auto add = [&](const std::string& name, models::Shape shape, double size) {
        if (name.empty() || !done.insert(name).second) return;
        models::Tensor tensor(std::move(shape));
        for (auto& v : tensor.values()) v = static_cast<float>(uniform(-size, size));
        weights.insert(name, std::move(tensor));
    };
    for (const auto& node : graph.nodes()) {
        if (const auto* linear = std::get_if<models::Linear>(&node.op)) {
            add(linear->weight, {linear->out_features, linear->in_features}, 0.5);
            add(linear->bias, {linear->out_features}, 0.5);
        } else if (const auto* conv = std::get_if<models::Conv>(&node.op)) {
            add(conv->weight, {conv->out_channels, conv->in_channels, conv->kernel, conv->kernel}, 0.5);
            add(conv->bias, {conv->out_channels}, 0.5);
        } else if (const auto* up = std::get_if<models::ConvTranspose>(&node.op)) {
            add(up->weight, {up->in_channels, up->out_channels, up->kernel, up->kernel}, 0.5);
            add(up->bias, {up->out_channels}, 0.5);
        } else if (const auto* norm = std::get_if<models::LayerNorm>(&node.op)) {
            add(norm->gamma, {graph.channels(node.inputs[0])}, 1.0);
            add(norm->beta, {graph.channels(node.inputs[0])}, 1.0);
        } else if (const auto* relative = std::get_if<models::RelativePosition>(&node.op)) {
            add(relative->table_height, {2 * relative->height - 1, relative->head_dim}, 0.5);
            add(relative->table_width, {2 * relative->width - 1, relative->head_dim}, 0.5);
        } else if (const auto* parameter = std::get_if<models::Parameter>(&node.op)) {
            add(parameter->tensor, graph.value(node.output).shape, 1.0);
        }
    }
    for (const auto& [name, shape] : models::expected_tensors(config)) add(name, shape, 0.5);
    quant::Ranges ranges;
    for (const auto& value : graph.values()) {
        auto& record = ranges[value.name];
        const auto channels = value.shape.rank() == 0 ? 1 : value.shape[value.channel_axis];
        for (std::int64_t c = 0; c < channels; ++c) record.channels.push_back({.lo = uniform(-6.0, -0.5), .hi = uniform(0.5, 6.0)});
    }
    for (const auto& [name, form] : quant::attention_rows(graph)) {  // what searches of probability codes look at
        models::Tensor tensor(graph.value(*graph.find_value(name)).shape);
        const double size = form.matrix_rows > 0 ? 2.0 / static_cast<double>(tensor.shape()[2]) : 1.0;
        for (auto& v : tensor.values()) v = static_cast<float>(uniform(form.matrix_rows > 0 ? 0 : -size, size));
        auto& record = ranges[name];
        record.row_length = quant::row_length(form, tensor.shape());
        quant::sample_rows(form, tensor, 64, std::size_t{1} << 20, record.rows);
    }
    RandomNetwork network{std::move(graph), {}, {}};
    network.quantized = quant::quantize(config, network.graph, weights, settings, ranges);
    for (auto id : network.graph.inputs()) {
        const auto& value = network.graph.value(id);
        const auto& format = network.quantized.plan.format(value.name);
        std::int32_t lo = 0, hi = (1 << std::min(format.bits, 16)) - 1;
        if (format.kind == quant::FormatKind::fixed || format.kind == quant::FormatKind::score)
            lo = -(1 << (format.bits - 1)), hi = -lo - 1;
        if (value.name == models::sam_values::kPromptCoordinates) hi = static_cast<std::int32_t>(16 * config.image_size);
        if (value.name == models::sam_values::kPromptLabels) lo = -1, hi = 3;
        models::IntTensor words(value.shape);
        for (auto& word : words.values()) word = std::uniform_int_distribution<std::int32_t>(lo, hi)(random);
        network.inputs[id] = std::move(words);
    }
    return network;
}

/// Nodes whose words differ between datapath and engine though their inputs agree; empty = every value of the graph is equal.
inline std::vector<std::string> differences(const RandomNetwork& network, const Design& design, NetworkResult* timing = nullptr) {
    FunctionalInput input{.quantized = &network.quantized, .inputs = network.inputs, .wanted = {}};
    for (const auto& node : network.graph.nodes()) input.wanted.push_back(node.output);
    const auto result = simulate(network.graph, network.quantized.plan, design, {}, &input);
    if (!result.infeasible.empty()) return {result.infeasible};
    quant::Words given(network.inputs.begin(), network.inputs.end());
    const auto expected = quant::Engine(network.graph, network.quantized).run(given, input.wanted);
    std::vector<std::string> names;
    std::set<models::ValueId> wrong;
    for (const auto& node : network.graph.nodes()) {
        if (result.outputs.at(node.output) == expected.at(node.output)) continue;
        wrong.insert(node.output);
        const bool inherited = std::ranges::any_of(node.inputs, [&](auto id) { return wrong.contains(id); });
        if (!inherited) names.push_back(node.name);
    }
    if (names.empty() && !wrong.empty()) names.push_back("inherited differences only");
    if (timing) *timing = result;
    return names;
}

}  // namespace prelude::sim::testing
