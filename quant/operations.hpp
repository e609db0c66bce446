// SPDX-License-Identifier: Apache-2.0
#pragma once

// The integers of every operator after calibration: one struct per kind of node. No floating point is left.
// What each computes is docs/numerics.md; the arithmetic over these structs stands in quant/arithmetic/.

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "models/tensor.hpp"
#include "quant/settings.hpp"

namespace prelude::quant {

using models::IntTensor;
using models::Shape;

/// Acc -> output word: q = clamp(z + RNE((M * P + B) * 2^-n), lo, hi),  P = RNE(Acc * 2^-operand_shift).
/// Vectors have one entry per output channel.
struct Rescale {
    int operand_shift = 0;
    std::vector<std::int32_t> multiplier;  ///< M_o, |M| < 2^16
    std::vector<std::int64_t> offset;      ///< B_o
    std::vector<std::int32_t> shift;       ///< n_o in [1, 40]
    std::vector<std::int32_t> zero_point;  ///< z_y
    std::int32_t lo = 0, hi = 0;
    friend bool operator==(const Rescale&, const Rescale&) = default;
};

/// One term of a contraction: constant m * 2^x and the zero point of its activation codes.
struct Term {
    std::uint32_t multiplier = 1;
    int exponent = 0;
    std::int32_t zero_point = 0;
    friend bool operator==(const Term&, const Term&) = default;
};

/// Width study of the accumulators A_t (`exact` is the definition; see docs/numerics.md section 2).
struct Accumulator {
    AccumulatorOverflow overflow = AccumulatorOverflow::exact;
    int bits = 63;
    int chunk = 64;
    friend bool operator==(const Accumulator&, const Accumulator&) = default;
};

enum class OperandKind {
    uniform,      ///< q - z in one term
    logarithmic,  ///< c = tau e + f: 2^(E - e) in term f
    hybrid,       ///< log levels and uniform steps side by side (docs/numerics.md section 3)
    companded,    ///< c = tau e + f: 2^e in term f, less 1 in term 0
    table,        ///< the factor stands in a table of all codes
    bucket,       ///< 1 in the term of the code: its constant is what `table` multiplies with
};

/// How the code of a left operand enters a sum of products.
struct OperandCode {
    OperandKind kind = OperandKind::uniform;
    int bits = 8;                 ///< width of a logarithmic or hybrid code
    int tau = 1;                  ///< logarithmic, companded: steps per power of two, as many terms
    int shift_cap = 0;            ///< E: largest shift that occurs
    std::int32_t zero_code = -1;  ///< logarithmic: code that decodes to 0; -1: none
    int log_levels = 0;           ///< hybrid: codes below are shifts, those from here on steps j = c - log_levels; j = 0 decodes to 0
    int alignment = -1;           ///< hybrid: a step is 2^alignment in the one sum; -1: a term of its own
    std::vector<std::int32_t> factors;  ///< table: by code, not negative
    friend bool operator==(const OperandCode&, const OperandCode&) = default;

