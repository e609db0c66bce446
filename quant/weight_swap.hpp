// SPDX-License-Identifier: Apache-2.0
#pragma once

// Two quantizations of one network that differ in weight widths alone share everything but the integers of those layers.

#include <span>
#include <string>

#include "quant/quantized_graph.hpp"

namespace prelude::quant {

/// `base` with the weights of some layers as `other` has them.
///
/// Meaning   no scale of a value depends on a weight's width, so this is what quantize() makes of settings that say so, without its searches
/// Contract  both come from equal ranges and settings but weight_bits of quant.layers; `nodes` are layers with weights (checked, as far as formats tell).
///           The settings of the result are those of `base`
[[nodiscard]] QuantizedGraph with_weights_of(QuantizedGraph base, const QuantizedGraph& other, std::span<const std::string> nodes);

}  // namespace prelude::quant
