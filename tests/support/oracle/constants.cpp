// SPDX-License-Identifier: Apache-2.0
#include "tests/support/oracle/constants.hpp"

#include <algorithm>
#include <cmath>
#include <boost/math/constants/constants.hpp>
#include <boost/multiprecision/cpp_bin_float.hpp>

namespace prelude::oracle {

namespace {
using Real = boost::multiprecision::cpp_bin_float_50;

/// Nearest integer; irrational arguments have no ties.
Word nearest(const Real& x) { return static_cast<Word>(floor(x + Real(0.5))); }
}  // namespace

Words exp_table(int bits) {
    const Real one = Real((Word{1} << bits) - 1);
    Words table;
    for (int i = 0; i < 64; ++i) table.push_back(nearest(one * pow(Real(2), -Real(i) / 64)));
    table.push_back(to_word(rne_divide(power_of_two(bits) - 1, 2)));  // 2^-1 exactly: the one tie
    return table;
}

Words exp_polynomial(int bits) {
    const Word top = (Word{1} << bits) - 1;
    const Real ln2 = boost::math::constants::ln_two<Real>();
    const Word square = nearest(Real("0.35815147") * ln2 * ln2 * top), slope = nearest(Real("0.96963238") * ln2 * top);
    return {square, std::min(slope, square + top / 2)};
}

namespace {
Word grid_word(double x) { return static_cast<Word>(std::nearbyint(x * 4096)); }
Word floor_word(const Real& x) { return static_cast<Word>(floor(x)); }
}  // namespace

double ibert_gelu(double x) {
    const Real a("-0.2888"), b("-1.769"), step = 1 / (4096 * sqrt(Real(2)));
    const Word word = grid_word(x), edge = floor_word(b / step), offset = floor_word(1 / (a * step * step)), one = floor_word(1 / (a * step * step * 16384));
    const Big part = std::min(word < 0 ? -word : word, -edge) + edge;
    const Big erf = part * part + offset;
    const Big rounded = floor_divide(word > 0 ? erf : word < 0 ? Big(-erf) : Big(0), power_of_two(14));
    return static_cast<double>(Real(to_word(word * (rounded + one))) * a * step * step * 16384 / 2 / 4096);
}

double ivit_gelu(double x) {
    const Word word = grid_word(x);
    const Big z = rne(Big(word) * nearest(Real("1.702") / boost::math::constants::ln_two<Real>() * 4096), 12);
    const Word d = to_word(z < 0 ? Big(-z) : z), whole = d / 4096, f = d % 4096;
    const Big one = power_of_two(23), e = floor_divide((2 * 4096 - f) * one, 2 * 4096 * power_of_two(static_cast<int>(std::min<Word>(whole, 400))));
    const Big factor = floor_divide(power_of_two(31) - 1, one + e);
    const Big sigmoid = floor_divide((z >= 0 ? one : e) * factor, power_of_two(24));
    return std::ldexp(static_cast<double>(to_word(word * sigmoid)), -19);
}

Words residue_constants(int tau) {
    if (tau == 1) return {1};
    Words constants;
    for (int f = 0; f < tau; ++f) constants.push_back(nearest(Real(65535) * pow(Real(2), -Real(f) / tau)));
    return constants;
}

Words root_seed() {
    Words seed;
    for (Word i = 0; i < 192; ++i) {
        const Word q = 129 + 2 * i;
        Word root = 0;  // the largest n with n - 1/2 <= sqrt(2^31 / q)
        while ((2 * root + 1) * (2 * root + 1) * q <= Word{1} << 33) ++root;
        seed.push_back(root);
    }
    return seed;
}

const Words& sine_table() {
    static const Words table = [] {
        Words words;
        for (int i = 0; i < 4096; ++i) words.push_back(nearest(Real(32767) * sin(2 * boost::math::constants::pi<Real>() * i / 4096)));
        return words;
    }();
    return table;
}

Word log_levels(int bits, int tau, int cap, bool zero) { return std::min<Word>((Word{1} << bits) - (zero ? 1 : 0), (Word{cap} + 1) * tau); }

int useful_bits(int tau, int cap) { return ceil_log2(Big(cap) * tau + tau + 1); }

int product_width(int activation_bits, int weight_bits, bool symmetric, std::int64_t depth, int shift) {
    return 1 + activation_bits + weight_bits - (symmetric ? 1 : 0) + ceil_log2(depth) + shift;
}

int largest_term_exponent(int product_width, int term_bits) { return std::clamp(63 - product_width - term_bits, 0, 6); }

int layer_norm_fraction(std::int64_t channels) {
    int half = 0;  // smallest with 4^half >= D
    while (power_of_two(2 * half) < channels) ++half;
    return 19 - half;
}

}  // namespace prelude::oracle
