// SPDX-License-Identifier: Apache-2.0
#pragma once

// docs/numerics.md sections 2 and 3: contractions, products of two values, reciprocals of rows.

#include "tests/support/oracle/integers.hpp"

namespace prelude::oracle {

/// q = clamp(z + RNE((M * P + B) 2^-n), lo, hi), P = RNE(Acc 2^-r); one entry per output channel.
struct Output {
    int operand_shift = 0;
    Words multiplier, offset, shift, zero;
    Word lo = 0, hi = 0;
};
/// RNE((M RNE(acc 2^-r) + B) 2^-n): before the zero point and the clamp.
[[nodiscard]] Big rescale_open(const Output& output, std::size_t channel, const Big& acc);
[[nodiscard]] Word rescale(const Output& output, std::size_t channel, const Big& acc);

struct Term {
    Word multiplier = 1;
    int exponent = 0;
    Word zero = 0;
};

struct Narrowing {
    enum class Kind { exact, wrap, saturate } kind = Kind::exact;
    int bits = 63;
    int chunk = 64;
};

/// A log-uniform operand: codes below `log_levels` are powers of two, the others steps.
struct HybridCode {
    Word log_levels = 0;  ///< 0: the operand is q - z
    int largest_shift = 0;
    int alignment = -1;   ///< -1: steps have a sum of their own
    [[nodiscard]] Word factor(std::size_t term, Word code) const;
};

/// Weights are constants: linear, convolution, transposed convolution.
struct Contraction {
    std::int64_t num_outputs = 0, depth = 0;
    Words weights;     ///< [N, K], centred
    HybridCode hybrid;
    std::vector<Term> terms;
    Words term_of;     ///< [K]; empty: all in term 0
    Narrowing narrowing;
    Output output;
};

/// Counts what narrowing changed.
struct Overflows {
    std::int64_t count = 0;
};

/// Acc of one output; codes [K].
[[nodiscard]] Big accumulate(const Contraction& form, const Word* codes, std::int64_t output, Overflows& overflows);

/// [.., K] -> [.., N].
[[nodiscard]] Words linear(const Contraction& form, const Words& codes, Overflows& overflows);

struct ImageShape {
    std::int64_t batch = 1, channels = 0, height = 0, width = 0;
    [[nodiscard]] std::int64_t size() const { return batch * channels * height * width; }
};
struct Kernel {
    std::int64_t side = 1, stride = 1, padding = 0;
};
/// [B,C,H,W] -> [B,O,H',W'].
[[nodiscard]] Words convolution(const Contraction& form, const Words& image, const ImageShape& shape, const Kernel& kernel, Overflows& overflows);
/// kernel = stride: [B,C,H,W] -> [B,O,kH,kW].
[[nodiscard]] Words transposed_convolution(const Contraction& form, const Words& image, const ImageShape& shape, std::int64_t side, Overflows& overflows);

/// Pixels [1,3,S,S] of which the top left content_height x content_width are real -> [1,N,S/p,S/p].
struct Patches {
    Contraction contraction;
    Words mean;  ///< per channel, RNE(256 mean)
    std::int64_t patch = 0;
};
[[nodiscard]] Word patch_offset(const Patches& form, std::int64_t output, std::int64_t real_rows, std::int64_t real_columns);
[[nodiscard]] Words patch_embedding(const Patches& form, const Words& image, const ImageShape& shape, std::int64_t content_height,
                                    std::int64_t content_width, Overflows& overflows);

/// 1/d ~ R 2^-(16 + L).
struct Reciprocal {
    Word mantissa = 0;
    int exponent = 0;
};
[[nodiscard]] Reciprocal reciprocal(const Big& d);

/// Both operands are computed values.
struct Product {
    enum class Left {
        plain,      ///< q - z
        powers,     ///< 2^(E - e), c = tau e + f
        companded,  ///< 2^(e + f/tau) - 1
        table,      ///< factors[c]
        bucket,     ///< 1 in the sum of the code
    };
    bool right_is_rows_of_outputs = false;  ///< right is [B,N,K], else [B,K,N]
    Left left = Left::plain;
    Word left_zero = 0, right_zero = 0;
    int tau = 1;
    int largest_shift = 0;                  ///< E
    Word zero_code = -1;
    Words factors;
    std::vector<Term> terms;
    bool row_scale = false;
    int row_fraction = 0;                   ///< F_z
    Narrowing narrowing;
    Output output;
};
/// What a left code multiplies with, and the sums it belongs to.
struct Operand {
    Word factor = 0;
    std::size_t term = 0;
};
using Operands = std::vector<Operand>;
[[nodiscard]] Operands decode(const Product& form, Word code);
[[nodiscard]] Big row_divisor(const Product& form, const Word* left, std::int64_t depth);
/// [B,M,K] x [B,N,K] or [B,K,N] -> [B,M,N].
struct ProductShape {
    std::int64_t batch = 1, m = 0, n = 0, k = 0;
};
[[nodiscard]] Words product(const Product& form, const Words& left, const Words& right, const ProductShape& shape, Overflows& overflows);

}  // namespace prelude::oracle
