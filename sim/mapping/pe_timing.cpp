// SPDX-License-Identifier: Apache-2.0
#include "sim/mapping/pe_timing.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <span>

#include "quant/format_plan.hpp"

namespace prelude::sim {

namespace {

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) noexcept {
    return (a + b - 1) / b;
}
constexpr int kTermConstantBits = 16;

int prescale_bits(const ProductForm& form) noexcept {
    if (!form.prescaled) return 0;
    return form.shifted_terms ? quant::kMaxScaleShift : kTermConstantBits;
}

int floor_power_of_two(int v) noexcept {
    return static_cast<int>(std::bit_floor(static_cast<unsigned>(std::max(v, 1))));
}

/// A log operand in a slice: one hot, in parts of the widest operand a slice takes.
struct OneHot {
    int bits = 1, parts = 1;
    explicit OneHot(int log_shift) noexcept : bits(std::min(log_shift + 1, kMaxPortBits)), parts(static_cast<int>(ceil_div(log_shift + 1, bits))) {}
};

/// Products a slice makes of an operand pair over the products it was built for.
double packing_gain(const PeShape& pe, int left_bits, int right_bits) noexcept {
    return pe.packing.rate(left_bits, right_bits) / pe.packing.rate(pe.weight_bits, pe.activation_bits);
}

/// The right operand as a slice sees it while a log operand enters one hot: no wider than its port.
int one_hot_right_bits(const PeShape& pe, const ProductForm& form) noexcept {
    return std::min(port_right_bits(pe, form), pe.weight_bits);
}

int whole(double gain) noexcept { return std::max(1, static_cast<int>(gain)); }

/// Powers of two: in shift-add lanes, or one hot in the slices.
Stream powers(const PeShape& pe, const ProductForm& form) noexcept {
    if (pe.shift_lanes > 0) return {.positions = pe.shift_lanes, .sums = form.num_residues};
    const OneHot left(form.log_shift);
    const double gain = packing_gain(pe, left.bits, one_hot_right_bits(pe, form));
    const auto turns = static_cast<int>(std::max(std::ceil(1.0 / gain), 1.0));
    return {.positions = std::int64_t{pe.depth} * whole(gain),
            .passes = form.num_residues * left.parts * turns * static_cast<int>(ceil_div(port_right_bits(pe, form), pe.weight_bits)),
            .sums = form.num_residues};
}

/// Products one multiplier makes per cycle.
int fusion(const PeShape& pe, const ProductForm& form, int left_port, int right_port) noexcept {
    if (pe.precision == PePrecision::fixed) return 1;
    if (pe.multiplier == Multiplier::dsp) return whole(packing_gain(pe, port_left_bits(pe, form), port_right_bits(pe, form)));
    if (pe.precision != PePrecision::fused) return 1;
    return floor_power_of_two(left_port / port_left_bits(pe, form)) * floor_power_of_two(right_port / port_right_bits(pe, form));
}

Stream products(const PeShape& pe, const ProductForm& form, bool swap) noexcept {
    const auto left_port = swap ? pe.weight_bits : pe.activation_bits, right_port = swap ? pe.activation_bits : pe.weight_bits;
    return {.positions = std::int64_t{pe.depth} * fusion(pe, form, left_port, right_port),
            .passes = static_cast<int>(ceil_div(port_left_bits(pe, form), left_port) * ceil_div(port_right_bits(pe, form), right_port))};
}

}  // namespace

int port_left_bits(const PeShape& pe, const ProductForm& form) noexcept {
    return form.left_bits + (form.left_zero_point && (pe.zero_point == ZeroPoint::subtract || form.prescaled) ? 1 : 0) +
           prescale_bits(form);
}

int port_right_bits(const PeShape& pe, const ProductForm& form) noexcept {
    return form.right_bits + (form.right_zero_point && pe.zero_point == ZeroPoint::subtract ? 1 : 0);
}

