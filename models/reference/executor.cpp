// SPDX-License-Identifier: Apache-2.0
#include "models/graph/movement.hpp"
#include "models/reference/executor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <stdexcept>

#include "models/overloaded.hpp"
#include "models/reference/operators.hpp"

namespace prelude::models {

std::vector<WeightOperand> weight_operands(const Graph& graph, const Node& node) {
    const auto with_bias = [](const std::string& weight, Shape shape, const std::string& bias, std::int64_t num_outputs) {
        std::vector<WeightOperand> operands{{weight, std::move(shape)}};
        if (!bias.empty()) operands.push_back({bias, Shape{num_outputs}});
        return operands;
    };
    return std::visit(
        Overloaded{[&](const Linear& op) {
                       return with_bias(op.weight, {op.out_features, op.in_features}, op.bias, op.out_features);
                   },
                   [&](const Conv& op) {
                       return with_bias(op.weight, {op.out_channels, op.in_channels, op.kernel, op.kernel}, op.bias, op.out_channels);
                   },
                   [&](const ConvTranspose& op) {
                       return with_bias(op.weight, {op.in_channels, op.out_channels, op.kernel, op.kernel}, op.bias, op.out_channels);
                   },
                   [&](const LayerNorm& op) {
                       const Shape shape{graph.channels(node.inputs[0])};
                       return std::vector<WeightOperand>{{op.gamma, shape}, {op.beta, shape}};
                   },
                   [&](const RelativePosition& op) {
                       return std::vector<WeightOperand>{{op.table_height, {2 * op.height - 1, op.head_dim}},
                                                         {op.table_width, {2 * op.width - 1, op.head_dim}}};
                   },
                   [&](const Parameter& op) {
                       return std::vector<WeightOperand>{{op.tensor, graph.value(node.output).shape}};
                   },
                   [&](const DensePositionCode& op) {
                       return std::vector<WeightOperand>{{op.gaussian, {2, op.num_frequencies}}};
                   },
                   [&](const PromptEmbedding& op) {
                       const Shape row{1, 2 * op.num_frequencies};
                       std::vector<WeightOperand> operands{{op.gaussian, {2, op.num_frequencies}}, {op.not_a_point, row}};
                       for (const auto& label : op.labels) operands.push_back({label, row});
                       return operands;
                   },
                   [](const auto&) { return std::vector<WeightOperand>{}; }},
        node.op);
}

ReferenceExecutor::ReferenceExecutor(const Graph& graph, const Weights& weights) : graph_(graph), weights_(weights) {
    for (const auto& node : graph.nodes()) {
        auto& bound = operands_.emplace_back();
        for (const auto& [name, shape] : weight_operands(graph, node)) {
            auto& operand = bound.emplace_back();
            if (!weights.contains(name)) {
                operand.problem = fmt::format("no tensor '{}', which {} needs", name, node.name);
                continue;
            }
            const auto tensor = weights.tensor(name);
            // a parameter is taken under the shape of its value
            const bool fits =
                std::holds_alternative<Parameter>(node.op) ? tensor.shape.num_elements() == shape.num_elements() : tensor.shape == shape;
            if (fits) {
                operand.values = tensor.values;
            } else {
                operand.problem =
                    fmt::format("'{}' has shape {}, {} needs {}", name, tensor.shape.to_string(), node.name, shape.to_string());
            }
        }
    }
}

/// One walk: the values that are alive, and how often each is still to be read.
class ReferenceExecutor::Run final {
  public:
    Run(const ReferenceExecutor& executor, Values given, std::span<const ValueId> wanted, const EdgeHook& hook)
        : executor_(executor), graph_(executor.graph_), hook_(hook), live_(graph_.values().size()), num_uses_(live_.size(), 0) {
        std::vector<ValueId> ids;
        for (const auto& [id, tensor] : given) {
            const auto& value = graph_.value(id);
            ids.push_back(id);
            if (tensor.shape() == value.shape) continue;
            throw std::invalid_argument(fmt::format("the value '{}' is given with shape {}, its shape is {}", value.name,
                                                    tensor.shape().to_string(), value.shape.to_string()));
        }
        order_ = slice(graph_, ids, wanted);
        require_weights();
        for (auto id : wanted) ++uses(id);
        for (auto id : order_) {
            for (auto input : graph_.node(id).inputs) ++uses(input);
        }
        for (auto& [id, tensor] : given) {
            if (uses(id) == 0) continue;
            live(id) = std::move(tensor);
            if (hook_ && graph_.producer(id) == nullptr) hook_(nullptr, id, live(id));
        }
    }

    Values finish(std::span<const ValueId> wanted) {
        for (auto id : order_) step(id);
        Values results;
        for (auto id : wanted) {
            if (!results.contains(id)) results.emplace(id, std::move(live(id)));
        }
        return results;
    }

  private:
    Tensor& live(ValueId id) { return live_[static_cast<std::size_t>(id)]; }
    int& uses(ValueId id) { return num_uses_[static_cast<std::size_t>(id)]; }

