// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <vector>

#include "experiments/diagnosis/cause.hpp"
#include "experiments/diagnosis/evidence.hpp"
#include "quant/operations.hpp"

namespace prelude::experiments {

/// Faults of q = clamp(z + round((M round(Acc 2^-r) + B) 2^-n), lo, hi) that turn these sums into the dumped words: rounding, shifts, bias, zero point, constants of other channels,
/// saturation.
///
/// Shapes    sums: one per word; channel_of(i): entry of the form for word i
[[nodiscard]] std::vector<Finding> causes_of_rescale(const Evidence& evidence, std::span<const std::int64_t> sums,
                                                     const quant::Rescale& form, const std::function<std::size_t(std::size_t)>& channel_of);

struct Addend {
    std::vector<std::int64_t> words;  ///< one per word of the sum
    WordFormat format;
};

/// Faults of (a 2^l + b 2^r) 2^-s: rounding, shifts, an addend left out, subtracted or with another sign, saturation.
[[nodiscard]] std::vector<Finding> causes_of_addition(const Evidence& evidence, const Addend& left, const Addend& right,
                                                      const quant::AddOp& form);

}  // namespace prelude::experiments
