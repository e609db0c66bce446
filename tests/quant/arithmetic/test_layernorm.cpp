// SPDX-License-Identifier: Apache-2.0
// The reciprocal square root and layer normalisation: equal to the oracle, close to the real function.
#include <catch2/catch.hpp>

#include <cmath>

#include "quant/arithmetic/layernorm.hpp"
#include "tests/support/adversarial.hpp"
#include "tests/support/node_case.hpp"
#include "tests/support/oracle/constants.hpp"

using namespace prelude;
using namespace prelude::tests;
using quant::Root;

namespace {

const std::vector<Root> kRoots{Root::seeded, Root::newton, Root::repeated};

/// Compares with the oracle; returns the error in units of the 16-bit mantissa's last place.
double check_root(std::uint64_t v, Root form) {
    const auto got = quant::reciprocal_root(v, form);
    const auto expected = oracle::reciprocal_root(v, to_oracle(form));
    if (got.mantissa != expected.mantissa || got.exponent != expected.exponent) {
        FAIL("form " << static_cast<int>(form) << ": 1/sqrt(" << v << ") = " << got.mantissa << " 2^-(16+" << got.exponent << "), oracle " << expected.mantissa << " exponent " << expected.exponent);
    }
    const long double real = std::ldexp(1.0L / std::sqrt(static_cast<long double>(v)), 16 + got.exponent);
    return static_cast<double>(std::abs(static_cast<long double>(got.mantissa) - real));
}

}  // namespace

// Division: the root is at most 2^-15 too small, the reciprocal less than a unit.
TEST_CASE("reciprocal roots equal the oracle and lie within two units of the last place, three by division", "[exhaustive][mutation]") {
    const auto form = GENERATE(Root::seeded, Root::newton, Root::repeated);
    double worst = 0;
    const auto check_root = [&](std::uint64_t v) { return ::check_root(v, form); };
    for (std::uint64_t v = 1; v <= 100000; ++v) worst = std::max(worst, check_root(v));
    Random random(21);
    for (int n = 17; n < 62; ++n) {
        for (std::uint64_t i = 0; i < 192; ++i) {  // both ends of every seed interval
            const auto edge = (oracle::Big(64 + i) * oracle::power_of_two(n)) / 64;
            for (int away = -1; away <= 1; ++away) {
                const auto v = edge + away;
                if (v < oracle::power_of_two(62)) worst = std::max(worst, check_root(static_cast<std::uint64_t>(v)));
            }
        }
        for (int i = 0; i < 200; ++i) worst = std::max(worst, check_root(static_cast<std::uint64_t>(random.in(std::int64_t{1} << n, (std::int64_t{2} << n) - 1))));
    }
    // Roots by division end in another way next to squares, and powers of two are the ends of the mantissa.
    for (std::uint64_t root = 1U << 15; root < 1U << 16; root += root < (1U << 15) + 300 || root > (1U << 16) - 300 ? 1 : 89) {
        for (const int more : {0, 2, 14, 30}) {
            const auto square = (root * root) << more;
            for (const auto v : {square - 2, square - 1, square, square + 1, square + root, square + 2 * root, square + 2 * root + 1}) worst = std::max(worst, check_root(v));
        }
    }
    for (int n = 1; n < 63; ++n) {
        for (int away = -1; away <= 1; ++away) worst = std::max(worst, check_root((std::uint64_t{1} << n) + static_cast<std::uint64_t>(away)));
    }
    worst = std::max(worst, check_root((std::uint64_t{1} << 63) - 1));
    INFO("form " << static_cast<int>(form) << ": worst error " << worst << " units of the last place");
    CHECK(worst <= (form == Root::seeded ? 2.0 : 3.0));
}

TEST_CASE("Newton's falling root ends at the whole root within the divisions that time counts", "[property]") {
    int most = 0;
    const auto divisions = [](std::uint64_t m) {
        std::uint64_t k = 1U << 16;
        for (int n = 1;; ++n) {
            const auto next = (k + m / k) / 2;
            if (next >= k) return n;
            k = next;
        }
    };
    for (std::uint64_t k = 1U << 15; k < 1U << 16; ++k) {
        for (const auto m : {k * k, k * k + 1, k * k + k, k * k + 2 * k}) most = std::max(most, divisions(m));
    }
    CHECK(most == quant::kNewtonDivisions);
}

