// SPDX-License-Identifier: Apache-2.0
#pragma once

// Softmax operations built by hand, from the formulas of docs/numerics.md section 4.

#include <algorithm>
#include <cmath>

#include "quant/operations.hpp"
#include "tests/support/oracle/constants.hpp"

namespace prelude::tests {

inline const std::vector<quant::Exponential> kExponentials{quant::Exponential::table, quant::Exponential::polynomial, quant::Exponential::shift};

/// The exponential in another form and width.
inline void set_exponential(quant::SoftmaxOp& form, quant::Exponential exponential, int bits) {
    const auto constants = exponential == quant::Exponential::table        ? oracle::exp_table(bits)
                           : exponential == quant::Exponential::polynomial ? oracle::exp_polynomial(bits)
                                                                           : oracle::Words{};
    form.exponential = exponential;
    form.exp_bits = bits;
    form.exp_constants.assign(constants.begin(), constants.end());
}

/// `largest`: S, the probability of the highest code.
inline quant::SoftmaxOp make_softmax(int fraction, int bits, int tau, int cap, bool zero, quant::ScaleMode scale, double largest) {
    quant::SoftmaxOp form{.score_fraction = fraction, .bits = bits, .tau = tau, .scale = scale};
    set_exponential(form, quant::Exponential::table, bits > 8 ? 20 : 16);
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
