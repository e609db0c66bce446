// SPDX-License-Identifier: Apache-2.0
#include "quant/quantized_graph.hpp"

#include <fmt/format.h>

namespace prelude::quant {

const Operation& QuantizedGraph::operation(std::string_view node) const {
    const auto found = operations.find(node);
    models::check(found != operations.end(), fmt::format("quantized graph: no operation {}", node));
    return found->second;
}

models::Tensor QuantizedGraph::dequantize(std::string_view name, const IntTensor& words, std::size_t channel_axis) const {
    const auto found = meanings.find(name);
    models::check(found != meanings.end(), fmt::format("quantized graph: no value {}", name));
    const auto& meaning = found->second;
    std::int64_t inner = 1;
    for (auto axis = channel_axis + 1; axis < words.shape().rank(); ++axis) inner *= words.shape()[axis];
    const auto channels = words.shape().rank() == 0 ? 1 : words.shape()[channel_axis];
    models::Tensor values(words.shape());
    for (std::int64_t i = 0; i < words.num_elements(); ++i) {
        if (!meaning.values.empty()) {
            values[static_cast<std::size_t>(i)] = static_cast<float>(meaning.values[static_cast<std::size_t>(words[static_cast<std::size_t>(i)])]);
            continue;
        }
        const auto g = meaning.group_of.empty() ? 0 : static_cast<std::size_t>(meaning.group_of[static_cast<std::size_t>(i / inner % channels)]);
        values[static_cast<std::size_t>(i)] = static_cast<float>(meaning.scale[g] * (words[static_cast<std::size_t>(i)] - meaning.zero_point[g]));
    }
    return values;
}

}  // namespace prelude::quant
