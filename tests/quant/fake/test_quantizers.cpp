// SPDX-License-Identifier: Apache-2.0
// What the published quantizers promise, whatever the data: values, order, limits. Their numbers are checked by prelude_golden.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <set>

#include "quant/fake/affine.hpp"
#include "quant/fake/nonlinear.hpp"

using namespace prelude::quant::fake;

namespace {

/// Values of a quantizer over a fine grid, which must never fall.
template <class Quantizer>
std::set<float> rising_values(const Quantizer& quantizer, float lo, float hi) {
    std::set<float> values;
    float last = -std::numeric_limits<float>::infinity();
    constexpr int kPoints = 40000;
    for (int i = 0; i <= kPoints; ++i) {
        const float y = quantizer(lo + (hi - lo) * static_cast<float>(i) / kPoints);
        REQUIRE(y >= last);
        last = y;
        values.insert(y);
    }
    return values;
}

}  // namespace

TEST_CASE("a hybrid quantizer has exactly 2^b values and never falls", "[property]") {
    for (const int bits : {3, 4, 5, 6}) {
        for (const float log_share : {0.125F, 0.25F, 0.5F}) {
            if (log_share * static_cast<float>(1 << bits) > 8) continue;  // smaller powers lie between two points of the grid
            const auto form = hybrid_of_range(-0.17F, 1.6F, 0.3F, log_share, bits, HybridVariant::intended);
            INFO(bits << " bits, " << log_share);
            CHECK(rising_values(form, -0.3F, 2.5F).size() == std::size_t{1} << bits);
        }
    }
}

TEST_CASE("the reference hybrid quantizer collapses where a value exceeds the number of log codes, the intended one does not") {
    const auto intended = hybrid_of_range(0, 6, 0.1F, 0.125F, 4, HybridVariant::intended);  // two log codes
    const auto reference = hybrid_of_range(0, 6, 0.1F, 0.125F, 4, HybridVariant::reference);
    CHECK(intended(1.9F) == reference(1.9F));
    CHECK(reference(2.0F) == reference.log_scale);
    CHECK(reference(5.5F) == reference.log_scale);
    CHECK(intended(5.5F) > 5.0F);
}

TEST_CASE("a logarithmic quantizer has 2^b powers and a zero, saturates above its scale and takes 0", "[property]") {
    for (const int tau : {1, 2, 4}) {
        const Logarithmic form{.bits = 3, .tau = tau, .scale = 0.5F};
        CHECK(rising_values(form, 0, 1).size() == 9);
        CHECK(form(1.0F) == 0.5F);
        CHECK(form(0.0F) == 0.0F);
    }
}

TEST_CASE("companding tends to uniform codes as alpha tends to 0, and holds its ends for every alpha", "[property]") {
    for (const int steps : {7, 15, 255}) {
        const Companding nearly{.alpha = 1e-3F, .scale = 0.8F, .steps = steps};
        for (int i = 0; i <= 1000; ++i) {
            const float x = 0.8F * static_cast<float>(i) / 1000;
            CHECK(std::abs(static_cast<float>(nearly.code(x)) - x / 0.8F * static_cast<float>(steps)) < 0.7F);
        }
        for (const float alpha : {0.1F, 10.0F, 200.0F}) {
            const Companding form{.alpha = alpha, .scale = 0.8F, .steps = steps};
            CHECK(form(0) == 0);
            CHECK(form.code(5) == steps);
            CHECK(form(0.8F) == Approx(0.8));
            CHECK(rising_values(form, 0, 0.8F).size() == static_cast<std::size_t>(steps) + 1);
        }
    }
}

TEST_CASE("an affine quantizer keeps 0 exact and saturates at the ends of its range") {
    for (const bool symmetric : {false, true}) {
        const auto form = affine_of_range(-0.3F, 1.7F, 4, symmetric);
        CHECK(form(0) == 0);
        CHECK(form(100) == (form.highest() - form.zero_point) * form.scale);
        CHECK(form(-100) == (form.lowest() - form.zero_point) * form.scale);
        CHECK(rising_values(form, -3, 3).size() == 16);
    }
    CHECK(affine_of_range(0, 0, 8, false).scale == 1e-8F);
}