    [[nodiscard]] int num_terms() const noexcept {
        switch (kind) {
            case OperandKind::logarithmic:
            case OperandKind::companded: return tau;
            case OperandKind::hybrid: return alignment < 0 ? 2 : 1;
            case OperandKind::bucket: return (1 << bits) - 1;
            case OperandKind::uniform:
            case OperandKind::table: return 1;
        }
        return 1;
    }
};

/// Linear, convolution, transposed convolution: weights are constants.
struct Contraction {
    std::int64_t num_outputs = 0, depth = 0;  ///< N, K; convolution: K = C*k*k in (c, ky, kx) order; transposed: N = O*k*k in (o, ky, kx) order
    std::vector<std::int32_t> weights;        ///< [N, K] centred codes w - z_w
    int weight_bits = 8;
    bool weight_symmetric = true;
    OperandCode code;                         ///< of the activation; hybrid: terms are its own, there are no groups
    std::vector<Term> terms;
    std::vector<std::int32_t> term_of;        ///< [K]; empty = all in term 0
    int product_bits = 0, accumulator_bits = 0;
    Accumulator accumulator;
    Rescale rescale;                          ///< per output channel (transposed convolution: per o)
    friend bool operator==(const Contraction&, const Contraction&) = default;
};

/// Patch embedding: pixels are the operand; the mean enters through the offset of valid pixels only.
struct PatchEmbedding {
    Contraction contraction;                ///< weights have the deviation folded in; z = 0
    std::array<std::int64_t, 3> mean_q8{}; ///< channel means in 2^-8 of a pixel step
    std::int64_t patch = 0;
    friend bool operator==(const PatchEmbedding&, const PatchEmbedding&) = default;
};

/// Product of two computed operands. Left: codes with zero point, or probabilities.
struct Product {
    bool transpose_right = false;
    int left_bits = 8, right_bits = 8;
    std::int32_t left_zero_point = 0, right_zero_point = 0;
    OperandCode code;                 ///< of the left operand
    std::vector<Term> terms;          ///< one, or those of the code
    int product_bits = 0, accumulator_bits = 0;
    bool row_normalised = false;      ///< divide by the row's sum of decoded codes (16-bit reciprocal)
    int normalised_fraction = 0;      ///< fraction bits of the normalised operand
    Accumulator accumulator;
    Rescale rescale;                  ///< one entry
    friend bool operator==(const Product&, const Product&) = default;
};

/// scores + q.Rh + q.Rw, each rescaled without clamping, added, saturated once.
struct RelativePositionOp {
    std::int64_t height = 0, width = 0, head_dim = 0;
    std::int32_t q_zero_point = 0;
    int q_bits = 8, table_bits = 8;
    std::vector<std::int32_t> table_height, table_width;  ///< [2H-1, d], [2W-1, d] signed codes
    Rescale rescale_height, rescale_width;                ///< one entry, lo/hi the int32 range
    int score_bits = 16;
    friend bool operator==(const RelativePositionOp&, const RelativePositionOp&) = default;
};

/// How softmax makes 2^-u of a fraction u in [0, 1) (docs/numerics.md section 4).
enum class Exponential {
    table,       ///< 65 entries and the chord between two
    polynomial,  ///< second order, two products
    shift,       ///< 1 - u/2, a subtraction
};

/// How a norm makes 1/sqrt(V) (docs/numerics.md section 5).
enum class Root {
    seeded,    ///< a table's guess and one step of products
    newton,    ///< divisions until the root falls no more, then its reciprocal
    repeated,  ///< the same with ten divisions, whatever they give
};

struct SoftmaxOp {
    int score_fraction = 8;  ///< F: scores are integers in 2^-F log2 units
    int bits = 4;            ///< code width
    int tau = 0;             ///< logarithmic codes: 1, 2, 4; 0: codes that ascend with the probability, uniform or companded
    int num_levels = 0;      ///< logarithmic: codes 0 .. num_levels-1 carry values
    std::int32_t zero_code = -1;
    ScaleMode scale = ScaleMode::row;
    int exp_bits = 16;
    Exponential exponential = Exponential::table;
    std::vector<std::int32_t> exp_constants;  ///< table: T[0..64]; polynomial: square A and slope B; shift: none
    /// Code thresholds as mantissa * 2^exponent, descending for logarithmic codes, ascending for others (row and tensor scales of section 4).
    std::vector<std::int64_t> threshold_mantissa;
    std::vector<std::int32_t> threshold_exponent;
    friend bool operator==(const SoftmaxOp&, const SoftmaxOp&) = default;
};

struct LayerNormOp {
    std::int64_t channels = 0;
    std::int64_t epsilon = 1;       ///< round(eps * D^2 * 4^F), at least 1
    int normalised_fraction = 13;   ///< fraction bits of t
    Root root = Root::seeded;
    Rescale rescale;                ///< per channel: gamma, beta, next scale and zero point; operand_shift = 0
    friend bool operator==(const LayerNormOp&, const LayerNormOp&) = default;
};

/// Code to code by table; inputs wider than 10 bits by 256 linear segments.
struct TableOp {
    int input_bits = 8;
    int guard_bits = 0;               ///< fraction bits of the segment entries; 0 for a direct table
    std::vector<std::int32_t> table;  ///< 2^input_bits entries, or 257 segment ends
    std::int32_t lo = 0, hi = 0;
    friend bool operator==(const TableOp&, const TableOp&) = default;
};

/// (a * 2^left_shift + b * 2^right_shift) * 2^-output_shift, rounded once, saturated.
struct AddOp {
    int left_shift = 0, right_shift = 0, output_shift = 0;
    int bits = 16;
    friend bool operator==(const AddOp&, const AddOp&) = default;
};

/// Residual stream -> codes: the rescale with K = 1, per channel.
struct RequantizeOp {
    Rescale rescale;
    friend bool operator==(const RequantizeOp&, const RequantizeOp&) = default;
};

struct ConstantOp {
    IntTensor values;
    friend bool operator==(const ConstantOp&, const ConstantOp&) = default;
};

/// Fraction bits of a prompt coordinate in pixels.
inline constexpr int kCoordinateFraction = 8;

/// Fourier features by integer phase and a sine table, plus label embeddings, rounded once.
struct PromptOp {
    std::int64_t image_size = 0, num_frequencies = 0;
    std::vector<std::int64_t> frequency;      ///< [2, F] turns per 2^-8 pixel, in 2^-32
    std::vector<std::int32_t> label_embedding;  ///< [5, 2F] in 2^-15: not-a-point, labels 0..3
    int output_fraction = 0, bits = 16;
    friend bool operator==(const PromptOp&, const PromptOp&) = default;
};

/// Index maps: window partition fills missing tokens with `padding` per channel (the code of the real 0).
struct MoveOp {
    std::vector<std::int32_t> padding;
    friend bool operator==(const MoveOp&, const MoveOp&) = default;
};

/// Bilinear taps of 11-bit weights; the sum keeps `guard_bits` more fraction bits than the input.
struct ResizeOp {
    int guard_bits = 0;
    int bits = 22;
    friend bool operator==(const ResizeOp&, const ResizeOp&) = default;
};

using Operation = std::variant<Contraction, PatchEmbedding, Product, RelativePositionOp, SoftmaxOp, LayerNormOp, TableOp, AddOp, RequantizeOp,
                               ConstantOp, PromptOp, MoveOp, ResizeOp>;

}  // namespace prelude::quant
