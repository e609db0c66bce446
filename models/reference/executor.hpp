// SPDX-License-Identifier: Apache-2.0
#pragma once

// The FP32 walk: runs a graph, or any slice of it, with the float weights of a checkpoint.
// Limits: one thread per run; one picture and one prompt per graph.

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "models/checkpoint/weights.hpp"
#include "models/graph/graph.hpp"
#include "models/tensor.hpp"

namespace prelude::models {

/// Sees a value as soon as it exists, before anything reads it, and may replace its contents (not its shape).
/// `producer` is the node that made it; null for an input of the graph.
using EdgeHook = std::function<void(const Node* producer, ValueId value, Tensor& tensor)>;

/// A tensor of the checkpoint that a node reads.
struct WeightOperand {
    std::string tensor;
    Shape shape;
};

/// Every checkpoint tensor a node reads, in the order of its operator's fields.
[[nodiscard]] std::vector<WeightOperand> weight_operands(const Graph& graph, const Node& node);

/// Contract
///  - run() computes exactly the nodes between the given and the wanted values; a run in two pieces gives the same bits as one.
///  - a value is freed after its last use, and an operator that may work in place does so when its input dies there.
///  - the hook sees every value computed and every graph input given, in topological order; other given values are taken as they are.
///  - const: several threads may run one executor at a time (with hooks of their own).
///  - an operator without an implementation does not compile: the walk visits the operator variant without a default.
class ReferenceExecutor final {
  public:
    using Values = std::map<ValueId, Tensor>;

    /// Keeps references to both. Weights that no slice uses need not exist.
    ReferenceExecutor(const Graph& graph, const Weights& weights);
    ReferenceExecutor(const Graph&, Weights&&) = delete;
    ReferenceExecutor(Graph&&, const Weights&) = delete;

    /// Throws  std::invalid_argument naming a value that is needed and not given, or given with a wrong shape;
    ///         CheckpointError listing every tensor that the slice needs and the weights lack or hold in another shape;
    ///         DataError for a prompt label that no model has
    [[nodiscard]] Values run(Values given, std::span<const ValueId> wanted, const EdgeHook& hook = {}) const;

    /// One value by name: for callers that need a single result.
    [[nodiscard]] Tensor run_one(Values given, std::string_view wanted, const EdgeHook& hook = {}) const;

    [[nodiscard]] const Graph& graph() const noexcept { return graph_; }

  private:
    struct Operand {
        std::span<const float> values;
        std::string problem;  ///< empty, or why there are no values
    };
    class Run;

    const Graph& graph_;
    const Weights& weights_;
    std::vector<std::vector<Operand>> operands_;  ///< per node
};

}  // namespace prelude::models
