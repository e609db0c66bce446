// SPDX-License-Identifier: Apache-2.0
// The one rounding and the one saturation, rescale integers and reciprocals, against exact rationals.
#include <catch2/catch.hpp>

#include <cmath>

#include "quant/arithmetic/rescale.hpp"
#include "quant/arithmetic/rounding.hpp"
#include "quant/format_plan.hpp"
#include "tests/support/adversarial.hpp"
#include "tests/support/oracle/contraction.hpp"
#include "tests/support/oracle_from_quant.hpp"

using namespace prelude;
using prelude::tests::Random;

TEST_CASE("a rounding shift is half to even for every 12-bit word and every shift", "[exhaustive][mutation]") {
    for (int shift = -8; shift <= 14; ++shift) {
        for (std::int64_t v = -2048; v <= 2047; ++v) {
            if (quant::rne_shift(v, shift) == oracle::rne(v, shift)) continue;
            FAIL("rne_shift(" << v << ", " << shift << ") = " << quant::rne_shift(v, shift) << ", oracle " << oracle::rne(v, shift));
        }
    }
}

TEST_CASE("a rounding shift is half to even at every half-way point and its neighbours up to 62 bits", "[exhaustive][mutation]") {
    Random random(1);
    for (int shift = 1; shift <= 62; ++shift) {
        for (int i = 0; i < 400; ++i) {
            const auto reach = std::int64_t{1} << (62 - shift);
            const auto whole = i < 2 ? std::int64_t{i - 1} : random.in(-reach, reach - 1);
            const auto half = oracle::Big(whole) * oracle::power_of_two(shift) + oracle::power_of_two(shift - 1);
            for (int away = -1; away <= 1; ++away) {
                const auto v = oracle::to_word(half + away);
                INFO("v " << v << " shift " << shift);
                REQUIRE(quant::rne_shift(v, shift) == oracle::rne(v, shift));
            }
        }
    }
    for (int shift = 63; shift <= 90; ++shift) REQUIRE(quant::rne_shift((std::int64_t{1} << 61), shift) == 0);
}

TEST_CASE("rounding division is half to even for all small operands and for large ones", "[exhaustive][mutation]") {
    for (std::uint64_t d = 1; d <= 130; ++d) {
        for (std::uint64_t n = 0; n <= 700; ++n) REQUIRE(quant::rne_divide(n, d) == oracle::rne_divide(n, d));
    }
    Random random(2);
    for (int i = 0; i < 20000; ++i) {
        const auto n = static_cast<std::uint64_t>(random.in(0, std::int64_t{1} << 62)) << (i & 1);
        const auto d = 1 + static_cast<std::uint64_t>(random.in(0, std::int64_t{1} << random.in(1, 62)));
        INFO(n << " / " << d);
        REQUIRE(quant::rne_divide(n, d) == oracle::rne_divide(n, d));
    }
}

TEST_CASE("saturate and wrap hold the ends of every width", "[property][mutation]") {
    Random random(3);
    for (int bits = 1; bits <= 63; ++bits) {
        const auto lo = quant::signed_min(bits), hi = quant::signed_max(bits);
        CHECK(oracle::Big(lo) == -oracle::power_of_two(bits - 1));
        CHECK(oracle::Big(hi) == oracle::power_of_two(bits - 1) - 1);
        for (const auto v : {lo - 1, lo, lo + 1, std::int64_t{-1}, std::int64_t{0}, std::int64_t{1}, hi - 1, hi, hi + 1, random.in(INT64_MIN / 2, INT64_MAX / 2)}) {
            INFO("v " << v << " bits " << bits);
            CHECK(quant::saturate(v, lo, hi) == oracle::saturate(v, bits));
            CHECK(quant::wrap(v, bits) == oracle::wrap(v, bits));
        }
    }
}

TEST_CASE("the number of bits of a word is that of its leading one", "[exhaustive]") {
    CHECK(quant::bit_length(0) == 0);
    for (int n = 0; n < 64; ++n) {
        CHECK(quant::bit_length(std::uint64_t{1} << n) == n + 1);
        CHECK(quant::bit_length((std::uint64_t{1} << n) - 1) == n);
    }
}

TEST_CASE("a rescale equals the oracle for adversarial sums, constants and shifts", "[equality][mutation]") {
    Random random(4);
    for (int i = 0; i < 40000; ++i) {
        quant::Rescale form{.operand_shift = static_cast<int>(random.in(0, 20))};
        const int n = static_cast<int>(random.in(1, 40));
        const auto m = random.one_in(4) ? std::int64_t{1} << 15 : random.in(0, 65535);
        form.multiplier = {static_cast<std::int32_t>(random.one_in(2) ? -m : m)};
        form.shift = {n};
        const auto bits = random.in(2, 16);
        form.offset = {random.in(-(std::int64_t{1} << (n + bits)), std::int64_t{1} << (n + bits))};
        const bool code = random.one_in(2);
        form.lo = code ? 0 : -(1 << (bits - 1));
        form.hi = code ? (1 << bits) - 1 : (1 << (bits - 1)) - 1;
        form.zero_point = {code ? static_cast<std::int32_t>(random.in(0, form.hi)) : 0};
        auto acc = random.in(-(std::int64_t{1} << random.in(1, 31)), std::int64_t{1} << random.in(1, 31)) * (std::int64_t{1} << form.operand_shift);
        if (form.operand_shift > 0) acc += (std::int64_t{1} << (form.operand_shift - 1)) + random.in(-1, 1);  // on and beside half-way points
        const auto expected = tests::to_oracle(form);
        INFO("acc " << acc << " r " << form.operand_shift << " M " << form.multiplier[0] << " B " << form.offset[0] << " n " << n << " z " << form.zero_point[0]);
        REQUIRE(quant::rescale(form, 0, acc) == oracle::rescale(expected, 0, acc));
        REQUIRE(quant::rescale_wide(form, 0, acc) == oracle::rescale_open(expected, 0, acc));
    }
}

