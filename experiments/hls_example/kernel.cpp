// SPDX-License-Identifier: Apache-2.0
#include "kernel.h"

#include "arithmetic.h"

// ---- LayerNorm: a token at a time -------------------------------------------------------------------------------------------------------------

namespace {

constexpr int kChannelBits = ceil_log2(norm2::kInputs);
typedef ap_int<norm2::input0_t::width + kChannelBits> norm_sum_t;             // sum of x
typedef ap_uint<2 * norm2::input0_t::width + kChannelBits - 1> norm_squares_t;  // sum of x^2

struct Root {
    norm2::root_t mantissa;  // y: 1 / sqrt(V) = y 2^-(16 + e)
    ap_uint<5> exponent;     // e
};

/// A guess from a table of 192 entries and one Newton step without a division: V = m 4^e, m in [1, 4).
Root reciprocal_root(norm2::variance_t v) {
#pragma HLS inline off
    const int length = norm2::variance_t::width - v.countLeadingZeros();
    const ap_uint<5> e = (length - 1) / 2;
    const ap_uint<22> m = v << (20 - 2 * e);  // 20 fraction bits; a negative count shifts right, and truncates
    const ap_uint<8> index = (m >> 14) - 64;
    const norm2::root_seed_t s = norm2::kRootSeed[index];
    const ap_int<48> factor = (ap_int<48>(3) << 44) - m * s * s;
    const ap_int<61> product = factor * s;
    const ap_int<61> y = round_half_even<61>(product, 41);
    Root root;
    root.mantissa = y > 65535 ? ap_int<61>(65535) : y;
    root.exponent = e;
    return root;
}

}  // namespace

void layer_norm(const norm2::input0_t* in, norm2::output_t* out) {
#pragma HLS interface m_axi port=in bundle=gmem0
#pragma HLS interface m_axi port=out bundle=gmem1
    norm2::input0_t row[norm2::kInputs];
rows:
    for (int r = 0; r < norm2::kRows; ++r) {
        norm_sum_t sum = 0;
        norm_squares_t squares = 0;
    gather:
        for (int c = 0; c < norm2::kInputs; ++c) {
#pragma HLS pipeline II=1
            const norm2::input0_t x = in[r * norm2::kInputs + c];
            row[c] = x;
            sum += x;
            squares += x * x;
        }
        // D sum x^2 - (sum x)^2 + eps D^2 instead of a variance: no division, and the mean is never rounded.
        const ap_int<64> v = squares * ap_uint<kChannelBits + 1>(norm2::kInputs) - sum * sum + ap_int<62>(norm2::kEpsilon);
        const Root root = reciprocal_root(v < 1 ? ap_int<64>(1) : v);
        const int shift = 16 + root.exponent - norm2::kNormalisedFraction;
    scatter:
        for (int c = 0; c < norm2::kInputs; ++c) {
#pragma HLS pipeline II=1
            const ap_int<norm_sum_t::width + 2> centred = row[c] * ap_uint<kChannelBits + 1>(norm2::kInputs) - sum;
            const ap_int<norm_sum_t::width + 18> scaled = centred * root.mantissa;
            const norm2::normalised_t t = clamp<norm2::normalised_t>(round_half_even(scaled, shift), -(1 << 19), (1 << 19) - 1);
            out[r * norm2::kInputs + c] = rescale<norm2::output_t>(t, norm2::kRescaleMultiplier[c], norm2::kRescaleOffset[c], norm2::kRescaleShift[c],
                                                                   norm2::kRescaleZeroPoint[c], norm2::kRescaleLo, norm2::kRescaleHi);
        }
    }
}

// ---- Linear layers: tiles of rows x outputs, all of K past them ---------------------------------------------------------------------------------

namespace {

constexpr int kTileRows = 16, kTileOutputs = 16, kTileInputs = 32;

constexpr int smaller(int a, int b) { return a < b ? a : b; }

/// Weights [outputs, inputs] of one tile; what lies outside is 0 and adds nothing.
template <class Weight>
void load_weights(const Weight* weights, Weight tile[kTileOutputs][kTileInputs], int first_output, int first_input, int outputs, int inputs) {
load_weights:
    for (int o = 0; o < kTileOutputs; ++o) {
        for (int k = 0; k < kTileInputs; ++k) {
#pragma HLS pipeline II=1
            const bool inside = first_output + o < outputs && first_input + k < inputs;
            tile[o][k] = inside ? weights[(first_output + o) * inputs + first_input + k] : Weight(0);
        }
    }
}

/// Acc = sum over terms of m_t 2^x_t A_t: once an output, behind all of K.
template <class Accumulator, class Product, class Multiplier, class Exponent, int Terms>
Accumulator combine(const Product sums[Terms], const Multiplier multiplier[Terms], const Exponent exponent[Terms]) {
#pragma HLS inline
    Accumulator acc = 0;
terms:
    for (int t = 0; t < Terms; ++t) {
#pragma HLS unroll
        const Accumulator scaled = sums[t] * ap_uint<17>(multiplier[t]);
        acc += scaled << exponent[t];
    }
    return acc;
}

}  // namespace

