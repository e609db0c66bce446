// SPDX-License-Identifier: Apache-2.0
#include "models/graph/subgraph.hpp"

#include <algorithm>
#include <set>

namespace prelude::models {

Graph subgraph(const Graph& graph, std::span<const NodeId> nodes) {
    std::set<NodeId> kept(nodes.begin(), nodes.end());
    for (const auto id : nodes) {
        for (const auto input : graph.node(id).inputs) {
            const auto producer = graph.value(input).producer;
            if (producer && std::holds_alternative<Parameter>(graph.node(*producer).op)) kept.insert(*producer);
        }
    }
    Graph part;
    std::map<ValueId, ValueId> ids;
    const auto own = [&](ValueId id) {
        if (const auto found = ids.find(id); found != ids.end()) return found->second;
        const auto& value = graph.value(id);
        return ids[id] = part.add_input(value.name, value.shape, value.channel_axis);
    };
    for (const auto id : kept) {
        const auto& node = graph.node(id);
        if (const auto* parameter = std::get_if<Parameter>(&node.op)) {
            const auto& value = graph.value(node.output);
            ids[node.output] = part.add_parameter(node.name, node.part, parameter->tensor, value.shape, value.channel_axis);
            continue;
        }
        std::vector<ValueId> inputs;
        for (const auto input : node.inputs) inputs.push_back(own(input));
        ids[node.output] = part.add(node.name, node.part, node.block, node.op, std::move(inputs));
    }
    return part;
}

std::vector<NodeId> nodes_named(const Graph& graph, std::span<const std::string> names) {
    std::vector<NodeId> nodes;
    for (const auto& name : names)
        if (const auto id = graph.find_node(name)) nodes.push_back(*id);
    std::ranges::sort(nodes);
    nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
    return nodes;
}

}  // namespace prelude::models