TEST_CASE("a rescale never falls when the sum grows, and saturates at both ends", "[property]") {
    Random random(5);
    for (int i = 0; i < 200; ++i) {
        quant::Rescale form{.operand_shift = static_cast<int>(random.in(0, 6)), .multiplier = {static_cast<std::int32_t>(random.in(1 << 15, 65535))},
                            .offset = {random.in(-(1 << 20), 1 << 20)}, .shift = {static_cast<std::int32_t>(random.in(16, 22))}, .zero_point = {17}, .lo = 0, .hi = 255};
        std::int32_t previous = -1;
        for (std::int64_t acc = -40000; acc <= 40000; acc += 37) {
            const auto word = quant::rescale(form, 0, acc);
            REQUIRE(word >= previous);
            previous = word;
        }
        CHECK(quant::rescale(form, 0, -(std::int64_t{1} << 36)) == 0);
        CHECK(quant::rescale(form, 0, std::int64_t{1} << 36) == 255);
    }
}

TEST_CASE("scale factors are normalised 16-bit mantissas within half a step of the ratio, 2^15 and above is refused", "[property][mutation]") {
    Random random(6);
    for (int exponent = -60; exponent <= 14; ++exponent) {
        for (int i = 0; i < 200; ++i) {
            const double f = i == 0 ? 0.5 : i == 1 ? std::nextafter(1.0, 0.0) : i == 2 ? 65535.5 / 65536 : 0.5 + 0.5 * random.real();
            const double ratio = (i & 1 ? -1 : 1) * std::ldexp(f, exponent + 1);
            if (std::abs(ratio) >= 32767.75) continue;  // rounds to 2^15
            INFO("ratio " << ratio);
            const auto factor = quant::scale_factor(ratio);
            REQUIRE(factor.shift >= 1);
            REQUIRE(factor.shift <= 40);
            REQUIRE(std::abs(factor.multiplier) < 65536);
            if (std::abs(ratio) >= std::ldexp(1.0, -25)) REQUIRE(std::abs(factor.multiplier) >= 32768);
            REQUIRE(std::abs(std::ldexp(factor.multiplier, -factor.shift) - ratio) <= std::ldexp(0.5000001, -factor.shift));
            if (factor.shift < 40) REQUIRE(std::abs(factor.multiplier) >= 32768);  // n is the largest that fits: no mantissa bit is wasted
        }
    }
    CHECK(quant::scale_factor(0.0).multiplier == 0);
    CHECK_NOTHROW(quant::scale_factor(32767.0));
    CHECK_THROWS_AS(quant::scale_factor(32768.0), quant::SettingsError);
    CHECK_THROWS_AS(quant::scale_factor(-1e9), quant::SettingsError);
}

TEST_CASE("offsets are rounded to the 2^-n grid and kept below 2^(n + bits + 1)", "[property]") {
    CHECK(quant::offset_word(2.5, 0, 8) == 2);
    CHECK(quant::offset_word(3.5, 0, 8) == 4);
    CHECK(quant::offset_word(-0.75, 4, 8) == -12);
    for (int shift = 1; shift <= 40; ++shift) {
        const auto limit = std::int64_t{1} << (shift + 9);
        CHECK(quant::offset_word(1e30, shift, 8) < limit);
        CHECK(quant::offset_word(-1e30, shift, 8) > -limit);
        CHECK(quant::offset_word(511.0, shift, 8) == std::int64_t{511} << shift);
    }
}

TEST_CASE("reciprocals equal the oracle on a dense range and beside every power of two, within 2^-16 of the truth", "[exhaustive][mutation]") {
    const auto check = [](std::uint64_t d) {
        const auto got = quant::reciprocal(d);
        const auto expected = oracle::reciprocal(d);
        INFO("d " << d);
        REQUIRE(got.mantissa == expected.mantissa);
        REQUIRE(got.exponent == expected.exponent);
        REQUIRE(got.mantissa >= 32768);
        REQUIRE(got.mantissa < 65536);
        // |R 2^-(16+L) d - 1| <= 2^-16
        const oracle::Big one = oracle::power_of_two(16 + got.exponent), error = oracle::Big(got.mantissa) * d - one;
        REQUIRE((error < 0 ? oracle::Big(-error) : error) * 65536 <= one + one / 4096);
    };
    for (std::uint64_t d = 1; d <= 140000; ++d) check(d);
    Random random(7);
    for (int n = 17; n < 63; ++n) {
        for (const std::int64_t away : {-3, -2, -1, 0, 1, 2, 3}) check((std::uint64_t{1} << n) + static_cast<std::uint64_t>(away));
        check((std::uint64_t{1} << n) + (std::uint64_t{1} << (n - 16)));
        check((std::uint64_t{3} << (n - 1)) - 1);
        for (int i = 0; i < 300; ++i) check(static_cast<std::uint64_t>((std::int64_t{1} << n) + random.in(0, (std::int64_t{1} << n) - 1)));
    }
}
