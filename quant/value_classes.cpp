// SPDX-License-Identifier: Apache-2.0
#include "quant/value_classes.hpp"

#include <numeric>

namespace prelude::quant {

using models::Graph;
using models::Node;
using models::ValueId;

bool is_movement(const models::Operator& op) noexcept {
    return std::holds_alternative<models::Rearrange>(op) || std::holds_alternative<models::WindowPartition>(op) ||
           std::holds_alternative<models::WindowUnpartition>(op) || std::holds_alternative<models::Concat>(op);
}

bool cuts_channels(const Graph& graph, const Node& node) {
    const auto* op = std::get_if<models::Rearrange>(&node.op);
    if (!op || !op->slice_axis || op->slice_count == op->view[*op->slice_axis]) return false;
    std::int64_t inner = 1;
    for (auto axis = *op->slice_axis; axis < op->view.rank(); ++axis) inner *= op->view[axis];
    const auto& input = graph.value(node.inputs[0]);
    return input.channel_axis + 1 == input.shape.rank() && inner <= graph.channels(node.inputs[0]);
}

ValueClasses::ValueClasses(const Graph& graph) : root_(graph.values().size()), members_(graph.values().size()), composite_(graph.values().size()) {
    std::iota(root_.begin(), root_.end(), 0);
    const auto find = [&](ValueId id) {
        while (root_[static_cast<std::size_t>(id)] != id) id = root_[static_cast<std::size_t>(id)];
        return id;
    };
    for (const auto& node : graph.nodes()) {
        if (!is_movement(node.op)) continue;
        if (cuts_channels(graph, node)) {
            composite_[static_cast<std::size_t>(node.inputs[0])] = true;
            continue;
        }
        for (auto input : node.inputs) {
            const auto a = find(input), b = find(node.output);
            root_[static_cast<std::size_t>(std::max(a, b))] = std::min(a, b);
        }
    }
    for (ValueId id = 0; id < static_cast<ValueId>(root_.size()); ++id) {
        root_[static_cast<std::size_t>(id)] = find(id);
        members_[static_cast<std::size_t>(root_[static_cast<std::size_t>(id)])].push_back(id);
    }
}

}  // namespace prelude::quant
