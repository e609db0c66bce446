// SPDX-License-Identifier: Apache-2.0
#include "quant/weight_swap.hpp"

#include <fmt/format.h>

namespace prelude::quant {

QuantizedGraph with_weights_of(QuantizedGraph base, const QuantizedGraph& other, std::span<const std::string> nodes) {
    models::check(base.plan.formats == other.plan.formats, "swapped weights: the formats of values differ");
    for (const auto& node : nodes) {
        auto& plan = base.plan.contractions.find(node)->second;
        const auto& wanted = other.plan.contraction(node);
        models::check(plan.left_bits == wanted.left_bits, fmt::format("swapped weights: {} reads operands of another width", node));
        plan = wanted;
        base.operations.find(node)->second = other.operation(node);
    }
    return base;
}

}  // namespace prelude::quant
