// SPDX-License-Identifier: Apache-2.0
#pragma once

// The independent oracle: the integer forms of docs/numerics.md written a second time, from that page alone, in the plainest way.
// It includes nothing of quant/ (tests/layering.sh). Sums that 64 bits provably hold are taken in 64 bits, everything behind
// them in 512-bit integers that throw on overflow: the oracle cannot share an overflow with what it checks.

#include <boost/multiprecision/cpp_int.hpp>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace prelude::oracle {

using Word = std::int64_t;
using Words = std::vector<Word>;
using Big = boost::multiprecision::checked_int512_t;

inline void require(bool condition, const char* what) {
    if (!condition) throw std::logic_error(what);
}

[[nodiscard]] inline Big power_of_two(int n) { return Big(1) << n; }

/// Largest integer not above numerator / denominator; denominator > 0.
[[nodiscard]] inline Big floor_divide(const Big& numerator, const Big& denominator) {
    Big quotient, rest;
    boost::multiprecision::divide_qr(numerator, denominator, quotient, rest);  // towards zero
    if (rest < 0) quotient -= 1;
    return quotient;
}

/// numerator / denominator rounded to the nearest integer, ties to the even one; denominator > 0.
[[nodiscard]] inline Big rne_divide(const Big& numerator, const Big& denominator) {
    const Big below = floor_divide(numerator, denominator);
    const Big twice_rest = (numerator - below * denominator) * 2;
    if (twice_rest < denominator) return below;
    if (twice_rest > denominator) return below + 1;
    return below % 2 == 0 ? below : below + 1;
}

/// RNE(v 2^-n); n <= 0: the exact product.
[[nodiscard]] inline Big rne(const Big& v, int n) { return n <= 0 ? Big(v * power_of_two(-n)) : rne_divide(v, power_of_two(n)); }

[[nodiscard]] inline Big clamp(const Big& v, const Big& lo, const Big& hi) { return v < lo ? lo : v > hi ? hi : v; }

/// sat_n(v)
[[nodiscard]] inline Big saturate(const Big& v, int bits) { return clamp(v, -power_of_two(bits - 1), power_of_two(bits - 1) - 1); }

/// The signed n-bit word congruent to v mod 2^n.
[[nodiscard]] inline Big wrap(const Big& v, int bits) {
    Big rest = v - floor_divide(v, power_of_two(bits)) * power_of_two(bits);
    return rest >= power_of_two(bits - 1) ? Big(rest - power_of_two(bits)) : rest;
}

/// |v|_bits: bits up to the leading one; 0 for 0.
[[nodiscard]] inline int bits_of(const Big& v) { return v == 0 ? 0 : static_cast<int>(boost::multiprecision::msb(v)) + 1; }

[[nodiscard]] inline Word to_word(const Big& v) {
    require(v >= INT64_MIN && v <= INT64_MAX, "oracle: a word does not fit 64 bits");
    return static_cast<Word>(v);
}

/// ceil(log2(n)), n >= 1.
[[nodiscard]] inline int ceil_log2(const Big& n) { return bits_of(n - 1); }

}  // namespace prelude::oracle
