// SPDX-License-Identifier: Apache-2.0
#pragma once

// The operator graph: what is computed, without weights and without numbers. SSA: every value has one producer, nodes
// stand in topological order, names are stable. Walks (FP32 reference, calibration, integer engine, datapath) read it.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "models/tensor.hpp"

namespace prelude::models {

using ValueId = std::int32_t;
using NodeId = std::int32_t;

// Operators. A `std::string` that names a tensor is its Meta checkpoint name; empty = the operand does not exist.

/// y[m, n] = sum_k x[m, k] W[n, k] + b[n] over the last axis.
struct Linear {
    std::string weight, bias;
    std::int64_t in_features = 0, out_features = 0;
};

/// y[b] = scale * x0[b] x1[b] (or x1[b]^T): product of two computed operands, [B,M,K] x [B,K,N] (or [B,N,K]).
struct MatMul {
    bool transpose_right = false;
    double scale = 1.0;
};

/// 2-d convolution on [B,C,H,W], zero padding, square kernel; weight [O,C,k,k]. Of a picture only the top left
/// `content` is real (0 = all); the rest holds the real value 0, whatever its words are.
struct Conv {
    std::string weight, bias;
    std::int64_t in_channels = 0, out_channels = 0, kernel = 1, stride = 1, padding = 0;
    std::int64_t content_height = 0, content_width = 0;
};

/// 2-d transposed convolution with kernel = stride (no overlap); weight [C,O,k,k].
struct ConvTranspose {
    std::string weight, bias;
    std::int64_t in_channels = 0, out_channels = 0, kernel = 2;
};

/// (x - mean) / sqrt(var + eps) * gamma + beta over the channel axis of the input (last axis of tokens, axis 1 of images).
struct LayerNorm {
    std::string gamma, beta;
    double eps = 1e-6;
};

struct Softmax {};  ///< over the last axis
struct Gelu {};     ///< exact form, x * Phi(x)
struct Relu {};

/// x0 + x1; x1 may be broadcast (extents 1).
struct Add {};

/// Decomposed relative positions: scores[b, (i,j), (k,l)] + q[b,(i,j)] . Rh[i-k+H-1] + q[b,(i,j)] . Rw[j-l+W-1].
/// Inputs: scores [B,HW,HW], q [B,HW,d] (before the attention scale). Tables [2H-1,d], [2W-1,d].
struct RelativePosition {
    std::string table_height, table_width;
    std::int64_t height = 0, width = 0, head_dim = 0;
};

/// Tokens [1,H*W,C] -> [num_windows, w*w, C]; missing tokens at the right and bottom are zero (the real value 0).
struct WindowPartition {
    std::int64_t height = 0, width = 0, window = 0;
};

/// The inverse of WindowPartition; padding tokens are dropped.
struct WindowUnpartition {
    std::int64_t height = 0, width = 0, window = 0;
};

/// An index map: view the input as `view`, keep [begin, begin+count) of `slice_axis` (if any), permute axes, take `result` as shape.
struct Rearrange {
    Shape view;
    std::optional<std::size_t> slice_axis = std::nullopt;
    std::int64_t slice_begin = 0, slice_count = 0;
    std::vector<std::size_t> order;
    Shape result;
};

/// Inputs side by side along `axis`.
struct Concat {
    std::size_t axis = 0;
};

/// The identity in real numbers: a point where the number format may change (residual stream -> operand codes).
struct Requantize {};

/// A tensor of the checkpoint as a value, reshaped to the value's shape.
struct Parameter {
    std::string tensor;
};

/// Fourier features of every grid position, [1, 2F, H, W], from the Gaussian matrix [2, F].
struct DensePositionCode {
    std::string gaussian;
    std::int64_t height = 0, width = 0, num_frequencies = 0;
};

/// Inputs: coordinates [N,2] (x, y in pixels of the resized input), labels [N] (-1 padding, 0 negative, 1 positive, 2/3 box corners).
/// Output [1,N,2F]: Fourier features of (x+0.5, y+0.5)/image_size plus the label's embedding; a padding point is its embedding alone.
struct PromptEmbedding {
    std::string gaussian, not_a_point;
    std::vector<std::string> labels{};  ///< embeddings of labels 0..3
    std::int64_t image_size = 0, num_frequencies = 0;
};

/// Bilinear resize of [B,C,H,W] with half-pixel centres and clamped edges; then cropped to the top left `crop` (if not 0).
struct Resize {
    std::int64_t height = 0, width = 0;
    std::int64_t crop_height = 0, crop_width = 0;
};

using Operator = std::variant<Linear, MatMul, Conv, ConvTranspose, LayerNorm, Softmax, Gelu, Relu, Add, RelativePosition, WindowPartition,
                              WindowUnpartition, Rearrange, Concat, Requantize, Parameter, DensePositionCode, PromptEmbedding, Resize>;

[[nodiscard]] std::string_view operator_name(const Operator& op) noexcept;  ///< "linear", "matmul", ...

enum class Part { encoder, prompt, decoder, postprocess };
[[nodiscard]] std::string_view part_name(Part part) noexcept;

struct Value {
    std::string name;
    Shape shape;
    std::optional<NodeId> producer;  ///< empty: an input of the graph
    std::size_t channel_axis = 0;    ///< the axis that carries features: last of tokens, 1 of images
};

struct Node {
    std::string name;
    Part part = Part::encoder;
    int block = -1;  ///< encoder block or decoder layer; -1 outside
    Operator op;
    std::vector<ValueId> inputs;
    ValueId output = -1;
};

/// Contract
///  - nodes() is topologically ordered; every input id is smaller than the output id of its node.
///  - names of values and nodes are unique; a node's value is called `<node>.out` (a Requantize node is called `<consumer>.in` and so is its value).
///  - shapes are complete; no weight is read.
class Graph {
  public:
    ValueId add_input(std::string name, Shape shape, std::size_t channel_axis);
    /// Appends a Parameter node: the checkpoint tensor `tensor` under the shape given.
    ValueId add_parameter(std::string name, Part part, std::string tensor, Shape shape, std::size_t channel_axis);
    /// Appends a node; its output shape is derived from the operator and the input shapes. A mismatch is a programming error.
    ValueId add(std::string name, Part part, int block, Operator op, std::vector<ValueId> inputs);

