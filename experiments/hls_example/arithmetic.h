// SPDX-License-Identifier: Apache-2.0
#pragma once

// The rounding and the rescale that every layer ends with (docs/numerics.md sections 1 and 2).

#include "prelude_ap_types.h"

/// v * 2^-shift, half to even. Where the shift is a constant, an assignment to ap_fixed<.., AP_RND_CONV> is the same; here it differs by channel.
/// shift <= 0: v itself moved up; the caller's word has room.
template <int W>
ap_int<W> round_half_even(ap_int<W> v, int shift) {
#pragma HLS inline
    const ap_int<W> below = v >> shift;  // a negative count moves up
    if (shift <= 0) return below;
    if (shift > W) return 0;
    const ap_int<W> rest = v - (below << shift);
    const ap_uint<W> half = ap_uint<W>(1) << (shift - 1);
    const bool up = rest > half || (rest == half && below[0]);
    return below + ap_uint<1>(up);
}

template <class Word, class Value>
Word clamp(const Value& v, int lo, int hi) {
#pragma HLS inline
    return v < lo ? Word(lo) : v > hi ? Word(hi) : Word(v);
}

constexpr int ceil_log2(int n) { return n <= 1 ? 0 : 1 + ceil_log2((n + 1) / 2); }
constexpr int largest(int a, int b) { return a > b ? a : b; }

/// q = clamp(z + RNE((M * P + B) * 2^-n), lo, hi): M has 17 bits with its sign, P up to 33, B less than 62. Saturation comes last and once.
template <class Word, int W>
Word rescale(ap_int<W> p, ap_int<17> multiplier, ap_int<62> offset, int shift, ap_int<17> zero_point, int lo, int hi) {
#pragma HLS inline
    const ap_int<64> sum = multiplier * p + offset;
    const ap_int<63> y = round_half_even<64>(sum, shift);  // n >= 1
    return clamp<Word>(zero_point + y, lo, hi);
}
