// SPDX-License-Identifier: Apache-2.0
#pragma once

// Whole tensors between numbers and the words that memories hold.

#include "quant/float/number.hpp"
#include "quant/format_plan.hpp"

namespace prelude::quant {

/// Words of stored numbers in a floating-point format.
[[nodiscard]] inline models::IntTensor float_words(const Format& format, const models::Tensor& values) {
    auto words = models::IntTensor::uninitialised(values.shape());
    for (std::size_t i = 0; i < values.values().size(); ++i) words[i] = floating::word_of(format.bits, values[i]);
    return words;
}

[[nodiscard]] inline models::Tensor float_values(const Format& format, const models::IntTensor& words) {
    auto values = models::Tensor::uninitialised(words.shape());
    for (std::size_t i = 0; i < words.values().size(); ++i) values[i] = floating::value_of(format.bits, words[i]);
    return values;
}

}  // namespace prelude::quant
