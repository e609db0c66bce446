// SPDX-License-Identifier: Apache-2.0
#pragma once

// docs/numerics.md sections 4 and 5: softmax, layer normalisation, tables, additions, relative positions, prompts, resizing.

#include "tests/support/oracle/contraction.hpp"

namespace prelude::oracle {

/// How 2^-u of a fraction is made: chords of a table, a polynomial of second order, 1 - u/2.
enum class Exponential { chords, polynomial, line };

struct Softmax {
    int score_fraction = 0;  ///< F
    int bits = 4;
    int tau = 0;             ///< 0: uniform codes
    Word levels = 0;         ///< L
    Word zero_code = -1;
    bool row_scale = true;
    int exp_bits = 16;
    Exponential exponential = Exponential::chords;
    Words threshold_mantissa, threshold_exponent;
};
/// EXP(d): 2^-d of d in 2^-F.
[[nodiscard]] Word exp2_of(const Softmax& form, Word d);
[[nodiscard]] Words softmax_row(const Softmax& form, const Words& scores);

struct ReciprocalRoot {
    Word mantissa = 0;
    int exponent = 0;
};
/// By products; by division: the whole root, or what ten Newton steps make of it.
enum class Root { products, whole, ten_steps };
/// 1/sqrt(v) ~ mantissa 2^-(16 + exponent).
[[nodiscard]] ReciprocalRoot reciprocal_root(const Big& v, Root root);

struct LayerNorm {
    Word epsilon = 1;
    int fraction = 0;  ///< F_t
    Root root = Root::products;
    Output output;
};
[[nodiscard]] Words layer_norm_row(const LayerNorm& form, const Words& x);

struct Table {
    int input_bits = 8;
    int guard_bits = 0;  ///< 0: entry per code
    Words entries;
    Word lo = 0, hi = 0;
};
[[nodiscard]] Word lookup(const Table& form, Word code);

struct Add {
    int left_shift = 0, right_shift = 0, output_shift = 0, bits = 16;
};
[[nodiscard]] Word add(const Add& form, Word left, Word right);

struct RelativePosition {
    std::int64_t height = 0, width = 0, head_dim = 0;
    Word q_zero = 0;
    Words table_height, table_width;
    Output output_height, output_width;
    int score_bits = 16;
};
/// scores [B,HW,HW] + terms of q [B,HW,d].
[[nodiscard]] Words relative_position(const RelativePosition& form, const Words& scores, const Words& q);

struct Prompt {
    Word image_size = 0, num_frequencies = 0;
    Words frequency;   ///< [2, F]
    Words labels;      ///< [5, 2F]
    int fraction = 0, bits = 16;
};
[[nodiscard]] Words prompt_row(const Prompt& form, Word x, Word y, Word label);

struct Resize {
    int guard_bits = 0, bits = 22;
    std::int64_t height = 0, width = 0;            ///< before the crop
    std::int64_t crop_height = 0, crop_width = 0;  ///< 0: no crop
};
/// The samples between which output `index` of n_out lies, and the weight of the second in 2^-11.
struct Tap {
    Word first = 0, second = 0, weight = 0;
};
[[nodiscard]] Tap tap(Word index, Word n_in, Word n_out);
[[nodiscard]] Words resize(const Resize& form, const Words& image, const ImageShape& shape);

}  // namespace prelude::oracle