    [[nodiscard]] std::span<const Value> values() const noexcept { return values_; }
    [[nodiscard]] std::span<const Node> nodes() const noexcept { return nodes_; }
    [[nodiscard]] const Value& value(ValueId id) const { return values_[static_cast<std::size_t>(id)]; }
    [[nodiscard]] const Node& node(NodeId id) const { return nodes_[static_cast<std::size_t>(id)]; }
    [[nodiscard]] const Node* producer(ValueId id) const;
    [[nodiscard]] std::span<const NodeId> consumers(ValueId id) const { return consumers_[static_cast<std::size_t>(id)]; }
    [[nodiscard]] std::span<const ValueId> inputs() const noexcept { return inputs_; }
    [[nodiscard]] std::optional<ValueId> find_value(std::string_view name) const;
    [[nodiscard]] std::optional<NodeId> find_node(std::string_view name) const;
    [[nodiscard]] std::int64_t channels(ValueId id) const { return value(id).shape[value(id).channel_axis]; }

  private:
    ValueId add_value(Value value);
    ValueId append(Node node, Shape shape, std::size_t channel_axis);

    std::vector<Value> values_;
    std::vector<Node> nodes_;
    std::vector<std::vector<NodeId>> consumers_;
    std::vector<ValueId> inputs_;
    std::map<std::string, ValueId, std::less<>> value_ids_;
    std::map<std::string, NodeId, std::less<>> node_ids_;
};

/// Nodes needed to compute `outputs` when `given` values are supplied, in topological order.
/// Throws std::invalid_argument naming a graph input that is needed and not given.
[[nodiscard]] std::vector<NodeId> slice(const Graph& graph, std::span<const ValueId> given, std::span<const ValueId> outputs);

/// By value: the place in `order` of the last node that reads it; `outputs` are read behind all of them.
[[nodiscard]] std::map<ValueId, std::size_t> last_uses(const Graph& graph, std::span<const NodeId> order, std::span<const ValueId> outputs);

/// Useful multiply-accumulates of a node, padding tokens of windows included; 0 for operators without products.
[[nodiscard]] std::int64_t num_macs(const Graph& graph, const Node& node);

/// Elements of the weights and biases a node reads.
[[nodiscard]] std::int64_t num_parameters(const Graph& graph, const Node& node);

}  // namespace prelude::models
