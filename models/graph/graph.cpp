// SPDX-License-Identifier: Apache-2.0
#include "models/graph/graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "models/overloaded.hpp"

namespace prelude::models {

namespace {

/// Shape and channel axis of a node's output.
struct Derived {
    Shape shape;
    std::size_t channel_axis;
};

class ShapeOf {
  public:
    ShapeOf(const Graph& graph, const std::string& name, std::span<const ValueId> inputs) : graph_(graph), name_(name), inputs_(inputs) {}

    Derived operator()(const Linear& op) const {
        require(1, in().back() == op.in_features, "features");
        auto extents = in().extents();
        extents.back() = op.out_features;
        return {Shape(extents), extents.size() - 1};
    }
    Derived operator()(const MatMul& op) const {
        const Shape &a = in(0), &b = in(1);
        require(2, a.rank() == 3 && b.rank() == 3 && a[0] == b[0] && a[2] == (op.transpose_right ? b[2] : b[1]), "operands");
        return {Shape{a[0], a[1], op.transpose_right ? b[1] : b[2]}, 2};
    }
    Derived operator()(const Conv& op) const {
        require(1, in().rank() == 4 && in()[1] == op.in_channels, "channels");
        const auto extent = [&](std::int64_t size) { return (size + 2 * op.padding - op.kernel) / op.stride + 1; };
        return {Shape{in()[0], op.out_channels, extent(in()[2]), extent(in()[3])}, 1};
    }
    Derived operator()(const ConvTranspose& op) const {
        require(1, in().rank() == 4 && in()[1] == op.in_channels, "channels");
        return {Shape{in()[0], op.out_channels, in()[2] * op.kernel, in()[3] * op.kernel}, 1};
    }
    Derived operator()(const LayerNorm&) const { return same(1); }
    Derived operator()(const Softmax&) const { return same(1); }
    Derived operator()(const Gelu&) const { return same(1); }
    Derived operator()(const Relu&) const { return same(1); }
    Derived operator()(const Requantize&) const { return same(1); }
    Derived operator()(const Add&) const {
        const Shape &a = in(0), &b = in(1);
        bool fits = a.rank() == b.rank();
        for (std::size_t axis = 0; fits && axis < a.rank(); ++axis) fits = b[axis] == a[axis] || b[axis] == 1;
        require(2, fits, "broadcast");
        return {a, axis_of(0)};
    }
    Derived operator()(const RelativePosition& op) const {
        const Shape &scores = in(0), &q = in(1);
        const auto tokens = op.height * op.width;
        require(2, scores == Shape{q[0], tokens, tokens} && q == Shape{q[0], tokens, op.head_dim}, "grid");
        return {scores, 2};
    }
    Derived operator()(const WindowPartition& op) const {
        require(1, in().rank() == 3 && in()[0] == 1 && in()[1] == op.height * op.width, "grid");
        const auto count = [&](std::int64_t size) { return (size + op.window - 1) / op.window; };
        return {Shape{count(op.height) * count(op.width), op.window * op.window, in()[2]}, 2};
    }
    Derived operator()(const WindowUnpartition& op) const {
        require(1, in().rank() == 3 && in()[1] == op.window * op.window, "window");
        return {Shape{1, op.height * op.width, in()[2]}, 2};
    }
    Derived operator()(const Rearrange& op) const {
        auto kept = op.view.extents();
        require(1, op.view.num_elements() == in().num_elements() && op.order.size() == kept.size(), "view");
        if (op.slice_axis) {
            require(1, op.slice_begin >= 0 && op.slice_begin + op.slice_count <= kept[*op.slice_axis], "slice");
            kept[*op.slice_axis] = op.slice_count;
        }
        require(1, Shape(kept).num_elements() == op.result.num_elements(), "result");
        return {op.result, op.result.rank() == 4 ? std::size_t{1} : op.result.rank() - 1};
    }
    Derived operator()(const Concat& op) const {
        auto extents = in().extents();
        extents[op.axis] = 0;
        for (auto id : inputs_) extents[op.axis] += graph_.value(id).shape[op.axis];
        return {Shape(extents), axis_of(0)};
    }
    Derived operator()(const DensePositionCode& op) const { return {Shape{1, 2 * op.num_frequencies, op.height, op.width}, 1}; }
    Derived operator()(const PromptEmbedding& op) const {
        require(2, in(0).rank() == 2 && in(0)[1] == 2 && in(1) == Shape{in(0)[0]}, "points");
        return {Shape{1, in(0)[0], 2 * op.num_frequencies}, 2};
    }
    Derived operator()(const Resize& op) const {
        require(1, in().rank() == 4 && op.crop_height <= op.height && op.crop_width <= op.width, "size");
        return {Shape{in()[0], in()[1], op.crop_height ? op.crop_height : op.height, op.crop_width ? op.crop_width : op.width}, 1};
    }
    Derived operator()(const Parameter&) const { throw std::logic_error("a parameter's shape is given, not derived"); }

