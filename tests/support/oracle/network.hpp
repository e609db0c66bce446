// SPDX-License-Identifier: Apache-2.0
#pragma once

// A whole network as plain structs and its walk, one node after the other, every value kept.

#include <map>
#include <string>
#include <variant>

#include "tests/support/oracle/vector_units.hpp"

namespace prelude::oracle {

struct Array {
    std::vector<std::int64_t> shape;
    Words words;
    [[nodiscard]] std::int64_t size() const;
    friend bool operator==(const Array&, const Array&) = default;
};

struct Convolution {
    Contraction contraction;
    Kernel kernel;
};
struct TransposedConvolution {
    Contraction contraction;
    std::int64_t side = 2;
};
struct PatchEmbedding {
    Patches patches;
    std::int64_t content_height = 0, content_width = 0;
};
/// Per channel; `channel_axis` of the input.
struct Requantize {
    Output output;
    std::size_t channel_axis = 0;
};
struct LayerNormNode {
    LayerNorm form;
    std::size_t channel_axis = 0;
};
struct Constant {
    Words words;
};
struct Rearrange {
    std::vector<std::int64_t> view;
    int slice_axis = -1;
    std::int64_t slice_begin = 0, slice_count = 0;
    std::vector<std::size_t> order;
};
struct WindowPartition {
    std::int64_t height = 0, width = 0, window = 0;
    Words padding;  ///< per channel
};
struct WindowUnpartition {
    std::int64_t height = 0, width = 0, window = 0;
};
struct Concatenation {
    std::size_t axis = 0;
};

using Operation = std::variant<Contraction, Convolution, TransposedConvolution, PatchEmbedding, Product, RelativePosition, Softmax, LayerNormNode, Table,
                               Add, Requantize, Constant, Prompt, Rearrange, WindowPartition, WindowUnpartition, Concatenation, Resize>;

struct Node {
    std::string name;
    Operation operation;
    std::vector<int> inputs;
    int output = 0;
    std::vector<std::int64_t> output_shape;
};

[[nodiscard]] Array run(const Node& node, const std::vector<const Array*>& inputs, Overflows& overflows);

/// Values by id; `given` holds the inputs. Nodes stand in the order of evaluation.
[[nodiscard]] std::map<int, Array> walk(const std::vector<Node>& nodes, std::map<int, Array> given, Overflows& overflows);

}  // namespace prelude::oracle
