// SPDX-License-Identifier: Apache-2.0
// GELU by the published integer formulas: equal to the oracle, and as far from the real function as stated.
#include <catch2/catch.hpp>

#include <cmath>
#include <numbers>

#include "quant/arithmetic/gelu.hpp"
#include "tests/support/oracle/constants.hpp"

using namespace prelude;
using quant::Nonlinear;

namespace {

double real_gelu(double x) { return 0.5 * x * std::erfc(-x / std::numbers::sqrt2); }

}  // namespace

TEST_CASE("GELU by the formulas of I-BERT and I-ViT equals the oracle on every word up to 24 and at the ends", "[exhaustive][mutation]") {
    for (std::int64_t word = -24 * 4096; word <= 24 * 4096; ++word) {
        const double x = std::ldexp(static_cast<double>(word), -quant::kGeluFraction);
        const double ibert = static_cast<double>(quant::polynomial_gelu(word)) * quant::kPolynomialGeluStep;
        if (ibert != Approx(oracle::ibert_gelu(x)).epsilon(1e-13)) FAIL("i-GELU(" << x << ") = " << ibert << ", oracle " << oracle::ibert_gelu(x));
        if (quant::gelu(Nonlinear::ivit, x) != oracle::ivit_gelu(x)) FAIL("ShiftGELU(" << x << ") = " << quant::gelu(Nonlinear::ivit, x) << ", oracle " << oracle::ivit_gelu(x));
    }
    for (const double x : {-1e6, -1234.5, 1234.5, 1e6}) {
        CHECK(quant::gelu(Nonlinear::ibert, x) == Approx(oracle::ibert_gelu(x)).epsilon(1e-13));
        CHECK(quant::gelu(Nonlinear::ivit, x) == oracle::ivit_gelu(x));
    }
}

// i-GELU: the published 0.018. ShiftGELU: sigmoid(1.702 x) itself is 0.0203 away, the rest are the line for 2^-u and the published 8-bit sigmoid,
// which gives 127/128 at most: of a large x, 1/128 is missing.
TEST_CASE("GELU by the published formulas lies within its stated distance of the real function", "[oracle]") {
    double ibert = 0, ivit = 0;
    for (std::int64_t word = -12 * 4096; word <= 12 * 4096; ++word) {
        const double x = std::ldexp(static_cast<double>(word), -quant::kGeluFraction);
        ibert = std::max(ibert, std::abs(quant::gelu(Nonlinear::ibert, x) - real_gelu(x)));
        ivit = std::max(ivit, std::abs(quant::gelu(Nonlinear::ivit, x) - real_gelu(x)) - std::abs(x) / 128);
    }
    INFO("i-GELU " << ibert << ", ShiftGELU " << ivit);
    CHECK(ibert <= 0.02);
    CHECK(ivit <= 0.03);
    CHECK(quant::gelu(Nonlinear::table, 1.5) == Approx(real_gelu(1.5)).epsilon(1e-14));
    for (const auto form : {Nonlinear::table, Nonlinear::ibert, Nonlinear::ivit}) CHECK(quant::gelu(form, 0.0) == 0.0);
}