// Three groups of channels, each with its scale and zero point: a term per group. The zero point leaves with the load of the tile, so that a lane
// multiplies what it finds; which term a channel belongs to is a constant of the channel.
void linear1(const lin1::input0_t* in, const lin1::weight_t* weights, lin1::accumulator_t* accumulators, lin1::output_t* out) {
#pragma HLS interface m_axi port=in bundle=gmem0
#pragma HLS interface m_axi port=weights bundle=gmem1
#pragma HLS interface m_axi port=accumulators bundle=gmem2
#pragma HLS interface m_axi port=out bundle=gmem2
    typedef ap_int<lin1::input0_t::width + 1> centred_t;
    centred_t operands[kTileRows][kTileInputs];
    lin1::weight_t tile[kTileOutputs][kTileInputs];
    lin1::product_t sums[kTileRows][kTileOutputs][lin1::kNumTerms];
#pragma HLS array_partition variable=operands complete dim=2
#pragma HLS array_partition variable=tile complete dim=2
#pragma HLS array_partition variable=sums complete dim=3
row_tiles:
    for (int r0 = 0; r0 < lin1::kRows; r0 += kTileRows) {
        const int num_rows = smaller(kTileRows, lin1::kRows - r0);
    output_tiles:
        for (int o0 = 0; o0 < lin1::kOutputs; o0 += kTileOutputs) {
            const int num_outputs = smaller(kTileOutputs, lin1::kOutputs - o0);
        clear:
            for (int r = 0; r < kTileRows; ++r)
                for (int o = 0; o < kTileOutputs; ++o)
                    for (int t = 0; t < lin1::kNumTerms; ++t) sums[r][o][t] = 0;
        input_tiles:
            for (int k0 = 0; k0 < lin1::kInputs; k0 += kTileInputs) {
                const int num_inputs = smaller(kTileInputs, lin1::kInputs - k0);
                load_weights(weights, tile, o0, k0, lin1::kOutputs, lin1::kInputs);
            load_operands:
                for (int r = 0; r < num_rows; ++r) {
                    for (int k = 0; k < num_inputs; ++k) {
#pragma HLS pipeline II=1
                        operands[r][k] = in[(r0 + r) * lin1::kInputs + k0 + k] - ap_uint<16>(lin1::kTermsZeroPoint[lin1::kTermOf[k0 + k]]);
                    }
                }
            products:
                for (int r = 0; r < num_rows; ++r) {
                    for (int o = 0; o < num_outputs; ++o) {
#pragma HLS pipeline II=1
                    lanes:
                        for (int k = 0; k < num_inputs; ++k) {
#pragma HLS unroll
                            sums[r][o][lin1::kTermOf[k0 + k]] += operands[r][k] * tile[o][k];
                        }
                    }
                }
            }
        finish:
            for (int r = 0; r < num_rows; ++r) {
                for (int o = 0; o < num_outputs; ++o) {
#pragma HLS pipeline II=1
                    const lin1::accumulator_t acc = combine<lin1::accumulator_t, lin1::product_t, std::uint16_t, std::uint8_t, lin1::kNumTerms>(
                        sums[r][o], lin1::kTermsMultiplier, lin1::kTermsExponent);
                    const int channel = o0 + o, word = (r0 + r) * lin1::kOutputs + channel;
                    const lin1::operand_t p = round_half_even(acc, lin1::kRescaleOperandShift);
                    accumulators[word] = acc;
                    out[word] = rescale<lin1::output_t>(p, lin1::kRescaleMultiplier[channel], lin1::kRescaleOffset[channel], lin1::kRescaleShift[channel],
                                                        lin1::kRescaleZeroPoint[channel], lin1::kRescaleLo, lin1::kRescaleHi);
                }
            }
        }
    }
}

// ---- GELU: one table from code to code, rounding and the hybrid code of the result included --------------------------------------------------

void gelu_table(const gelu::input0_t* in, gelu::output_t* out) {
#pragma HLS interface m_axi port=in bundle=gmem0
#pragma HLS interface m_axi port=out bundle=gmem1
lookup:
    for (int i = 0; i < gelu::kInput0Elements; ++i) {
#pragma HLS pipeline II=1
        const gelu::input0_t code = in[i];
        out[i] = gelu::kTable[code];
    }
}

