// SPDX-License-Identifier: Apache-2.0
#pragma once

// One node of an export, to be run with other integers than its own: what the dump would be if they were the fault.

#include <map>
#include <optional>
#include <vector>

#include "quant/engine/engine.hpp"

namespace prelude::experiments {

class NodeTrial final {
  public:
    /// `node`: of `part`; `inputs`: words of its operands.
    NodeTrial(const models::Graph& part, const quant::QuantizedGraph& quantized, const models::Node& node,
              std::vector<models::IntTensor> inputs);

    [[nodiscard]] const models::Node& node() const noexcept { return node_; }
    [[nodiscard]] const quant::Operation& operation() const { return quantized_.operation(node_.name); }
    [[nodiscard]] const std::vector<models::IntTensor>& inputs() const noexcept { return inputs_; }
    [[nodiscard]] const models::Shape& output_shape() const { return graph_.value(node().output).shape; }
    [[nodiscard]] std::size_t channel_of(std::size_t index) const noexcept { return index / inner_ % channels_; }
    /// Words between one channel and the next.
    [[nodiscard]] std::size_t words_per_channel() const noexcept { return inner_; }

    /// Whether a walk with these integers stays inside its arrays (quant/consistency.hpp).
    [[nodiscard]] bool fits(const quant::Operation& operation) const;
    /// Words, and exact sums, of these integers and inputs.
    [[nodiscard]] std::vector<std::int64_t> words(const quant::Operation& operation) const { return words(operation, inputs_); }
    [[nodiscard]] std::vector<std::int64_t> words(const quant::Operation& operation, const std::vector<models::IntTensor>& inputs) const;
    [[nodiscard]] std::vector<std::int64_t> sums(const quant::Operation& operation) const { return sums(operation, inputs_); }
    [[nodiscard]] std::vector<std::int64_t> sums(const quant::Operation& operation, const std::vector<models::IntTensor>& inputs) const;

  private:
    models::Graph graph_;
    quant::QuantizedGraph quantized_;
    const models::Node& node_;  ///< of graph_
    std::vector<models::IntTensor> inputs_;
    std::size_t inner_ = 1, channels_ = 1;
};

}  // namespace prelude::experiments