    void require_weights() const {
        std::set<std::string> problems;
        for (auto id : order_) {
            for (const auto& operand : executor_.operands_[static_cast<std::size_t>(id)]) {
                if (!operand.problem.empty()) problems.insert(operand.problem);
            }
        }
        if (!problems.empty()) throw CheckpointError(executor_.weights_.file(), {problems.begin(), problems.end()});
    }

    void step(NodeId id) {
        const auto& node = graph_.node(id);
        node_ = &node;
        operands_ = executor_.operands_[static_cast<std::size_t>(id)];
        Tensor result = std::visit([this](const auto& op) { return apply(op); }, node.op);
        const Shape& shape = graph_.value(node.output).shape;
        check(result.num_elements() == shape.num_elements(), "reference walk: wrong number of elements from " + node.name);
        result.reshape(shape);
        if (hook_) {
            hook_(&node, node.output, result);
            check(result.shape() == shape, "a hook changed the shape of " + graph_.value(node.output).name);
        }
        for (auto input : node.inputs) {
            if (--uses(input) == 0) live(input) = Tensor();
        }
        live(node.output) = std::move(result);
    }

    const Tensor& in(std::size_t index = 0) { return live(node_->inputs[index]); }
    /// Input `index` to be overwritten: itself when this is its last use, else a copy.
    Tensor take(std::size_t index = 0) {
        const auto id = node_->inputs[index];
        if (uses(id) == 1) return std::move(live(id));
        return live(id);
    }
    [[nodiscard]] std::span<const float> weight(std::size_t index) const {
        return index < operands_.size() ? operands_[index].values : std::span<const float>{};
    }

    Tensor apply(const Linear& op) { return reference::linear(op, in(), weight(0), weight(1)); }
    Tensor apply(const MatMul& op) { return reference::matmul(op, in(0), in(1)); }
    Tensor apply(const Conv& op) { return reference::conv(op, in(), weight(0), weight(1)); }
    Tensor apply(const ConvTranspose& op) { return reference::conv_transpose(op, in(), weight(0), weight(1)); }
    Tensor apply(const LayerNorm& op) {
        auto x = take();
        reference::layer_norm(op, x, weight(0), weight(1), graph_.value(node_->inputs[0]).channel_axis);
        return x;
    }
    Tensor apply(const Softmax&) {
        auto x = take();
        reference::softmax(x);
        return x;
    }
    Tensor apply(const Gelu&) {
        auto x = take();
        reference::gelu(x);
        return x;
    }
    Tensor apply(const Relu&) {
        auto x = take();
        reference::relu(x);
        return x;
    }
    Tensor apply(const Add&) {
        auto x = take();
        reference::add(x, in(1));
        return x;
    }
    Tensor apply(const RelativePosition& op) {
        auto scores = take();
        reference::relative_position(op, scores, in(1), weight(0), weight(1));
        return scores;
    }
    Tensor apply(const WindowPartition& op) { return reference::window_partition(op, in()); }
    Tensor apply(const WindowUnpartition& op) { return models::window_unpartition(op, in()); }
    Tensor apply(const Rearrange& op) { return is_reshape(op) ? take() : models::rearrange(op, in()); }
    Tensor apply(const Concat& op) {
        std::vector<const Tensor*> parts;
        for (auto input : node_->inputs) parts.push_back(&live(input));
        return reference::concat(op, parts);
    }
    Tensor apply(const Requantize&) { return take(); }
    Tensor apply(const Parameter&) {
        const auto values = weight(0);
        return {graph_.value(node_->output).shape, std::vector<float>(values.begin(), values.end())};
    }
    Tensor apply(const DensePositionCode& op) { return reference::dense_position_code(op, weight(0)); }
    Tensor apply(const PromptEmbedding& op) {
        std::vector<reference::Floats> labels;
        for (const auto& operand : operands_.subspan(2)) labels.push_back(operand.values);
        return reference::prompt_embedding(op, in(0), in(1), {.gaussian = weight(0), .not_a_point = weight(1), .labels = labels});
    }
    Tensor apply(const Resize& op) { return reference::resize(op, in()); }

    const ReferenceExecutor& executor_;
    const Graph& graph_;
    const EdgeHook& hook_;
    std::vector<NodeId> order_;
    std::vector<Tensor> live_;
    std::vector<int> num_uses_;
    const Node* node_ = nullptr;
    std::span<const Operand> operands_;
};

ReferenceExecutor::Values ReferenceExecutor::run(Values given, std::span<const ValueId> wanted, const EdgeHook& hook) const {
    return Run(*this, std::move(given), wanted, hook).finish(wanted);
}

Tensor ReferenceExecutor::run_one(Values given, std::string_view wanted, const EdgeHook& hook) const {
    const auto id = graph_.find_value(wanted);
    if (!id) throw std::invalid_argument(fmt::format("the graph has no value '{}'", wanted));
    const std::vector<ValueId> ids{*id};
    auto results = run(std::move(given), ids, hook);
    return std::move(results.begin()->second);
}

}  // namespace prelude::models
