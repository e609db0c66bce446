// SPDX-License-Identifier: Apache-2.0
#include "quant/arithmetic/gelu.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "quant/arithmetic/rounding.hpp"
#include "quant/arithmetic/softmax.hpp"

namespace prelude::quant {

namespace {

constexpr int kErfShift = 14;                                        // of the published code, for words of 32 bits
constexpr std::int64_t kErfEdge = -10248, kErfOffset = -116185707;   // B, C
constexpr std::int64_t kErfOne = -7092;
constexpr std::int64_t kSigmoidSlope = 10058;
constexpr int kExpBits = 23, kReciprocalBits = 31, kSigmoidBits = 8;
constexpr double kLargestArgument = 1 << 20;

}  // namespace

std::int64_t polynomial_gelu(std::int64_t x) noexcept {
    const auto part = std::min(std::abs(x), -kErfEdge) + kErfEdge;
    const auto erf = part * part + kErfOffset;
    const std::int64_t sign = (x > 0) - (x < 0);
    return x * (((sign * erf) >> kErfShift) + kErfOne);
}

std::int64_t shift_gelu(std::int64_t x) noexcept {
    constexpr auto kOne = std::int64_t{1} << kExpBits;
    const auto z = rne_shift(x * kSigmoidSlope, kGeluFraction);
    const auto e = shift_exp2_neg(std::abs(z), kGeluFraction, kExpBits);
    const auto factor = ((std::int64_t{1} << kReciprocalBits) - 1) / (kOne + e);
    const auto sigmoid = ((z >= 0 ? kOne : e) * factor) >> (kReciprocalBits - kSigmoidBits + 1);
    return x * sigmoid;
}

double gelu(Nonlinear form, double x) noexcept {
    const auto word = [&] { return std::llrint(std::ldexp(std::clamp(x, -kLargestArgument, kLargestArgument), kGeluFraction)); };
    switch (form) {
        case Nonlinear::table: break;
        case Nonlinear::ibert: return static_cast<double>(polynomial_gelu(word())) * kPolynomialGeluStep;
        case Nonlinear::ivit: return static_cast<double>(shift_gelu(word())) * kShiftGeluStep;
    }
    return 0.5 * x * (1.0 + std::erf(x * std::numbers::sqrt2 / 2));
}

}  // namespace prelude::quant
