// SPDX-License-Identifier: Apache-2.0
#pragma once

// Softmax operations built by hand, from the formulas of docs/numerics.md section 4.

#include <algorithm>
#include <cmath>

#include "quant/operations.hpp"
#include "tests/support/oracle/constants.hpp"

namespace prelude::tests {

/// `largest`: S, the probability of the highest code.
inline quant::SoftmaxOp make_softmax(int fraction, int bits, int tau, int cap, bool zero, quant::ScaleMode scale, double largest) {
    quant::SoftmaxOp form{.score_fraction = fraction, .bits = bits, .tau = tau, .scale = scale, .exp_bits = bits > 8 ? 20 : 16};
    std::ranges::copy(oracle::exp_table(form.exp_bits), form.exp_table.begin());
    const auto threshold = [&](double theta) {
        const int exponent = std::ilogb(theta) - 15;
        form.threshold_mantissa.push_back(static_cast<std::int64_t>(std::nearbyint(std::ldexp(theta, -exponent))));
        form.threshold_exponent.push_back(exponent);
    };
    if (tau > 0) {
        form.bits = std::min(bits, oracle::useful_bits(tau, cap));
        form.num_levels = static_cast<int>(oracle::log_levels(form.bits, tau, cap, zero));
        form.zero_code = zero ? (1 << form.bits) - 1 : -1;
        if (scale == quant::ScaleMode::row) return form;
        for (int c = 0; c < form.num_levels; ++c) threshold(largest * std::exp2(-(c + 0.5) / tau));
    } else if (bits <= 8) {
        const int levels = (1 << bits) - 1;
        for (int c = 1; c <= levels; ++c) threshold(largest * (c - 0.5) / levels);
    }
    return form;
}

}  // namespace prelude::tests
