// SPDX-License-Identifier: Apache-2.0
#pragma once

// How long the PE array is occupied by a tile: the one formula the mapper estimates with and the simulated array obeys.

#include <cstdint>
#include <string_view>
#include <vector>

#include "sim/design.hpp"

namespace prelude::sim {

/// Multiply-accumulates per DSP slice and cycle, as a ratio.
struct MacsPerDsp {
    int macs = 1, dsps = 1;
};

/// Packing of products of these operand widths into one slice.
///
/// | slice   | 4 x 4 and narrower | up to 8 x 8 | up to 18 x 25 (27) | wider |
/// |---------|--------------------|-------------|--------------------|-------|
/// | dsp48e1 | 2                  | 1           | 1                  | one per 18 x 25 partial product |
/// | dsp48e2 | 4                  | 2           | 1                  | one per 18 x 27 |
/// | dsp58   | 4                  | 3           | 1                  | one per 24 x 27 |
///
/// Source    Xilinx WP486, WP487, WP521, AM004; 2 on the dsp48e2 needs correction logic in LUT (without it 1.75).
///           dsp48e1 at 4 x 4 is assumed (two 11-bit fields in 25 bits).
/// Differs   precision `fixed` never packs: 1 up to the native width.
[[nodiscard]] MacsPerDsp macs_per_dsp(PePrecision precision, int weight_bits, int activation_bits, std::string_view generation) noexcept;

/// The array as built: widths resolved (no 0), size given.
struct PeShape {
    int rows = 1, cols = 1, depth = 1, weight_bits = 8, activation_bits = 8;
    PePrecision precision = PePrecision::packed;
    ZeroPoint zero_point = ZeroPoint::correct;
    Multiplier multiplier = Multiplier::dsp;
    std::string generation = "dsp48e2";  ///< of the slices: how products pack into them
    friend bool operator==(const PeShape&, const PeShape&) = default;
};

/// One kind of product on the array.
struct ProductForm {
    int left_bits = 8, right_bits = 8;
    bool left_is_log = false;      ///< the left operand is 2^(E - e)
    int log_shift = 0;             ///< its largest shift E
    int num_residues = 1;          ///< sums per output that drain together (fractional log base)
    bool prescaled = false;        ///< per-channel groups: the left operand enters multiplied by its 16-bit constant, 16 bits wider, no flushes
    bool left_zero_point = true, right_zero_point = false;
    std::vector<std::int64_t> term_ends{};  ///< ascending, last = K; one entry = one term
    friend bool operator==(const ProductForm&, const ProductForm&) = default;
};

/// Width of the left operand at the array's port.
///
/// A log-coded operand steers shifters where multipliers are made of LUTs (width 0: no limit). DSP slices have their multiplier anyway: there the
/// operand enters decoded, one hot in E + 1 bits, in as many passes as that takes.
[[nodiscard]] int port_left_bits(const PeShape& pe, const ProductForm& form) noexcept;
[[nodiscard]] int port_right_bits(const PeShape& pe, const ProductForm& form) noexcept;
/// Passes over K an operand pair needs: ceil(left / activation port) * ceil(right / weight port); `swap` exchanges the ports.
[[nodiscard]] int num_passes(const PeShape& pe, const ProductForm& form, bool swap) noexcept;
/// Products one multiplier of the array makes per cycle of this operand pair.
///
///   packed   DSP slices hold more products of narrow operands: macs_per_dsp(operands) / macs_per_dsp(ports), rounded down; 1 in LUT arrays
///   fused    LUT multipliers split into power-of-two narrower ones; DSP slices as packed
///   fixed    1
[[nodiscard]] int fusion(const PeShape& pe, const ProductForm& form, bool swap) noexcept;

struct PeOccupancy {
    std::int64_t cycles = 0;         ///< the array is taken
    std::int64_t stream_cycles = 0;  ///< of these, operands enter
    std::int64_t drained_rows = 0;   ///< rows of sums that leave (post unit or partial-sum buffer)
    std::int64_t slots = 0;          ///< multiply-accumulate slots of the stream cycles
    std::int64_t idle_slots = 0;     ///< of the other cycles
    std::int64_t left_reads = 0, right_reads = 0;  ///< operand words that enter
    std::int64_t sum_rounds = 0;    ///< weight stationary: times every sum goes through the partial-sum buffer
    std::int64_t flushes = 0;        ///< term sums multiplied by their constant
};

/// Occupancy of `rows` x `cols` outputs over positions [begin, end) of K.
///
/// Output stationary (R x C accumulators, operands stream):
///   cycles = sum over sub-tiles of R x C outputs, over terms t that meet [begin, end):
///            max( passes * ceil(k_t / (D f)), used_rows * residues ) + correction                                   (1)
///   every term is padded to the depth D; its sums leave one row of C a cycle through a second accumulator bank while the next term streams;
///   correction = 1 where zero points are taken out by row and column sums (`zero_point: correct`).
/// Weight stationary (D x C weights held, rows stream, sums live in the partial-sum buffer):
///   cycles = ceil(cols / C) * sum_t ceil(k_t / (D f)) * (max(passes * ceil(rows / R), rows) * residues + 1)         (2)
///   sums are read and written back one row of C a cycle (the buffer is no wider than in output stationary); the 1 switches the held weights.
/// `swap`: the left operand's rows lie on the columns of the array; it comes through the weight buffer and the weight port.
/// Limits    log-coded left operands cannot be swapped (the shifters stand on the activation side)
[[nodiscard]] PeOccupancy pe_occupancy(const PeShape& pe, const ProductForm& form, bool weight_stationary, bool swap, std::int64_t rows,
                                       std::int64_t cols, std::int64_t begin, std::int64_t end) noexcept;

/// Cycles from the last operand to the last sum: multiplier, adder tree, accumulator, zero-point correction.
[[nodiscard]] int pe_latency(const PeShape& pe) noexcept;

/// Post unit: one lane per array column; a row of sums a cycle.
[[nodiscard]] constexpr std::int64_t post_rows(const PeShape& pe, bool swap, std::int64_t rows, std::int64_t cols) noexcept {
    const auto across = swap ? rows : cols, along = swap ? cols : rows;
    return (across + pe.cols - 1) / pe.cols * along;
}

}  // namespace prelude::sim
