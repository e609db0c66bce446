// SPDX-License-Identifier: Apache-2.0
#pragma once

// Writing graphs: nodes under a common prefix, and the rearrangements between tokens, images and heads that transformers use.

#include <string>
#include <utility>
#include <vector>

#include "models/graph/graph.hpp"

namespace prelude::models {

/// Adds nodes of one part and block, prefixing their names; an empty prefix leaves them as they are.
class Scope {
  public:
    Scope(Graph& graph, Part part, std::string prefix, int block = -1) : graph_(graph), part_(part), prefix_(std::move(prefix)), block_(block) {}

    [[nodiscard]] Scope inside(const std::string& name) const { return Scope(graph_, part_, full(name), block_); }
    [[nodiscard]] Scope block(const std::string& name, int block) const { return Scope(graph_, part_, full(name), block); }

    ValueId add(const std::string& name, Operator op, std::vector<ValueId> inputs) {
        return graph_.add(full(name), part_, block_, std::move(op), std::move(inputs));
    }
    ValueId input(const std::string& name, Shape shape, std::size_t channel_axis) { return graph_.add_input(full(name), std::move(shape), channel_axis); }
    ValueId parameter(const std::string& name, std::string tensor, Shape shape, std::size_t channel_axis) {
        return graph_.add_parameter(full(name), part_, std::move(tensor), std::move(shape), channel_axis);
    }
    /// The value as operand codes of node `consumer`.
    ValueId operand(const std::string& consumer, ValueId value) { return add(consumer + ".in", Requantize{}, {value}); }

    ValueId linear(const std::string& name, const std::string& tensor, ValueId in, std::int64_t out_features, bool bias = true) {
        return add(name,
                   Linear{.weight = tensor + ".weight",
                          .bias = bias ? tensor + ".bias" : "",
                          .in_features = graph_.value(in).shape.back(),
                          .out_features = out_features},
                   {in});
    }
    ValueId layer_norm(const std::string& name, const std::string& tensor, ValueId in, double eps) {
        return add(name, LayerNorm{.gamma = tensor + ".weight", .beta = tensor + ".bias", .eps = eps}, {in});
    }
    /// [1,C,H,W] -> [1,H*W,C].
    ValueId to_tokens(const std::string& name, ValueId in) {
        const Shape shape = graph_.value(in).shape;
        return add(name, Rearrange{.view = shape, .order = {0, 2, 3, 1}, .result = Shape{shape[0], shape[2] * shape[3], shape[1]}}, {in});
    }
    /// [1,H*W,C] -> [1,C,H,W].
    ValueId to_image(const std::string& name, ValueId in, std::int64_t height, std::int64_t width) {
        const auto channels = graph_.value(in).shape.back();
        return add(name,
                   Rearrange{.view = Shape{1, height, width, channels}, .order = {0, 3, 1, 2}, .result = Shape{1, channels, height, width}},
                   {in});
    }
    /// [B,N,h*d] -> [B*h,N,d]; of a projection that holds `num_parts` results side by side, part number `part`.
    ValueId split_heads(const std::string& name, ValueId in, std::int64_t heads, std::int64_t num_parts = 1, std::int64_t part = 0) {
        const Shape shape = graph_.value(in).shape;
        const auto head_dim = shape[2] / heads / num_parts;
        return add(name,
                   Rearrange{.view = Shape{shape[0], shape[1], num_parts, heads, head_dim},
                             .slice_axis = 2,
                             .slice_begin = part,
                             .slice_count = 1,
                             .order = {0, 3, 1, 2, 4},
                             .result = Shape{shape[0] * heads, shape[1], head_dim}},
                   {in});
    }
    /// [B*h,N,d] -> [B,N,h*d].
    ValueId merge_heads(const std::string& name, ValueId in, std::int64_t heads) {
        const Shape shape = graph_.value(in).shape;
        const auto batch = shape[0] / heads;
        return add(name,
                   Rearrange{.view = Shape{batch, heads, shape[1], shape[2]},
                             .order = {0, 2, 1, 3},
                             .result = Shape{batch, shape[1], heads * shape[2]}},
                   {in});
    }
    /// Row `index` of [1,N,C] as [1,1,C].
    ValueId token(const std::string& name, ValueId in, std::int64_t index) {
        const Shape shape = graph_.value(in).shape;
        return add(name,
                   Rearrange{.view = shape, .slice_axis = 1, .slice_begin = index, .slice_count = 1, .order = {0, 1, 2}, .result = Shape{1, 1, shape[2]}},
                   {in});
    }
    [[nodiscard]] const Shape& shape(ValueId id) const { return graph_.value(id).shape; }
    [[nodiscard]] std::string full(const std::string& name) const { return prefix_.empty() ? name : prefix_ + "." + name; }

  private:
    Graph& graph_;
    Part part_;
    std::string prefix_;
    int block_;
};

}  // namespace prelude::models
