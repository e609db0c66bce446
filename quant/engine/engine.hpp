// SPDX-License-Identifier: Apache-2.0
#pragma once

// The integer walk: whole layers at a time, integers only. What sweeps use for accuracy; the SystemC datapath computes the same bits.

#include <functional>
#include <map>
#include <optional>
#include <span>

#include "quant/engine/products.hpp"
#include "quant/quantized_graph.hpp"

namespace prelude::quant {

using Words = std::map<models::ValueId, IntTensor>;

/// May observe or replace the words of a value: of graph inputs given and of every value computed, in topological order.
using WordHook = std::function<void(const models::Graph&, models::ValueId, IntTensor&)>;

/// Contract
///  - the graph is one of the model the QuantizedGraph was made for (any prompt, any picture size); both outlive the engine.
///  - output words depend on the given words alone: not on the product path, the machine or the slice that was run.
///  - accumulator overflows (`wrap`, `saturate`) are counted, never silent.
///  - not for concurrent use (keeps packed weights); large layers run on the OpenMP threads of the caller.
class Engine {
  public:
    /// Throws SettingsError naming the nodes the QuantizedGraph has no integers for.
    Engine(const models::Graph& graph, const QuantizedGraph& quantized, ProductPath path = ProductPath::automatic);

    /// Runs any slice: given values in -> wanted values out. Where nobody looks at scores and probabilities, an attention runs as a whole, a few
    /// query rows at a time.
    [[nodiscard]] Words run(Words given, std::span<const models::ValueId> wanted, const WordHook& hook = {}) const;

    /// Words of one node, inputs given.
    [[nodiscard]] IntTensor run_node(const models::Node& node, std::span<const IntTensor* const> inputs) const;

    /// Acc of every output of a contraction or product, inputs given: what its rescale begins with, in the shape of its output.
    /// Limits    exact sums (docs/numerics.md section 2), also where a width study narrows those that run_node computes; of the patch embedding without the mean
    [[nodiscard]] models::BasicTensor<std::int64_t> accumulators(const models::Node& node, std::span<const IntTensor* const> inputs) const;

    [[nodiscard]] std::int64_t num_overflows() const noexcept { return overflows_; }
    [[nodiscard]] const models::Graph& graph() const noexcept { return graph_; }

  private:
    /// Nodes from scores to the product with the values that run as one.
    struct Attention {
        const models::Node *scores, *relative = nullptr, *softmax, *values;
        std::size_t num_nodes = 0;
    };
    /// The attention that the next nodes are, if nothing inside is wanted elsewhere.
    [[nodiscard]] std::optional<Attention> attention_at(std::span<const models::NodeId> next, std::span<const models::ValueId> wanted) const;
    [[nodiscard]] std::optional<IntTensor> run_attention(const Attention& attention, const Words& live) const;

    const models::Graph& graph_;
    const QuantizedGraph& quantized_;
    ProductPath path_;
    mutable std::int64_t overflows_ = 0;
    mutable std::map<const Contraction*, ContractionRunner> contractions_;  ///< with their packed weights, once they have run
};

/// Words of the graph's inputs: pixels [1,3,S,S] (0 outside the picture), coordinates x + 1/2 in 2^-8 pixel, labels.
[[nodiscard]] std::int32_t coordinate_word(double pixel) noexcept;

}  // namespace prelude::quant
