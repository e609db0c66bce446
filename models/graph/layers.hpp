// SPDX-License-Identifier: Apache-2.0
#pragma once

// Networks that are not SAM: a list of named operators in order becomes a Graph of shapes, which everything downstream runs like any other.
// Operators that a transformer needs as one (attention, class token) stand for the nodes SAM's builder writes for them.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "models/graph/graph.hpp"

namespace prelude::models {

/// Values are tokens [batch, rows, cols] or, of and before convolutions, images [1, channels, height, width].
enum class LayerKind {
    input,        ///< a value that comes from outside
    linear,       ///< tokens [batch, rows, depth] times weights [depth, cols], plus a bias
    matmul,       ///< two values: [batch, rows, depth] x [batch, depth, cols]; transposed: x [batch, cols, depth]^T
    conv,         ///< image to image, `filters` square kernels, zero padding
    layer_norm,   ///< over the channels
    softmax,      ///< over the last axis
    gelu,
    relu,
    add,          ///< two values of one shape; the second may be broadcast
    attention,    ///< tokens of queries, keys and values side by side [batch, rows, 3 c]: softmax(Q K^T) V in `heads` heads, merged: [batch, rows, c]
    tokens,       ///< image to tokens, one a pixel
    class_token,  ///< one learnt token before the others
    position,     ///< adds a learnt value of the same shape
};

/// One operator. Sizes are those of the table layer_fields(); which of them a kind has stands in layer_kinds().
///
/// Contract
///   - `of` names the values it reads, each the output of an earlier layer: of this group, else of one around it; `block11` is what that repetition of a
///     group ended with, `previous` the layer before, `input` what the group's repetition began with. Empty: the layer before, for `matmul` nothing;
///   - sizes of what it reads may be stated: without `of` they make a fresh input of those sizes (all of them; batch is 1 unless stated), with it they
///     are checked.
struct Layer {
    std::string name;
    LayerKind kind = LayerKind::linear;
    std::vector<std::string> of{};
    std::optional<std::int64_t> batch{}, rows{}, depth{}, cols{}, channels{}, height{}, width{};
    std::optional<std::int64_t> filters{}, kernel{}, stride{}, padding{}, heads{};
    bool transposed = false;  ///< matmul: the second value is [batch, cols, depth]
};

struct LayerGroup;
using LayerItem = std::variant<Layer, LayerGroup>;

/// Layers under one name, `<name>.<layer>`, or repeated: those of repetition i are called `<name><i>.<layer>`. A network is a group without name.
struct LayerGroup {
    std::string name{};
    std::optional<std::int64_t> repeat{};
    std::vector<LayerItem> items{};
};

/// One size of a layer under its name in files.
struct LayerField {
    std::string_view name;
    std::optional<std::int64_t> Layer::*value;
    std::int64_t low = 1, high = 65536;
};
[[nodiscard]] std::span<const LayerField> layer_fields() noexcept;

/// What a kind of layer has: sizes of what it reads, and sizes of its own.
struct LayerKindEntry {
    std::string_view name;
    LayerKind kind;
    std::vector<std::string_view> reads;     ///< sizes of what it reads, `batch` optional
    std::vector<std::string_view> required;  ///< of its own
    std::vector<std::string_view> optional;
    [[nodiscard]] bool has(std::string_view field) const noexcept;
};
[[nodiscard]] std::span<const LayerKindEntry> layer_kinds();
[[nodiscard]] const LayerKindEntry& entry_of(LayerKind kind);

/// What is wrong with an item of the list, and at which of its sizes.
struct LayerProblem {
    std::size_t item = 0;  ///< in the order of the list, a group before what it holds, each counted once
    std::string field;     ///< "depth", "of"; empty: the item as a whole
    std::string message;   ///< "block0.fc1 reads 192 channels, not 384"
    friend bool operator==(const LayerProblem&, const LayerProblem&) = default;
};

struct LayerLimits {
    static constexpr std::int64_t kMaxLayers = 4096;                      ///< repetitions counted
    static constexpr std::int64_t kMaxElements = std::int64_t{1} << 28;   ///< of one value
    static constexpr std::int64_t kMaxMacs = 10'000'000'000'000;          ///< of all layers: three times SAM-H
    static constexpr std::size_t kMaxDepth = 8;                           ///< groups in groups
};

/// The graph of a list, complete where there are no problems.
///
/// Contract
///   - nodes have the names of the file (`block3.qkv`), so that `quant.layers` matches them, and stand in the encoder's part;
///   - a product that reads a sum (the residual stream) gets its operand through a requantization of its own;
///   - every problem of the list is found at once; what reads a value that is wrong is not a problem of its own.
/// Limits    LayerLimits; sizes as in layer_fields(), which the caller has checked: a size outside is a programming error
struct LayerGraph {
    Graph graph;
    std::vector<LayerProblem> problems;
};
[[nodiscard]] LayerGraph build_layers(const LayerGroup& network);

}  // namespace prelude::models