TEST_CASE("the reciprocal root of every 22-bit mantissa lies within two units of the last place", "[exhaustive]") {
    double worst = 0;
    for (std::uint64_t m = 1u << 20; m < 1u << 22; ++m) {  // V = m 4^10: all words m can take
        const auto root = quant::reciprocal_root(m, Root::seeded);
        if (root.exponent != 10) FAIL("exponent of " << m);
        worst = std::max(worst, std::abs(root.mantissa - std::ldexp(1.0 / std::sqrt(static_cast<double>(m)), 26)));
    }
    INFO("worst error " << worst << " units of the last place");
    CHECK(worst <= 2.0);
}

// Tolerance in raw output words (f fraction bits): 1 for the last rounding, 2 ulp of 2^-15 relative for the root, one step of t.
TEST_CASE("layer normalisation lies within its tolerance of the double-precision result", "[oracle]") {
    Random random(22);
    for (const std::int64_t channels : {3, 17, 64, 128, 768, 1280}) {
        for (const auto pattern : {Pattern::random, Pattern::near_zero, Pattern::alternating, Pattern::spike}) {
            for (const auto root : kRoots) {
                constexpr int in_fraction = 10, out_fraction = 8;
                quant::LayerNormOp form{.channels = channels, .normalised_fraction = oracle::layer_norm_fraction(channels), .root = root};
                const double unit = static_cast<double>(channels * channels) * std::ldexp(1.0, 2 * in_fraction);
                form.epsilon = std::llround(1e-6 * unit);
                const double rounded_eps = static_cast<double>(form.epsilon) / unit;
                form.rescale = {.lo = -32768, .hi = 32767};
                for (std::int64_t c = 0; c < channels; ++c) {  // gamma = 1, beta = 0
                    form.rescale.multiplier.push_back(1 << 15);
                    form.rescale.shift.push_back(15 + form.normalised_fraction - out_fraction);
                    form.rescale.offset.push_back(0);
                    form.rescale.zero_point.push_back(0);
                }
                const auto x = words(random, pattern, channels, -20000, 20000, channels);
                std::vector<std::int32_t> out(x.size());
                quant::layer_norm_row(form, x.data(), out.data(), 1);
                double mean = 0, square = 0;
                for (auto word : x) mean += std::ldexp(word, -in_fraction) / static_cast<double>(channels);
                for (auto word : x) square += std::pow(std::ldexp(word, -in_fraction) - mean, 2) / static_cast<double>(channels);
                for (std::size_t c = 0; c < x.size(); ++c) {
                    const double real = (std::ldexp(x[c], -in_fraction) - mean) / std::sqrt(square + rounded_eps);
                    const double tolerance = 0.5 + std::ldexp(1.0, out_fraction) * (std::abs(real) * std::ldexp(2.0, -15) + std::ldexp(1.0, -form.normalised_fraction));
                    INFO("form " << static_cast<int>(root) << " channels " << channels << ", " << name(pattern) << ", channel " << c << ": " << out[c] << " for " << real);
                    REQUIRE(std::abs(out[c] - std::ldexp(real, out_fraction)) <= tolerance);
                }
            }
        }
    }
}

TEST_CASE("a constant row normalises to beta, whatever the constant", "[property]") {
    const auto root = GENERATE(Root::seeded, Root::newton, Root::repeated);
    const std::int64_t epsilon = GENERATE(0, 1);
    for (const std::int32_t value : {-32768, -1, 0, 5, 32767}) {
        quant::LayerNormOp form{.channels = 7, .epsilon = epsilon, .normalised_fraction = oracle::layer_norm_fraction(7), .root = root};
        form.rescale = {.multiplier = std::vector<std::int32_t>(7, 40000), .offset = std::vector<std::int64_t>(7, 3 << 20), .shift = std::vector<std::int32_t>(7, 20),
                        .zero_point = std::vector<std::int32_t>(7, 9), .lo = 0, .hi = 255};
        const std::vector<std::int32_t> x(7, value);
        std::vector<std::int32_t> out(7);
        quant::layer_norm_row(form, x.data(), out.data(), 1);
        CHECK(out == std::vector<std::int32_t>(7, 12));
    }
}
