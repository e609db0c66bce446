// SPDX-License-Identifier: Apache-2.0
#include "experiments/diagnosis/node_trial.hpp"

#include "models/graph/subgraph.hpp"
#include "quant/consistency.hpp"

namespace prelude::experiments {

namespace {

models::Graph alone(const models::Graph& part, const models::Node& node) {
    const std::vector<std::string> names{node.name};
    return models::subgraph(part, models::nodes_named(part, names));
}

template <class T>
std::vector<std::int64_t> widened(std::span<const T> words) {
    return {words.begin(), words.end()};
}

}  // namespace

NodeTrial::NodeTrial(const models::Graph& part, const quant::QuantizedGraph& quantized, const models::Node& node,
                     std::vector<models::IntTensor> inputs)
    : graph_(alone(part, node)),
      quantized_(quant::restricted_to(quantized, graph_)),
      node_(graph_.node(*graph_.find_node(node.name))),
      inputs_(std::move(inputs)) {
    const auto& value = graph_.value(node_.output);
    for (auto axis = value.channel_axis + 1; axis < value.shape.rank(); ++axis) inner_ *= static_cast<std::size_t>(value.shape[axis]);
    channels_ = static_cast<std::size_t>(value.shape[value.channel_axis]);
}

bool NodeTrial::fits(const quant::Operation& operation) const {
    auto quantized = quantized_;
    quantized.operations.find(node_.name)->second = operation;
    return quant::inconsistencies(graph_, quantized).empty();
}

std::vector<std::int64_t> NodeTrial::words(const quant::Operation& operation, const std::vector<models::IntTensor>& inputs) const {
    auto quantized = quantized_;
    quantized.operations.find(node_.name)->second = operation;
    std::vector<const models::IntTensor*> operands;
    for (const auto& input : inputs) operands.push_back(&input);
    const auto words = quant::Engine(graph_, quantized).run_node(node_, operands);
    return widened(words.values());
}

std::vector<std::int64_t> NodeTrial::sums(const quant::Operation& operation, const std::vector<models::IntTensor>& inputs) const {
    auto quantized = quantized_;
    quantized.operations.find(node_.name)->second = operation;
    std::vector<const models::IntTensor*> operands;
    for (const auto& input : inputs) operands.push_back(&input);
    const auto sums = quant::Engine(graph_, quantized).accumulators(node_, operands);
    return widened(sums.values());
}

}  // namespace prelude::experiments
