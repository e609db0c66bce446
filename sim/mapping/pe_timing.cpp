// SPDX-License-Identifier: Apache-2.0
#include "sim/mapping/pe_timing.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace prelude::sim {

namespace {

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) noexcept {
    return (a + b - 1) / b;
}
constexpr int kTermConstantBits = 16;

constexpr int kSliceOperandBits = 16;  ///< widest operand of the packing classes

int floor_power_of_two(int v) noexcept {
    return static_cast<int>(std::bit_floor(static_cast<unsigned>(std::max(v, 1))));
}

/// A log operand in a slice: one hot, in parts of the widest operand a slice takes.
struct OneHot {
    int bits = 1, parts = 1;
    explicit OneHot(int log_shift) noexcept : bits(std::min(log_shift + 1, kSliceOperandBits)), parts(static_cast<int>(ceil_div(log_shift + 1, bits))) {}
};

/// Products a slice makes of an operand pair over the products it was built for.
double packing_gain(const PeShape& pe, int left_bits, int right_bits) noexcept {
    return pe.packing.rate(left_bits, right_bits) / pe.packing.rate(pe.weight_bits, pe.activation_bits);
}

bool in_slices(const PeShape& pe, const ProductForm& form) noexcept {
    return form.left_is_log && pe.shift_lanes == 0;
}

/// The right operand as a slice sees it while a log operand enters one hot: no wider than its port.
int one_hot_right_bits(const PeShape& pe, const ProductForm& form) noexcept {
    return std::min(port_right_bits(pe, form), pe.weight_bits);
}

}  // namespace

int port_left_bits(const PeShape& pe, const ProductForm& form) noexcept {
    return form.left_bits + (form.left_zero_point && (pe.zero_point == ZeroPoint::subtract || form.prescaled) ? 1 : 0) +
           (form.prescaled ? kTermConstantBits : 0);
}

int port_right_bits(const PeShape& pe, const ProductForm& form) noexcept {
    return form.right_bits + (form.right_zero_point && pe.zero_point == ZeroPoint::subtract ? 1 : 0);
}

int num_passes(const PeShape& pe, const ProductForm& form, bool swap) noexcept {
    if (in_slices(pe, form)) {
        const OneHot left(form.log_shift);
        const auto slots = std::ceil(1.0 / packing_gain(pe, left.bits, one_hot_right_bits(pe, form)));
        return form.num_residues * left.parts * static_cast<int>(std::max(slots, 1.0)) *
               static_cast<int>(ceil_div(port_right_bits(pe, form), pe.weight_bits));
    }
    if (form.left_is_log) return 1;
    const auto left_port = swap ? pe.weight_bits : pe.activation_bits, right_port = swap ? pe.activation_bits : pe.weight_bits;
    return static_cast<int>(ceil_div(port_left_bits(pe, form), left_port) * ceil_div(port_right_bits(pe, form), right_port));
}

int fusion(const PeShape& pe, const ProductForm& form, bool swap) noexcept {
    const auto whole = [](double gain) { return std::max(1, static_cast<int>(gain)); };
    if (in_slices(pe, form)) return whole(packing_gain(pe, OneHot(form.log_shift).bits, one_hot_right_bits(pe, form)));
    if (form.left_is_log || pe.precision == PePrecision::fixed) return 1;
    if (pe.multiplier == Multiplier::dsp) return whole(packing_gain(pe, port_left_bits(pe, form), port_right_bits(pe, form)));
    if (pe.precision != PePrecision::fused) return 1;
    const auto left_port = swap ? pe.weight_bits : pe.activation_bits, right_port = swap ? pe.activation_bits : pe.weight_bits;
    return floor_power_of_two(left_port / port_left_bits(pe, form)) * floor_power_of_two(right_port / port_right_bits(pe, form));
}

std::int64_t positions_per_cycle(const PeShape& pe, const ProductForm& form, bool swap) noexcept {
    return form.left_is_log && pe.shift_lanes > 0 ? pe.shift_lanes : std::int64_t{pe.depth} * fusion(pe, form, swap);
}

PeOccupancy pe_occupancy(const PeShape& pe, const ProductForm& form, bool weight_stationary, bool swap, std::int64_t rows,
                         std::int64_t cols, std::int64_t begin, std::int64_t end) noexcept {
    const std::int64_t along = swap ? cols : rows, across = swap ? rows : cols;  // on array rows, on array columns
    const std::int64_t passes = num_passes(pe, form, swap), step = positions_per_cycle(pe, form, swap);
    const bool corrected = pe.zero_point == ZeroPoint::correct && !form.prescaled && (form.left_zero_point || form.right_zero_point);
    const auto row_tiles = ceil_div(along, pe.rows), col_tiles = ceil_div(across, pe.cols);
    const auto last_rows = along - (row_tiles - 1) * pe.rows;

    PeOccupancy result;
    const auto add_piece = [&](std::int64_t length, bool term_ends) {
        const auto blocks = ceil_div(length, step), stream = blocks * passes;
        if (weight_stationary) {
            result.stream_cycles += col_tiles * row_tiles * stream;
            result.cycles += col_tiles * blocks * (std::max(passes * row_tiles, ceil_div(along, pe.drain_rows)) * form.num_residues + 1);
            result.sum_rounds += blocks;
        } else {
            const auto cycles = [&](std::int64_t used) {
                return std::max(stream, ceil_div(used, pe.drain_rows) * form.num_residues) + (corrected ? 1 : 0);
            };
            result.stream_cycles += col_tiles * row_tiles * stream;
            result.cycles += col_tiles * ((row_tiles - 1) * cycles(pe.rows) + cycles(last_rows));
        }
        result.slots += col_tiles * row_tiles * blocks * step * pe.rows * pe.cols;
        result.drained_rows += col_tiles * along * form.num_residues;
        if (term_ends && (form.term_ends.size() > 1 || form.num_residues > 1)) result.flushes += rows * cols * form.num_residues;
    };
    if (form.prescaled || form.term_ends.size() <= 1) {
        add_piece(end - begin, true);
    } else {
        auto from = begin;
        for (auto term_end : form.term_ends) {
            if (term_end <= from) continue;
            const auto to = std::min(end, term_end);
            add_piece(to - from, to == term_end);
            from = to;
            if (from == end) break;
        }
    }
    result.left_reads = rows * (end - begin) * ceil_div(cols, swap ? pe.rows : pe.cols);
    result.right_reads = weight_stationary ? cols * (end - begin) : cols * (end - begin) * ceil_div(rows, swap ? pe.cols : pe.rows);
    result.idle_slots = (result.cycles - result.stream_cycles) * pe.rows * pe.cols * step / passes;
    return result;
}

int pe_latency(const PeShape& pe) noexcept {
    return 4 + static_cast<int>(std::bit_width(static_cast<unsigned>(pe.depth - 1))) + (pe.zero_point == ZeroPoint::correct ? 1 : 0);
}

}  // namespace prelude::sim
