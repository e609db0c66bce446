// SPDX-License-Identifier: Apache-2.0
#include "quant/arithmetic/rescale.hpp"

#include <fmt/format.h>

#include <cmath>

#include "quant/format_plan.hpp"

namespace prelude::quant {

ScaleFactor scale_factor(double ratio) {
    constexpr int kMantissaBits = 16, kMaxShift = 40;
    if (ratio == 0.0) return {0, 1};
    int exponent = 0;
    std::frexp(ratio, &exponent);  // |ratio| = f * 2^exponent, f in [0.5, 1)
    int shift = kMantissaBits - exponent;
    if (shift > kMaxShift) shift = kMaxShift;
    double mantissa = std::nearbyint(std::ldexp(ratio, shift));
    if (std::abs(mantissa) >= 65536.0) mantissa = std::nearbyint(std::ldexp(ratio, --shift));
    if (shift < 1) throw SettingsError(fmt::format("a rescale by {} does not fit the integer form (its factor must be below 2^15)", ratio));
    return {static_cast<std::int32_t>(mantissa), shift};
}

std::int64_t offset_word(double value, int shift, int output_bits) {
    const double limit = std::ldexp(1.0, shift + output_bits + 1) - 1.0;
    return static_cast<std::int64_t>(std::nearbyint(std::clamp(std::ldexp(value, shift), -limit, limit)));
}

}  // namespace prelude::quant
