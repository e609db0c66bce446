// SPDX-License-Identifier: Apache-2.0
#pragma once

// The tensors of exported nodes: what they read, their constants, accumulators and words.

#include <functional>
#include <map>
#include <vector>

#include "experiments/dumps/tensor_description.hpp"
#include "quant/engine/engine.hpp"
#include "sim/mapping/mapping.hpp"

namespace prelude::experiments {

struct ExportedTensor {
    TensorDescription description;
    std::vector<std::int64_t> words;
};
using TakeTensor = std::function<void(ExportedTensor&&)>;

/// Describes a value of the part; the words are the caller's.
[[nodiscard]] TensorDescription describe_value(const models::Graph& part, const quant::QuantizedGraph& quantized, models::ValueId id,
                                               TensorRole role, const sim::Mapping* mapping = nullptr);

/// Accumulators of a node: named NODE.accumulators, as wide as the plan says, in the coordinates of its output.
[[nodiscard]] TensorDescription describe_accumulators(const models::Graph& part, const quant::QuantizedGraph& quantized,
                                                      const models::Node& node);

/// The members of an operation that are lists, one tensor each, named NODE.member: weights [N, K], terms [T, 3] (multiplier, exponent, zero point), all others [n].
///
/// Contract  words as docs/numerics.md means them, of as many bits as the largest needs; weights as many as their width says
[[nodiscard]] std::vector<ExportedTensor> constants_of(const models::Node& node, const quant::Operation& operation);

/// Every tensor of the part, in the order of execution: inputs and constants before what is computed of them.
///
/// Contract  `words` has every value of the part; one tensor is held at a time beside them
void for_each_tensor(const models::Graph& part, const quant::QuantizedGraph& quantized, const quant::Words& words,
                     const std::map<std::string, sim::Mapping, std::less<>>& mappings, const TakeTensor& take);

}  // namespace prelude::experiments