Streams streams(const PeShape& pe, const ProductForm& form, bool swap) noexcept {
    if (!form.left_is_log) return {.first = products(pe, form, swap)};
    Streams result{.first = powers(pe, form), .side_by_side = pe.shift_lanes > 0};
    if (form.has_steps) result.second = products(pe, form, swap);
    return result;
}

PeOccupancy pe_occupancy(const PeShape& pe, const ProductForm& form, bool weight_stationary, bool swap, std::int64_t rows,
                         std::int64_t cols, std::int64_t begin, std::int64_t end) noexcept {
    const std::int64_t along = swap ? cols : rows, across = swap ? rows : cols;  // on array rows, on array columns
    const auto way = streams(pe, form, swap);
    const bool corrected = pe.zero_point == ZeroPoint::correct && !form.prescaled && (form.left_zero_point || form.right_zero_point);
    const auto row_tiles = ceil_div(along, pe.rows), col_tiles = ceil_div(across, pe.cols);
    const auto last_rows = along - (row_tiles - 1) * pe.rows;

    PeOccupancy result;
    const auto add_piece = [&](std::span<const std::int64_t> lengths, bool term_ends) {
        const auto blocks = [&](const Stream& s) {
            std::int64_t sum = 0;
            for (const auto length : lengths) sum += ceil_div(length, s.positions);
            return sum;
        };
        const auto stream = way.combine([&](const Stream& s) { return blocks(s) * s.passes; });
        if (weight_stationary) {
            result.cycles += col_tiles * way.combine([&](const Stream& s) {
                return blocks(s) * (std::max(s.passes * row_tiles, ceil_div(along, pe.drain_rows) * s.sums) + 1);
            });
            result.sum_rounds += std::max(blocks(way.first), way.second ? blocks(*way.second) : 0);
        } else {
            const auto cycles = [&](std::int64_t used) {
                return std::max(stream, ceil_div(used, pe.drain_rows) * form.num_sums()) + (corrected ? 1 : 0);
            };
            result.cycles += col_tiles * ((row_tiles - 1) * cycles(pe.rows) + cycles(last_rows));
        }
        result.stream_cycles += col_tiles * row_tiles * stream;
        result.slots += col_tiles * row_tiles * blocks(way.first) * way.first.positions * pe.rows * pe.cols;
        result.drained_rows += col_tiles * along * form.num_sums();
        if (term_ends && ((form.term_ends.size() > 1 && !form.shifted_terms) || form.num_sums() > 1)) result.flushes += rows * cols * form.num_sums();
    };
    std::vector<std::int64_t> lengths;
    bool last_ends = true;
    if (form.prescaled || form.term_ends.size() <= 1) {
        lengths = {end - begin};
    } else {
        auto from = begin;
        for (auto term_end : form.term_ends) {
            if (term_end <= from) continue;
            const auto to = std::min(end, term_end);
            lengths.push_back(to - from);
            last_ends = to == term_end;
            from = to;
            if (from == end) break;
        }
    }
    if (form.shifted_terms) {
        add_piece(lengths, true);
    } else {
        for (std::size_t i = 0; i < lengths.size(); ++i) add_piece(std::span(lengths).subspan(i, 1), i + 1 < lengths.size() || last_ends);
    }
    result.left_reads = rows * (end - begin) * ceil_div(cols, swap ? pe.rows : pe.cols);
    result.right_reads = weight_stationary ? cols * (end - begin) : cols * (end - begin) * ceil_div(rows, swap ? pe.cols : pe.rows);
    result.idle_slots = result.stream_cycles == 0 ? 0 : (result.cycles - result.stream_cycles) * result.slots / result.stream_cycles;
    return result;
}

int pe_latency(const PeShape& pe) noexcept {
    return 4 + static_cast<int>(std::bit_width(static_cast<unsigned>(pe.depth - 1))) + (pe.zero_point == ZeroPoint::correct ? 1 : 0);
}

}  // namespace prelude::sim