  private:
    [[nodiscard]] const Shape& in(std::size_t index = 0) const { return graph_.value(inputs_[index]).shape; }
    [[nodiscard]] std::size_t axis_of(std::size_t index) const { return graph_.value(inputs_[index]).channel_axis; }
    [[nodiscard]] Derived same(std::size_t num_inputs) const {
        require(num_inputs, true, "");
        return {in(), axis_of(0)};
    }
    void require(std::size_t num_inputs, bool fits, std::string_view what) const {
        if (inputs_.size() != num_inputs) throw std::logic_error(fmt::format("{}: {} inputs, expected {}", name_, inputs_.size(), num_inputs));
        if (fits) return;
        std::string shapes;
        for (auto id : inputs_) shapes += " " + graph_.value(id).shape.to_string();
        throw std::logic_error(fmt::format("{}: {} do not fit the input shapes{}", name_, what, shapes));
    }

    const Graph& graph_;
    const std::string& name_;
    std::span<const ValueId> inputs_;
};

}  // namespace

std::string_view operator_name(const Operator& op) noexcept {
    static constexpr std::string_view kNames[] = {"linear", "matmul", "conv", "conv_transpose", "layer_norm", "softmax", "gelu", "relu", "add",
                                                  "relative_position", "window_partition", "window_unpartition", "rearrange", "concat",
                                                  "requantize", "parameter", "dense_position_code", "prompt_embedding", "resize"};
    static_assert(std::size(kNames) == std::variant_size_v<Operator>);
    return kNames[op.index()];
}

std::string_view part_name(Part part) noexcept {
    switch (part) {
        case Part::encoder: return "encoder";
        case Part::prompt: return "prompt";
        case Part::decoder: return "decoder";
        case Part::postprocess: return "postprocess";
    }
    return "";
}

ValueId Graph::add_value(Value value) {
    const auto id = static_cast<ValueId>(values_.size());
    check(value_ids_.emplace(value.name, id).second, "graph: a value name occurs twice: " + value.name);
    values_.push_back(std::move(value));
    consumers_.emplace_back();
    return id;
}

ValueId Graph::add_input(std::string name, Shape shape, std::size_t channel_axis) {
    const auto id = add_value({.name = std::move(name), .shape = std::move(shape), .producer = std::nullopt, .channel_axis = channel_axis});
    inputs_.push_back(id);
    return id;
}

ValueId Graph::add_parameter(std::string name, Part part, std::string tensor, Shape shape, std::size_t channel_axis) {
    return append({.name = std::move(name), .part = part, .block = -1, .op = Parameter{std::move(tensor)}, .inputs = {}, .output = -1},
                  std::move(shape), channel_axis);
}

ValueId Graph::add(std::string name, Part part, int block, Operator op, std::vector<ValueId> inputs) {
    auto derived = std::visit(ShapeOf(*this, name, inputs), op);
    return append({.name = std::move(name), .part = part, .block = block, .op = std::move(op), .inputs = std::move(inputs), .output = -1},
                  std::move(derived.shape), derived.channel_axis);
}

ValueId Graph::append(Node node, Shape shape, std::size_t channel_axis) {
    const auto node_id = static_cast<NodeId>(nodes_.size());
    const bool marks_an_edge = std::holds_alternative<Requantize>(node.op);
    node.output = add_value({.name = marks_an_edge ? node.name : node.name + ".out",
                             .shape = std::move(shape),
                             .producer = node_id,
                             .channel_axis = channel_axis});
    for (auto input : node.inputs) {
        check(input >= 0 && input < node.output, "graph: a node uses a value that does not exist yet");
        auto& users = consumers_[static_cast<std::size_t>(input)];
        if (users.empty() || users.back() != node_id) users.push_back(node_id);
    }
    check(node_ids_.emplace(node.name, node_id).second, "graph: a node name occurs twice: " + node.name);
    nodes_.push_back(std::move(node));
    return nodes_.back().output;
}

const Node* Graph::producer(ValueId id) const {
    const auto& producer = value(id).producer;
    return producer ? &node(*producer) : nullptr;
}

std::optional<ValueId> Graph::find_value(std::string_view name) const {
    const auto found = value_ids_.find(name);
    return found == value_ids_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<NodeId> Graph::find_node(std::string_view name) const {
    const auto found = node_ids_.find(name);
    return found == node_ids_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<NodeId> slice(const Graph& graph, std::span<const ValueId> given, std::span<const ValueId> outputs) {
    std::vector<bool> have(graph.values().size(), false), want(graph.values().size(), false);
    for (auto id : given) have[static_cast<std::size_t>(id)] = true;
    for (auto id : outputs) want[static_cast<std::size_t>(id)] = true;
    std::vector<NodeId> order;
    for (auto id = static_cast<ValueId>(graph.values().size()) - 1; id >= 0; --id) {
        if (!want[static_cast<std::size_t>(id)] || have[static_cast<std::size_t>(id)]) continue;
        const auto& producer = graph.value(id).producer;
        if (!producer) throw std::invalid_argument(fmt::format("the value '{}' is needed and was not given", graph.value(id).name));
        order.push_back(*producer);
        for (auto input : graph.node(*producer).inputs) want[static_cast<std::size_t>(input)] = true;
    }
    std::reverse(order.begin(), order.end());
    return order;
}

std::map<ValueId, std::size_t> last_uses(const Graph& graph, std::span<const NodeId> order, std::span<const ValueId> outputs) {
    std::map<ValueId, std::size_t> last;
    for (std::size_t i = 0; i < order.size(); ++i)
        for (auto input : graph.node(order[i]).inputs) last[input] = i;
    for (auto id : outputs) last[id] = order.size();
    return last;
}

std::int64_t num_macs(const Graph& graph, const Node& node) {
    const auto& out = graph.value(node.output).shape;
    return std::visit(Overloaded{[&](const Linear& op) { return out.num_elements() * op.in_features; },
                                 [&](const MatMul&) { return out.num_elements() * graph.value(node.inputs[0]).shape[2]; },
                                 [&](const Conv& op) { return out.num_elements() * op.in_channels * op.kernel * op.kernel; },
                                 [&](const ConvTranspose& op) { return out.num_elements() * op.in_channels; },
                                 [&](const RelativePosition& op) { return out[0] * out[1] * (op.height + op.width) * op.head_dim; },
                                 [](const auto&) { return std::int64_t{0}; }},
                      node.op);
}

std::int64_t num_parameters(const Graph& graph, const Node& node) {
    const auto bias = [](const std::string& name, std::int64_t count) { return name.empty() ? std::int64_t{0} : count; };
    const auto& out = graph.value(node.output).shape;
    return std::visit(
        Overloaded{[&](const Linear& op) { return op.in_features * op.out_features + bias(op.bias, op.out_features); },
                   [&](const Conv& op) {
                       return op.in_channels * op.out_channels * op.kernel * op.kernel + bias(op.bias, op.out_channels);
                   },
                   [&](const ConvTranspose& op) {
                       return op.in_channels * op.out_channels * op.kernel * op.kernel + bias(op.bias, op.out_channels);
                   },
                   [&](const LayerNorm&) { return 2 * graph.channels(node.inputs[0]); },
                   [&](const RelativePosition& op) { return (2 * op.height - 1 + 2 * op.width - 1) * op.head_dim; },
                   [&](const Parameter&) { return out.num_elements(); },
                   [&](const DensePositionCode& op) { return 2 * op.num_frequencies; },
                   [&](const PromptEmbedding& op) { return 5 * 2 * op.num_frequencies; }, [](const auto&) { return std::int64_t{0}; }},
        node.op);
}

}  // namespace prelude::models
