// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <catch2/catch.hpp>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "experiments/hls/prelude_ap_types.h"

// The types against the meaning of their modes, written here from the documentation in exact integers. Nothing below is the stand-in's alone:
// test_public_ap_types.cpp compiles this file with the public headers, where they are at hand.

namespace prelude::experiments {
namespace {

struct Target {
    int width, whole;
    bool is_signed;
    ap_q_mode quantization;
    ap_o_mode overflow;
    int saturated;
};

std::int64_t floor_of(std::int64_t a, std::int64_t b) {
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

/// k * 2^-places on the grid of whole numbers.
std::int64_t quantized(std::int64_t k, int places, ap_q_mode mode) {
    if (places <= 0) return k * (std::int64_t{1} << -places);
    const auto unit = std::int64_t{1} << places;
    const auto below = floor_of(k, unit), rest = k - below * unit;
    if (rest == 0) return below;
    const auto above = below + 1, towards_zero = k < 0 ? above : below;
    if (mode == AP_TRN) return below;
    if (mode == AP_TRN_ZERO) return towards_zero;
    if (2 * rest != unit) return 2 * rest < unit ? below : above;
    switch (mode) {  // half way
        case AP_RND: return above;
        case AP_RND_ZERO: return towards_zero;
        case AP_RND_MIN_INF: return below;
        case AP_RND_INF: return k < 0 ? below : above;
        default: return below % 2 == 0 ? below : above;
    }
}

/// What a word of the target makes of a whole number.
std::int64_t fitted(std::int64_t value, const Target& target) {
    const auto least = target.is_signed ? -(std::int64_t{1} << (target.width - 1)) : 0;
    const auto most = (std::int64_t{1} << (target.width - target.is_signed)) - 1;
    const auto lowest = target.is_signed && target.overflow == AP_SAT_SYM ? -most : least;
    if (value >= lowest && value <= most) return value;
    if (target.overflow == AP_SAT_ZERO) return 0;
    if (target.overflow != AP_WRAP) return value < 0 ? lowest : most;
    const auto modulus = std::int64_t{1} << target.width;
    auto bits = value - floor_of(value, modulus) * modulus;
    for (int i = 0; i < target.saturated; ++i) {  // signed: the sign stays, what follows it says the largest magnitude; unsigned: ones
        const auto bit = std::int64_t{1} << (target.width - 1 - i);
        const bool one = !target.is_signed || (i == 0) == (value < 0);
        bits = bits - bits / bit % 2 * bit + (one ? bit : 0);
    }
    return target.is_signed && bits >= modulus / 2 ? bits - modulus : bits;
}

constexpr int kFraction = 4;  // of the sources, whose values are all words of eight bits

/// The bits of a fixed-point value as a whole number.
template <class Fixed>
std::int64_t word_of(Fixed value, bool is_signed) {
    const auto bits = static_cast<std::int64_t>(value.range(Fixed::width - 1, 0).to_uint64()), half = std::int64_t{1} << (Fixed::width - 1);
    return is_signed && bits >= half ? bits - 2 * half : bits;
}

/// Words that the target makes of every source value.
template <class Fixed, class Source>
std::vector<std::int64_t> converted(int first, bool is_signed) {
    std::vector<std::int64_t> words;
    for (int k = first; k < first + 256; ++k) {
        Source source;
        source.range(7, 0) = k;
        const Fixed target = source;
        words.push_back(word_of(target, is_signed));
    }
    return words;
}

std::string difference(const std::vector<std::int64_t>& words, int first, const Target& target) {
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto k = first + static_cast<int>(i);
        const auto expected = fitted(quantized(k, kFraction - (target.width - target.whole), target.quantization), target);
        if (words[i] != expected) {
            return "W " + std::to_string(target.width) + ", I " + std::to_string(target.whole) +
                   (target.is_signed ? ", signed" : ", unsigned") + ", q " + std::to_string(target.quantization) + ", o " +
                   std::to_string(target.overflow) + ", N " + std::to_string(target.saturated) + ": " + std::to_string(k) + "/16 became " +
                   std::to_string(words[i]) + ", not " + std::to_string(expected);
        }
    }
    return {};
}

using Signed = ap_fixed<8, 8 - kFraction>;
using Unsigned = ap_ufixed<8, 8 - kFraction>;

template <ap_q_mode Q, ap_o_mode O, int N, int W, int I>
void check_target() {
    CHECK(difference(converted<ap_fixed<W, I, Q, O, N>, Signed>(-128, true), -128, {W, I, true, Q, O, N}).empty());
    CHECK(difference(converted<ap_ufixed<W, I, Q, O, N>, Signed>(-128, false), -128, {W, I, false, Q, O, N}).empty());
}

template <ap_q_mode Q, ap_o_mode O, int N>
void check_overflow() {
    check_target<Q, O, N, 2, 2>();
    check_target<Q, O, N, 2, 6>();
    check_target<Q, O, N, 3, -1>();
    check_target<Q, O, N, 4, 4>();
    check_target<Q, O, N, 4, 0>();
    check_target<Q, O, N, 5, 3>();
}

template <ap_q_mode Q>
void check_quantization() {
    INFO("quantization mode " << Q);
    check_overflow<Q, AP_SAT, 0>();
    check_overflow<Q, AP_SAT_ZERO, 0>();
    check_overflow<Q, AP_SAT_SYM, 0>();
    check_overflow<Q, AP_WRAP, 0>();
    check_overflow<Q, AP_WRAP, 1>();
}

}  // namespace

TEST_CASE("every mode of the arbitrary-precision types does what HLS C++ says, on every value of small words", "[hls]") {
    check_quantization<AP_RND>();
    check_quantization<AP_RND_ZERO>();
    check_quantization<AP_RND_MIN_INF>();
    check_quantization<AP_RND_INF>();
    check_quantization<AP_RND_CONV>();
    check_quantization<AP_TRN>();
    check_quantization<AP_TRN_ZERO>();
    check_overflow<AP_TRN, AP_WRAP, 2>();
}

TEST_CASE("unsigned sources of the arbitrary-precision types are converted like signed ones", "[hls]") {
    CHECK(difference(converted<ap_fixed<4, 2, AP_RND_CONV, AP_SAT>, Unsigned>(0, true), 0, {4, 2, true, AP_RND_CONV, AP_SAT, 0}).empty());
    CHECK(difference(converted<ap_ufixed<3, 3, AP_RND, AP_WRAP, 1>, Unsigned>(0, false), 0, {3, 3, false, AP_RND, AP_WRAP, 1}).empty());
    CHECK(difference(converted<ap_ufixed<5, 1, AP_TRN, AP_SAT>, Unsigned>(0, false), 0, {5, 1, false, AP_TRN, AP_SAT, 0}).empty());
}

TEST_CASE("shifts of the arbitrary-precision types keep the width, and negative counts shift the other way", "[hls]") {
    for (int word = -16; word < 16; ++word) {
        for (int count = -7; count <= 7; ++count) {
            const auto bits = count >= 0 ? word * (1 << count) : static_cast<int>(floor_of(word, 1 << -count));
            const Target five{5, 5, true, AP_TRN, AP_WRAP, 0};
            const auto expected = fitted(bits, five);
            INFO(word << " shifted by " << count);
            CHECK((ap_int<5>(word) << count).to_int64() == expected);
            CHECK((ap_int<5>(word) >> -count).to_int64() == expected);
            CHECK((ap_int<5>(word) << ap_int<4>(count)).to_int64() == expected);
            CHECK(((ap_int<70>(word) << 60) << (count - 60)).to_int64() == bits);  // nothing falls out of 70 bits
            const Target unsigned_five{5, 5, false, AP_TRN, AP_WRAP, 0};
            const auto low = word & 31, moved = count >= 0 ? low * (1 << count) : low >> -count;
            CHECK((ap_uint<5>(word) << count).to_int64() == fitted(moved, unsigned_five));
            ap_fixed<5, 2> fixed;
            fixed.range(4, 0) = word;
            CHECK(word_of<ap_fixed<5, 2>>(fixed << count, true) == expected);
            CHECK(word_of<ap_fixed<5, 2>>(fixed >> -count, true) == expected);
        }
    }
}

TEST_CASE("results of the arbitrary-precision types have the widths of HLS C++, so nothing wraps before it is assigned", "[hls]") {
    static_assert(std::is_same_v<decltype(ap_uint<4>() - ap_uint<4>()), ap_int<5>>);
    static_assert(std::is_same_v<decltype(ap_uint<4>() + ap_int<4>()), ap_int<6>>);
    static_assert(std::is_same_v<decltype(ap_uint<4>() * ap_int<7>()), ap_int<11>>);
    static_assert(std::is_same_v<decltype(ap_int<40>() * ap_int<40>()), ap_int<80>>);
    static_assert(std::is_same_v<decltype(ap_fixed<8, 4>() * ap_ufixed<6, 1>()), ap_fixed<14, 5>>);
    static_assert(std::is_same_v<decltype(ap_fixed<8, 4>() + ap_ufixed<6, 4>()), ap_fixed<10, 6>>);
    for (int a = 0; a < 16; ++a) {
        for (int b = 0; b < 16; ++b) {
            const ap_uint<4> x = a, y = b;
            const ap_int<4> s = a - 8, t = b - 8;
            INFO(a << " and " << b);
            CHECK((x - y).to_int() == a - b);
            CHECK((x - y < 0) == (a < b));
            CHECK((s + y).to_int() == a - 8 + b);
            CHECK((s * t).to_int() == (a - 8) * (b - 8));
            CHECK((s < y) == (a - 8 < b));
            CHECK((-s).to_int() == 8 - a);
            CHECK((s & t).to_int() == ((a - 8) & (b - 8)));
            CHECK((s ^ y).to_int() == ((a - 8) ^ b));
            CHECK((~x).to_int() == 15 - a);
            if (b != 8) CHECK((s / t).to_int() == (a - 8) / (b - 8));
            if (b != 8) CHECK((s % t).to_int() == (a - 8) % (b - 8));
            const ap_fixed<4, 1> p = s.to_int() / 8.0;
            const ap_ufixed<4, 2> q = y.to_int() / 4.0;
            CHECK((p + q).to_double() == (a - 8) / 8.0 + b / 4.0);
            CHECK((p - q).to_double() == (a - 8) / 8.0 - b / 4.0);
            CHECK((p * q).to_double() == (a - 8) / 8.0 * (b / 4.0));
            CHECK((p < q) == ((a - 8) / 8.0 < b / 4.0));
            CHECK((-p).to_double() == (8 - a) / 8.0);
            CHECK((p + 3).to_double() == (a - 8) / 8.0 + 3);
        }
    }
}

TEST_CASE("arbitrary-precision integers beyond 64 bits are exact", "[hls]") {
    const ap_int<40> a = -(std::int64_t{1} << 39), b = (std::int64_t{1} << 39) - 1;
    const ap_int<80> product = a * b;  // -2^78 + 2^39
    CHECK(((product >> 39) + 1).to_int64() == -(std::int64_t{1} << 39) + 2);
    CHECK(product < 0);
    CHECK(product != a);
    CHECK(product / a == b);
    CHECK((product - product) == 0);
    const ap_uint<64> all = ~ap_uint<64>(0);
    CHECK((all + 1).to_uint64() == 0);  // in 66 bits: the low 64 of them
    CHECK((all + 1) > all);
    ap_fixed<80, 10, AP_RND_CONV, AP_SAT> wide = product >> 60;  // -2^18 saturates
    CHECK(wide.to_double() == -512);
    CHECK(wide.range(79, 79).to_int() == 1);
    CHECK(wide.range(78, 70).to_int() == 0);
}

TEST_CASE("bits of arbitrary-precision words are read and written", "[hls]") {
    ap_int<12> word = 0;
    word.range(7, 4) = 11;
    CHECK(word.to_int() == 176);
    word[11] = true;
    CHECK(word.to_int() == 176 - 2048);
    CHECK(word(11, 4).to_int() == 139);
    CHECK(static_cast<bool>(word[4]));
    CHECK_FALSE(static_cast<bool>(word[6]));
    ap_uint<12> number = 176;
    CHECK(number.countLeadingZeros() == 4);
    number = 0;
    CHECK(number.countLeadingZeros() == 12);
    CHECK(ap_int<8>(ap_fixed<8, 4>(-2.75)).to_int() == -2);  // towards zero, as C++ does
    CHECK(ap_int<8>(2.75).to_int() == 2);
    ap_uint<3> count = 7;
    CHECK((++count).to_int() == 0);
    CHECK((count--).to_int() == 0);
    CHECK(count == 7);
    const std::array<int, 8> table{10, 11, 12, 13, 14, 15, 16, 17};
    CHECK(table[count] == 17);
}

}  // namespace prelude::experiments