// Hybrid codes: below kCodeLogLevels a power of two, from there on uniform steps above the largest power. Two sums over all of K, one of shifted
// weights, one of weights times steps; no multiplier is needed for the first.
void linear2(const lin2::input0_t* in, const lin2::weight_t* weights, lin2::accumulator_t* accumulators, lin2::output_t* out) {
#pragma HLS interface m_axi port=in bundle=gmem0
#pragma HLS interface m_axi port=weights bundle=gmem1
#pragma HLS interface m_axi port=accumulators bundle=gmem2
#pragma HLS interface m_axi port=out bundle=gmem2
    struct Operand {
        bool power;                        // whether a power of two is in it
        ap_uint<5> places;                 // of the power
        ap_uint<lin2::kCodeBits> step;
    };
    typedef ap_int<lin2::weight_t::width + lin2::kCodeShiftCap + 1> shifted_t;
    Operand operands[kTileRows][kTileInputs];
    lin2::weight_t tile[kTileOutputs][kTileInputs];
    lin2::product_t sums[kTileRows][kTileOutputs][2];
#pragma HLS array_partition variable=operands complete dim=2
#pragma HLS array_partition variable=tile complete dim=2
#pragma HLS array_partition variable=sums complete dim=3
row_tiles:
    for (int r0 = 0; r0 < lin2::kRows; r0 += kTileRows) {
        const int num_rows = smaller(kTileRows, lin2::kRows - r0);
    output_tiles:
        for (int o0 = 0; o0 < lin2::kOutputs; o0 += kTileOutputs) {
            const int num_outputs = smaller(kTileOutputs, lin2::kOutputs - o0);
        clear:
            for (int r = 0; r < kTileRows; ++r)
                for (int o = 0; o < kTileOutputs; ++o)
                    for (int t = 0; t < 2; ++t) sums[r][o][t] = 0;
        input_tiles:
            for (int k0 = 0; k0 < lin2::kInputs; k0 += kTileInputs) {
                const int num_inputs = smaller(kTileInputs, lin2::kInputs - k0);
                load_weights(weights, tile, o0, k0, lin2::kOutputs, lin2::kInputs);
            load_operands:
                for (int r = 0; r < num_rows; ++r) {
                    for (int k = 0; k < num_inputs; ++k) {
#pragma HLS pipeline II=1
                        const lin2::input0_t code = in[(r0 + r) * lin2::kInputs + k0 + k];
                        const bool is_power = code < lin2::kCodeLogLevels;
                        const int step = code.to_int() - lin2::kCodeLogLevels;  // 0: the zero code
                        Operand operand;
                        operand.power = is_power ? code <= lin2::kCodeShiftCap : step > 0;
                        operand.places = is_power && operand.power ? lin2::kCodeShiftCap - code.to_int() : lin2::kCodeShiftCap;
                        operand.step = is_power ? 0 : step;
                        operands[r][k] = operand;
                    }
                }
            products:
                for (int r = 0; r < num_rows; ++r) {
                    for (int o = 0; o < num_outputs; ++o) {
#pragma HLS pipeline II=1
                    lanes:
                        for (int k = 0; k < num_inputs; ++k) {
#pragma HLS unroll
                            const Operand& operand = operands[r][k];
                            const shifted_t weight = tile[o][k];
                            if (operand.power) sums[r][o][0] += weight << operand.places;
                            sums[r][o][1] += tile[o][k] * operand.step;
                        }
                    }
                }
            }
        finish:
            for (int r = 0; r < num_rows; ++r) {
                for (int o = 0; o < num_outputs; ++o) {
#pragma HLS pipeline II=1
                    const lin2::accumulator_t acc = combine<lin2::accumulator_t, lin2::product_t, std::uint16_t, std::uint8_t, 2>(
                        sums[r][o], lin2::kTermsMultiplier, lin2::kTermsExponent);
                    const int channel = o0 + o, word = (r0 + r) * lin2::kOutputs + channel;
                    const lin2::operand_t p = round_half_even(acc, lin2::kRescaleOperandShift);
                    accumulators[word] = acc;
                    out[word] = rescale<lin2::output_t>(p, lin2::kRescaleMultiplier[channel], lin2::kRescaleOffset[channel], lin2::kRescaleShift[channel],
                                                        lin2::kRescaleZeroPoint[channel], lin2::kRescaleLo, lin2::kRescaleHi);
                }
            }
        }
    }
}

// ---- Residual addition: the types do it -----------------------------------------------------------------------------------------------------

void residual_add(const add2::input0_t* left, const add2::input1_t* right, add2::output_t* out) {
#pragma HLS interface m_axi port=left bundle=gmem0
#pragma HLS interface m_axi port=right bundle=gmem1
#pragma HLS interface m_axi port=out bundle=gmem2
add:
    for (int i = 0; i < add2::kOutputElements; ++i) {
#pragma HLS pipeline II=1
        add2::input0_fixed_t a;
        add2::input1_fixed_t b;
        a.range(add2::input0_t::width - 1, 0) = left[i];
        b.range(add2::input1_t::width - 1, 0) = right[i];
        const add2::output_fixed_t sum = a + b;  // exact, then AP_RND_CONV to the output's point, then AP_SAT
        out[i] = sum.range(add2::output_t::width - 1, 0);
    }
}

