// SPDX-License-Identifier: Apache-2.0
#pragma once

// The floating-point walk: whole layers at a time, in the order of sums that the datapath has. The float twin of quant/engine.

#include <functional>
#include <map>
#include <span>

#include "quant/float/float_graph.hpp"
#include "quant/float/products.hpp"

namespace prelude::quant {

/// Contract
///  - values are those that docs/numerics.md section 9 states, on any machine and for any slice; of fp16 they are binary16 numbers.
///  - the graph is one of the model the FloatGraph was made for, of one format; both outlive the engine.
///  - not for concurrent use (keeps packed weights); large layers run on the OpenMP threads of the caller.
class FloatEngine {
  public:
    using Values = std::map<models::ValueId, models::Tensor>;
    /// May observe the value of every node computed, in topological order.
    using Hook = std::function<void(const models::Graph&, models::ValueId, const models::Tensor&)>;

    FloatEngine(const models::Graph& graph, const FloatGraph& floats);

    /// Runs any slice: given values in -> wanted values out. Inputs are rounded to their format.
    [[nodiscard]] Values run(Values given, std::span<const models::ValueId> wanted, const Hook& hook = {}) const;

    [[nodiscard]] const models::Graph& graph() const noexcept { return graph_; }

  private:
    class NodeRunner;

    const models::Graph& graph_;
    const FloatGraph& floats_;
    mutable std::map<const FloatContraction*, floating::PackedOperand> packed_;  ///< weights, once they have run
};

}  // namespace prelude::quant
