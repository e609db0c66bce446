// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the datapath's units are made of: adders, shifters, registers, memories, slices, counted from their parameters.
// A unit's LUTs and flip-flops are these counts times a few terms of the cost table; DSP slices and memory blocks are the counts themselves.
// Each form follows a unit of tests/rtl/units; how far it is from a synthesis of that unit is measured (docs/resources.md).

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/cost/cost_table.hpp"

namespace prelude::sim {

/// Bits that tell v things apart.
[[nodiscard]] inline int ceil_log2(std::int64_t v) noexcept { return v <= 1 ? 0 : static_cast<int>(std::bit_width(static_cast<std::uint64_t>(v - 1))); }

/// A count with its 80 % band, the worst status of the terms it is made of, and the names of those that are assumed.
struct Estimate {
    double value = 0, low = 0, high = 0;
    Provenance status = Provenance::measured;
    std::vector<std::string> assumed{};  ///< Figure::name, sorted
    /// Adds `count` of a cost term.
    void add(const Figure& figure, double count);
    void add(const Estimate& other);
    /// Takes over status and names, the value as it is.
    void rest_on(const Figure& figure);
    void rest_on(const Estimate& other);
};
[[nodiscard]] Estimate estimate_of(const Figure& figure);
/// Both bands, both grounds; nothing of something rests on nothing.
[[nodiscard]] Estimate operator*(const Estimate& a, const Estimate& b);
[[nodiscard]] Estimate operator*(double times, Estimate e);

/// So many of what a cost term prices.
struct Part {
    std::string_view term;
    double count = 0;
};

/// A unit by its parts. LUTs that are memories or shift registers, slices and blocks are counted exactly: no term scales them.
struct UnitForm {
    std::vector<Part> lut, ff;
    double memory_lut = 0;
    double slice_ff = 0;               ///< of the flip-flops, pipeline registers at a product that its slices can hold
    std::int64_t dsp = 0, bram18 = 0;  ///< a block of 36 Kib counts twice
    void append(const UnitForm& form, double times = 1);
};

/// What a synthesis that leaves the registers of products outside their slices gives (Yosys does).
[[nodiscard]] Estimate lut_of(const UnitForm& form, const CostTable& costs);
[[nodiscard]] Estimate ff_of(const UnitForm& form, const CostTable& costs);
/// With those registers in the slices; the upper end of the band has them outside.
[[nodiscard]] Estimate packed_ff_of(const UnitForm& form, const CostTable& costs);

/// Slices of a signed product: 27 x 18 bits each, wider operands in parts of 26 and 17.
[[nodiscard]] std::int64_t slices_of(int left_bits, int right_bits) noexcept;

/// Block RAM halves (18 Kib) of a simple dual-port memory.
///
/// Source    FINN's packing (UG573 table 1-10): 512 x 36, 1K x 18, 2K x 9, 4K x 4, 8K x 2, 16K x 1
[[nodiscard]] std::int64_t bram18_of(std::int64_t words, std::int64_t width_bits) noexcept;
/// UltraRAM blocks: 4K x 72.
[[nodiscard]] std::int64_t uram_of(std::int64_t words, std::int64_t width_bits) noexcept;
/// LUTs of a distributed memory of one write and one read port: eight LUTs hold 32 x 14 or 64 x 7 bits.
[[nodiscard]] std::int64_t lutram_of(std::int64_t words, std::int64_t width_bits) noexcept;

/// How an array takes its left words.
enum class ArrayKind { uniform, powers, hybrid };

/// rows x cols outputs, `depth` positions each (tests/rtl/units/pe_array.sv).
struct ArrayShape {
    ArrayKind kind = ArrayKind::uniform;
    int rows = 1, cols = 1, depth = 1;
    int left_bits = 8, right_bits = 8;
    int max_shift = 15;      ///< of powers
    int num_residues = 1;    ///< sums of powers per output
    int drain_rows = 1;
    int sum_bits = 32;
    bool corrects_zero_points = true;  ///< by sums of rows and columns; else operands come without
    [[nodiscard]] constexpr int num_sums() const noexcept { return kind == ArrayKind::uniform ? 1 : kind == ArrayKind::powers ? num_residues : 2; }
};

/// What stands at every output, rows * cols of them.
[[nodiscard]] UnitForm array_products(const ArrayShape& shape);      ///< multipliers in LUTs, shifters, or both
/// Registered products and the adder trees over them.
[[nodiscard]] UnitForm array_trees(const ArrayShape& shape);
/// The trees over what cascades of `chain` slices give, whose last registers are the slices' own; operands meet the cascade a cycle later at every slice.
[[nodiscard]] UnitForm array_cascades(const ArrayShape& shape, int chain);
[[nodiscard]] UnitForm array_accumulators(const ArrayShape& shape);  ///< of two banks, with the shift of a part in front and the selection behind
/// Beside the outputs: sums of rows (and of columns), as zero points need them.
[[nodiscard]] UnitForm array_edge_sums(const ArrayShape& shape);
/// Operand registers, correction of zero points on the way out, control.
[[nodiscard]] UnitForm array_frame(const ArrayShape& shape);
/// All of it.
[[nodiscard]] UnitForm array_form(const ArrayShape& shape);

/// A packed slice: fields of `field_bits` taken apart and accumulated (tests/rtl/units/dsp_pair.sv, dsp_quad.sv).
struct SliceShape {
    int num_fields = 2, field_bits = 18, period = 4, sum_bits = 32;
};
/// Products of an unsigned and a signed operand that a field sums before it may overflow: so many slices stand in one cascade.
[[nodiscard]] int slice_period(int field_bits, int unsigned_bits, int signed_bits) noexcept;
[[nodiscard]] UnitForm slice_fields(const SliceShape& shape);  ///< what takes the fields apart
[[nodiscard]] UnitForm slice_form(const SliceShape& shape);    ///< with accumulators and the count of products

/// tests/rtl/units/rescale.sv
struct RescaleShape {
    int sum_bits = 63, operand_bits = 33, offset_bits = 62, out_bits = 20;
    bool rounds_operand = true;  ///< the sum is wider than the operand
};
[[nodiscard]] UnitForm rescale_form(const RescaleShape& shape);

/// tests/rtl/units/partial_sums.sv
struct PartialSumShape {
    int lanes = 8, groups = 2, sum_bits = 48, out_bits = 63, constants = 64;
};
[[nodiscard]] UnitForm partial_sum_form(const PartialSumShape& shape);

/// tests/rtl/units/softmax.sv
struct SoftmaxShape {
    int lanes = 16, max_words = 256, score_bits = 16, code_bits = 8, exp_bits = 16;
};
[[nodiscard]] UnitForm softmax_exponentials(const SoftmaxShape& shape);  ///< of all lanes, by table
[[nodiscard]] UnitForm softmax_rest(const SoftmaxShape& shape);
[[nodiscard]] UnitForm softmax_rings(const SoftmaxShape& shape);  ///< of two rows, where no buffer holds them
[[nodiscard]] UnitForm softmax_form(const SoftmaxShape& shape);

/// tests/rtl/units/layernorm.sv
struct LayerNormShape {
    int lanes = 16, word_bits = 20, log_channels = 12, offset_bits = 58, out_bits = 16;
};
[[nodiscard]] UnitForm layernorm_lanes(const LayerNormShape& shape);
[[nodiscard]] UnitForm layernorm_variance(const LayerNormShape& shape);  ///< once per unit
[[nodiscard]] UnitForm layernorm_root(const LayerNormShape& shape);      ///< reciprocal root, once per unit
[[nodiscard]] UnitForm layernorm_memories(const LayerNormShape& shape);  ///< a row and the constants of its channels, where no buffer holds them
[[nodiscard]] UnitForm layernorm_form(const LayerNormShape& shape);

/// tests/rtl/units/gelu_table.sv
struct TableShape {
    int lanes = 16, input_bits = 8, entry_bits = 9, word_bits = 9;
};
[[nodiscard]] UnitForm table_form(const TableShape& shape);

/// Addresses and slots of a buffer around its memory (tests/rtl/units/ping_pong.sv).
struct BufferShape {
    std::int64_t width_bits = 128, words = 512;  ///< of a slot
};
[[nodiscard]] UnitForm buffer_form(const BufferShape& shape);

/// tests/rtl/units/dma_read.sv, dma_write.sv
struct DmaShape {
    int ports = 1, port_bytes = 16, outstanding = 4, burst_bytes = 256;
};
[[nodiscard]] UnitForm load_form(const DmaShape& shape);
[[nodiscard]] UnitForm store_form(const DmaShape& shape);

}  // namespace prelude::sim
