// SPDX-License-Identifier: Apache-2.0
#pragma once

// The floating-point forms a second time, from docs/numerics.md section 9 alone: one number after the other, every operation in double precision and
// rounded to binary32 afterwards, which is the correctly rounded operation (53 bits are more than twice 24 and two).

#include <span>
#include <vector>

#include "models/checkpoint/weights.hpp"
#include "models/graph/graph.hpp"

namespace prelude::oracle {

struct FloatForm {
    int bits = 32;   ///< of a stored number
    int block = 64;  ///< B
};

[[nodiscard]] float stored(int bits, float x);
[[nodiscard]] float sum(std::span<const float> entries, int block);
[[nodiscard]] float exponential(float v);
[[nodiscard]] float gelu(float x);
[[nodiscard]] float sine_of_turns(float t);

/// The value of a node, inputs given; `wide`: its output is kept in binary32 whatever the datatype. Constants that are computed offline (dense position
/// codes) are not of this page.
[[nodiscard]] models::Tensor float_node(const models::Graph& graph, const models::Node& node, std::span<const models::Tensor* const> inputs,
                                        const models::Weights& weights, const FloatForm& form, bool wide);

}  // namespace prelude::oracle
