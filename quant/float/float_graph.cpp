// SPDX-License-Identifier: Apache-2.0
#include "quant/float/float_graph.hpp"

#include <fmt/format.h>

#include "models/overloaded.hpp"
#include "models/reference/executor.hpp"
#include "models/reference/operators.hpp"

namespace prelude::quant {

using models::Graph;
using models::Node;
using models::Shape;

namespace {

class Builder {
  public:
    Builder(const Graph& graph, const models::Weights& weights, int bits) : graph_(graph), weights_(weights), bits_(bits) {}

    FloatOperation build(const Node& node) {
        operands_ = models::weight_operands(graph_, node);
        for (const auto& [name, shape] : operands_) {
            if (!weights_.contains(name)) {
                problems_.push_back(fmt::format("no tensor '{}', which {} needs", name, node.name));
            } else if (weights_.tensor(name).shape.num_elements() != shape.num_elements()) {
                problems_.push_back(fmt::format("'{}' has shape {}, {} needs {}", name, weights_.tensor(name).shape.to_string(), node.name, shape.to_string()));
            } else {
                continue;
            }
            return FloatPlain{};
        }
        return std::visit(models::Overloaded{[&](const models::Linear& op) { return contraction(op.out_features, op.in_features); },
                                             [&](const models::Conv& op) { return contraction(op.out_channels, op.in_channels * op.kernel * op.kernel); },
                                             [&](const models::ConvTranspose& op) { return transposed(op); },
                                             [&](const models::MatMul& op) { return FloatOperation(FloatProduct{op.transpose_right, static_cast<float>(op.scale)}); },
                                             [&](const models::LayerNorm& op) { return FloatOperation(FloatNorm{exact(0), exact(1), static_cast<float>(op.eps)}); },
                                             [&](const models::RelativePosition&) { return FloatOperation(FloatRelativePosition{stored(exact(0)), stored(exact(1))}); },
                                             [&](const models::Parameter&) { return constant(node, models::Tensor(graph_.value(node.output).shape, exact(0))); },
                                             [&](const models::DensePositionCode& op) {
                                                 const auto gaussian = exact(0);
                                                 return constant(node, models::reference::dense_position_code(op, gaussian));
                                             },
                                             [&](const models::PromptEmbedding& op) { return prompt(op); },
                                             [](const auto&) { return FloatOperation(FloatPlain{}); }},
                          node.op);
    }

    [[nodiscard]] const std::vector<std::string>& problems() const noexcept { return problems_; }

  private:
    [[nodiscard]] std::vector<float> exact(std::size_t operand) const {
        const auto values = weights_.tensor(operands_[operand].tensor).values;
        return {values.begin(), values.end()};
    }
    [[nodiscard]] std::vector<float> stored(std::vector<float> values) const {
        for (auto& value : values) value = floating::stored(bits_, value);
        return values;
    }

    FloatOperation contraction(std::int64_t outputs, std::int64_t depth) const {
        return FloatContraction{.num_outputs = outputs, .depth = depth, .weights = stored(exact(0)), .bias = operands_.size() > 1 ? exact(1) : std::vector<float>{}};
    }

    FloatOperation transposed(const models::ConvTranspose& op) const {
        const auto positions = op.kernel * op.kernel, outputs = op.out_channels * positions;
        FloatContraction form{.num_outputs = outputs, .depth = op.in_channels, .weights = {}, .bias = operands_.size() > 1 ? exact(1) : std::vector<float>{}, .outputs_per_bias = positions};
        const auto given = stored(exact(0));  // [C, O k k]
        form.weights.resize(given.size());
        for (std::int64_t c = 0; c < op.in_channels; ++c) {
            for (std::int64_t n = 0; n < outputs; ++n) form.weights[static_cast<std::size_t>(n * op.in_channels + c)] = given[static_cast<std::size_t>(c * outputs + n)];
        }
        return form;
    }

    FloatOperation constant(const Node& node, models::Tensor values) const {
        for (auto& value : values.values()) value = floating::stored(bits_, value);
        values.reshape(graph_.value(node.output).shape);
        return FloatConstant{std::move(values)};
    }

    FloatOperation prompt(const models::PromptEmbedding& op) const {
        FloatPrompt form{.image_size = op.image_size, .num_frequencies = op.num_frequencies, .gaussian = exact(0), .label_embedding = {}};
        for (std::size_t i = 1; i < operands_.size(); ++i) {
            const auto row = exact(i);
            form.label_embedding.insert(form.label_embedding.end(), row.begin(), row.end());
        }
        return form;
    }

    const Graph& graph_;
    const models::Weights& weights_;
    int bits_;
    std::vector<models::WeightOperand> operands_;
    std::vector<std::string> problems_;
};

}  // namespace

const FloatOperation& FloatGraph::operation(std::string_view node) const {
    const auto found = operations.find(node);
    models::check(found != operations.end(), fmt::format("float graph: no operation {}", node));
    return found->second;
}

FloatGraph make_float_graph(const models::SamConfig& config, const Graph& graph, const models::Weights& weights, const Settings& settings) {
    models::check(settings.is_floating(), "float graph: the settings are of integers");
    FloatGraph result{.config = config, .plan = make_plan(graph, settings), .operations = {}};
    Builder builder(graph, weights, settings.float_bits());
    for (const auto& node : graph.nodes()) result.operations.emplace(node.name, builder.build(node));
    if (!builder.problems().empty()) throw models::CheckpointError(weights.file(), builder.problems());
    return result;
}

}  // namespace prelude::quant
