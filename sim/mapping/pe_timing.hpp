// SPDX-License-Identifier: Apache-2.0
#pragma once

// How long the PE array is occupied by a tile: the one formula the mapper estimates with and the simulated array obeys.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "sim/design.hpp"
#include "sim/mapping/float_timing.hpp"

namespace prelude::sim {

/// The array as built: widths resolved (no 0), size given.
struct PeShape {
    int rows = 1, cols = 1, depth = 1, weight_bits = 8, activation_bits = 8;
    int shift_lanes = 0;  ///< shift-add lanes of an output: positions of K a cycle of a log-coded operand; 0: the slices shift
    int drain_rows = 1;   ///< rows of sums that leave the array a cycle
    PePrecision precision = PePrecision::packed;
    ZeroPoint zero_point = ZeroPoint::correct;
    Multiplier multiplier = Multiplier::dsp;
    DspPacking packing;  ///< of the slices as this array uses them; precision `fixed` never packs
    int float_bits = 0;  ///< floating-point elements: width of their operands (32, 16); 0: integers
    [[nodiscard]] constexpr std::int64_t post_lanes() const noexcept { return std::int64_t{cols} * drain_rows; }
    friend bool operator==(const PeShape&, const PeShape&) = default;
};

/// One kind of product on the array.
struct ProductForm {
    int left_bits = 8, right_bits = 8;  ///< left: what is multiplied; hybrid: a step, or the whole factor where steps are aligned; table: its entry
    int left_word_bits = 8;        ///< of a left word as it is stored
    bool left_is_log = false;      ///< the left operand is 2^(E - e), or 2^e - 1 over the residues
    bool has_steps = false;        ///< hybrid: beside 2^(E - e), a step of left_bits that is multiplied into a sum of its own
    int log_shift = 0;             ///< its largest shift E
    int num_residues = 1;          ///< sums of powers per output (fractional log base)
    bool prescaled = false;        ///< per-channel groups: the left operand enters multiplied by its 16-bit constant, 16 bits wider, no flushes
    bool left_zero_point = true, right_zero_point = false;
    std::vector<std::int64_t> term_ends{};  ///< ascending, last = K; one entry = one term
    bool shifted_terms = false;    ///< groups are scaled by a shift behind the adder tree: their sums meet in one accumulator and leave once
    int float_block = 0;           ///< floating point: products that meet in a balanced tree; 0: integers
    /// Sums per output that drain together.
    [[nodiscard]] constexpr int num_sums() const noexcept { return num_residues + (has_steps ? 1 : 0); }
    friend bool operator==(const ProductForm&, const ProductForm&) = default;
};

/// Width of an operand at the array's port; a log-coded left operand has none (below).
[[nodiscard]] int port_left_bits(const PeShape& pe, const ProductForm& form) noexcept;
[[nodiscard]] int port_right_bits(const PeShape& pe, const ProductForm& form) noexcept;

/// How an operand pair goes through the array: positions of K an output takes per cycle, how often K passes, into how many sums.
struct Stream {
    std::int64_t positions = 1;
    int passes = 1, sums = 1;
    std::int64_t block = 0;  ///< floating point: products of a tree; 0: sums have no order
    /// Beats in which `length` positions of K enter, and cycles the array takes for them.
    [[nodiscard]] constexpr std::int64_t beats(std::int64_t length) const noexcept {
        return block > 0 ? float_timing::beats(length, positions, block) : (length + positions - 1) / positions * passes;
    }
    [[nodiscard]] constexpr std::int64_t cycles(std::int64_t length) const noexcept {
        return block > 0 ? float_timing::sum_cycles(length, positions, block) : beats(length);
    }
    /// Weights held at a time where rows stream past them.
    [[nodiscard]] constexpr std::int64_t held() const noexcept { return block > 0 ? block : positions; }
};

/// The streams of an operand pair.
///
/// Uniform   positions = depth * fusion, passes = ceil(left / activation port) * ceil(right / weight port); `swap` exchanges the ports.
///           fusion, products one multiplier makes per cycle of this operand pair:
///             packed   DSP slices hold more products of narrow operands: r(operands) / r(ports), rounded down; 1 in LUT arrays
///             fused    LUT multipliers split into power-of-two narrower ones; DSP slices as packed
///             fixed    1
///           r: PeShape::packing
///
/// A log-coded operand 2^(E - e - f/tau) is not multiplied: its partner v is shifted by E - e, and one sum per residue f is kept. The array
/// has one of two shifters:
///   shift-add lanes (shift_lanes > 0; arrays of LUT multipliers have one at every multiplier)
///             barrel shifters in LUTs, steered by the code, and tau adder trees and accumulators beside the multipliers: one pass,
///             `shift_lanes` positions of K per output and cycle, whatever E and tau are
///   slices    (shift_lanes = 0) the multiplier is the shifter: the code enters one hot, E + 1 bits wide, and packs like any operand of
///             that width. A slice built for r(ports) products a cycle makes r(E + 1, v) of them: ceil(r(ports) / r(E + 1, v)) passes
///             where that is less, more products (fusion) where it is more; beyond 16 bits the one-hot word comes in parts. There is one
///             adder tree, so residues take turns: tau passes, in which codes of other residues enter as zero
/// Companded powers 2^e of tau > 1 have a sign bit beside them, for the -1 of other residues; bucket codes are powers 2^0 with a residue per code.
/// Floating point: positions = the power of two from min(depth, block) down, one pass; sums in the order of docs/numerics.md section 9, whose running
/// sum may hold the array (float_timing::sum_cycles).
/// A hybrid operand is such a power and a uniform step: two streams, side by side where the array has shift-add lanes, one after the other
/// where the slices shift. Aligned steps are one uniform operand.
/// Source    the multiplier as a shifter: Xilinx UG579; PTQ4SAM and AHCPTQ shift in logic
struct Streams {
    Stream first;
    std::optional<Stream> second;
    bool side_by_side = false;
    /// Cycles of what takes `cycles(stream)` in each.
    template <class Cycles>
    [[nodiscard]] constexpr auto combine(Cycles cycles) const noexcept {
        const auto one = cycles(first);
        if (!second) return one;
        const auto other = cycles(*second);
        return side_by_side ? std::max(one, other) : one + other;
    }
};
[[nodiscard]] Streams streams(const PeShape& pe, const ProductForm& form, bool swap) noexcept;

struct PeOccupancy {
    std::int64_t cycles = 0;                       ///< the array is taken
    std::int64_t stream_cycles = 0;                ///< of these, operands enter
    std::int64_t drained_rows = 0;                 ///< rows of sums that leave (post unit or partial-sum buffer)
    std::int64_t slots = 0;                        ///< multiply-accumulate slots of the stream cycles
    std::int64_t idle_slots = 0;                   ///< of the other cycles
    std::int64_t left_reads = 0, right_reads = 0;  ///< operand words that enter
    std::int64_t sum_rounds = 0;                   ///< weight stationary: times every sum goes through the partial-sum buffer
    std::int64_t flushes = 0;                      ///< term sums multiplied by their constant
};

/// Occupancy of `rows` x `cols` outputs over positions [begin, end) of K.
///
/// A stream has p positions, n passes and s sums; d = drain_rows, one sub-tile has R x C outputs. Streams combine by their sum, or by the larger side by side.
/// A piece is what forms one sum per output: it streams in and its sums leave, d rows of C a cycle, on the way to the partial-sum buffer. Accumulators
/// stand twice, so that sums leave while the next piece streams: a piece begins once the one before it has streamed and the one before that leaves its
/// last rows, sums leave in the order of the pieces. Cycles are those of a command among equal ones.
/// Output stationary (operands stream past R x C accumulators): for every sub-tile and every term t that meets [begin, end) a piece of
///   n * ceil(k_t / p) beats whose sums leave in ceil(used_rows / d) * s cycles; pieces alike take the larger of the two each               (1)
///   every term is padded to p; terms scaled by shifts are one piece with all their beats. A product of short K is bound by its drain. Zero points
///   that are taken out by row and column sums (`zero_point: correct`) cost a cycle of latency between accumulators and output, none of occupancy.
/// Weight stationary (p x C weights held, rows stream, sums live in the partial-sum buffer): for every ceil(cols / C) x ceil(k_t / p) weights held a
///   cycle that loads them, then a piece of n beats for every R rows, whose sums leave in ceil(used_rows / d) * s cycles                     (2)
///   sums are read and written back d rows of C a cycle: the buffer is no wider than in output stationary.
/// Floating point: (1) with the cycles of a sum in place of n * ceil(k_t / p). (2) holds a block B x C in ceil(B / p) words a multiplier, loads it in as many
///   cycles and takes as many beats for every R rows; the running sums of a row lie a pass over all rows apart, at least the adder's latency.
/// `swap`: the left operand's rows lie on the columns of the array; it comes through the weight buffer and the weight port.
/// Limits    log-coded left operands cannot be swapped (the shifters stand on the activation side)
/// Source    tests/rtl/units/pe_array.sv, cycle by cycle (tests/rtl/test_pe_array.cpp)
[[nodiscard]] PeOccupancy pe_occupancy(const PeShape& pe, const ProductForm& form, bool weight_stationary, bool swap, std::int64_t rows,
                                       std::int64_t cols, std::int64_t begin, std::int64_t end) noexcept;

/// Cycles from the last operand to the last sum: multiplier, adder tree, accumulator, zero-point correction.
[[nodiscard]] int pe_latency(const PeShape& pe, const ProductForm& form = {}) noexcept;

/// How rows of scores become codes: pipeline stages a row goes through.
struct SoftmaxStages {
    int count = 2;                     ///< maximum and codes, or with exponentials and their sum between
    std::int64_t threshold_cycles = 0; ///< codes are compared with thresholds times the row's sum: products of the level of the search that has most
    friend bool operator==(const SoftmaxStages&, const SoftmaxStages&) = default;
};

/// Post unit: a lane per array column and drained row; cycles to pass rows x cols sums.
[[nodiscard]] constexpr std::int64_t post_cycles(const PeShape& pe, bool swap, std::int64_t rows, std::int64_t cols) noexcept {
    const auto across = swap ? rows : cols, along = swap ? cols : rows;
    return (across + pe.cols - 1) / pe.cols * ((along + pe.drain_rows - 1) / pe.drain_rows);
}

}  // namespace prelude::sim