// ---- Softmax: powers of sqrt(2) of the row's sum, by comparison --------------------------------------------------------------------------------

namespace {

constexpr int kTableBits = 6;
constexpr int kRestBits = softmax::kScoreFraction > kTableBits ? softmax::kScoreFraction - kTableBits : 0;
typedef ap_uint<softmax::input0_t::width + 1> distance_t;  // of a score from the row's largest
typedef ap_uint<softmax::kExpBits + ceil_log2(softmax::kInputs) + 1> exponential_sum_t;

/// 2^-d: the integer part shifts, 64 chords hold the fraction, and one rounding ends both.
softmax::exponential_t exponential(distance_t d) {
#pragma HLS inline
    const distance_t whole = d >> softmax::kScoreFraction;
    if (whole > softmax::kExpBits) return 0;
    const ap_uint<softmax::kScoreFraction + 1> fraction = d - (whole << softmax::kScoreFraction);
    const ap_uint<7> index = (ap_uint<softmax::kScoreFraction + kTableBits + 1>(fraction) << kTableBits) >> softmax::kScoreFraction;
    const ap_uint<kRestBits + 1> rest = fraction - ((fraction >> kRestBits) << kRestBits);
    const ap_uint<softmax::kExpBits + 1> left = softmax::kExpConstants[index], right = softmax::kExpConstants[index + 1];
    const ap_int<softmax::kExpBits + kRestBits + 4> chord = (ap_int<softmax::kExpBits + kRestBits + 4>(left) << kRestBits) - (left - right) * rest;
    return round_half_even(chord, kRestBits + whole.to_int());
}

/// e >= theta_c * sum with theta_c = mantissa * 2^exponent, without a division and exactly.
bool reaches(softmax::exponential_t e, exponential_sum_t sum, int c) {
#pragma HLS inline
    const ap_uint<63> scaled = ap_uint<63>(e) << -softmax::kThresholdExponent[c];
    return scaled >= sum * ap_uint<17>(softmax::kThresholdMantissa[c]);
}

}  // namespace

void softmax_rows(const softmax::input0_t* in, softmax::output_t* out) {
#pragma HLS interface m_axi port=in bundle=gmem0
#pragma HLS interface m_axi port=out bundle=gmem1
    softmax::input0_t scores[softmax::kInputs];
    softmax::exponential_t exponentials[softmax::kInputs];
rows:
    for (int r = 0; r < softmax::kRows; ++r) {
        softmax::input0_t top = in[r * softmax::kInputs];
    find_largest:
        for (int k = 0; k < softmax::kInputs; ++k) {
#pragma HLS pipeline II=1
            scores[k] = in[r * softmax::kInputs + k];
            if (scores[k] > top) top = scores[k];
        }
        exponential_sum_t sum = 0;
    exponentials:
        for (int k = 0; k < softmax::kInputs; ++k) {
#pragma HLS pipeline II=1
            exponentials[k] = exponential(top - scores[k]);
            sum += exponentials[k];
        }
    code:
        for (int k = 0; k < softmax::kInputs; ++k) {
#pragma HLS pipeline II=1
            int code = softmax::kZeroCode >= 0 ? softmax::kZeroCode : softmax::kNumLevels - 1;  // below every threshold
        compare:
            for (int c = softmax::kNumLevels - 1; c >= 0; --c) {
#pragma HLS unroll
                if (reaches(exponentials[k], sum, c)) code = c;  // thresholds fall with the code: the smallest that is reached stays
            }
            out[r * softmax::kInputs + k] = code;
        }
    }
}

// ---- Requantize: words of the residual stream to codes of an operand ------------------------------------------------------------------------------

void requantize_words(const requantize::input0_t* in, requantize::output_t* out) {
#pragma HLS interface m_axi port=in bundle=gmem0
#pragma HLS interface m_axi port=out bundle=gmem1
rows:
    for (int r = 0; r < requantize::kRows; ++r) {
    channels:
        for (int c = 0; c < requantize::kInputs; ++c) {
#pragma HLS pipeline II=1
            const int word = r * requantize::kInputs + c;
            out[word] = rescale<requantize::output_t>(in[word], requantize::kRescaleMultiplier[c], requantize::kRescaleOffset[c], requantize::kRescaleShift[c],
                                                      requantize::kRescaleZeroPoint[c], requantize::kRescaleLo, requantize::kRescaleHi);
        }
    }
}
