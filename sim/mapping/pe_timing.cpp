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
    if (form.float_block > 0) return {.positions = float_timing::lanes_used(pe.depth, form.float_block), .block = form.float_block};
    const auto left_port = swap ? pe.weight_bits : pe.activation_bits, right_port = swap ? pe.activation_bits : pe.weight_bits;
    return {.positions = std::int64_t{pe.depth} * fusion(pe, form, left_port, right_port),
            .passes = static_cast<int>(ceil_div(port_left_bits(pe, form), left_port) * ceil_div(port_right_bits(pe, form), right_port))};
}

/// What enters the array as one sum per output: beats of its operands, and beats in which its sums leave.
struct Piece {
    std::int64_t stream = 0, drain = 0;
};

/// Cycles of a sequence of pieces that repeats without end, on accumulators that stand twice: a piece streams once the one before it has streamed and
/// the sums of the one before that leave their last row; sums leave in the order of the pieces.
std::int64_t period(std::span<const Piece> pieces) {
    std::int64_t streams = 0, drains = 0, longest_drain = 0, longest_stream = 0;
    auto shortest_drain = pieces.front().drain, shortest_stream = pieces.front().stream;
    for (const auto& [stream, drain] : pieces) {
        streams += stream, drains += drain;
        longest_stream = std::max(longest_stream, stream), shortest_stream = std::min(shortest_stream, stream);
        longest_drain = std::max(longest_drain, drain), shortest_drain = std::min(shortest_drain, drain);
    }
    const bool alike = shortest_stream == longest_stream && shortest_drain == longest_drain;
    if (alike || shortest_stream >= longest_drain || shortest_drain >= longest_stream) return std::max(streams, drains);
    constexpr std::size_t kTransient = 8;  // pieces
    const auto warm = 2 * (kTransient / pieces.size() + 1);
    std::int64_t streamed = 0, drained = 0, drained_before = 0, begin = 0;
    for (std::size_t round = 0; round < warm + 2; ++round) {
        if (round == warm) begin = streamed;
        for (const auto& [stream, drain] : pieces) {
            streamed = std::max(streamed, drained_before - 1) + stream;
            drained_before = drained;
            drained = std::max(streamed, drained) + drain;
        }
    }
    return ceil_div(streamed - begin, 2);
}

/// The sub-tiles of one column of them, each a piece for every stream: all but the last drain full rows.
std::int64_t sub_tiles(std::span<const std::int64_t> streams_of, std::int64_t count, std::int64_t full_drain, std::int64_t last_drain) {
    constexpr std::int64_t kDistinct = 4;  // more full sub-tiles only repeat
    std::vector<Piece> full, pieces;
    for (const auto stream : streams_of) full.push_back({stream, full_drain});
    const auto repeated = std::max<std::int64_t>(count - 1 - kDistinct, 0);
    for (std::int64_t i = repeated; i + 1 < count; ++i) pieces.insert(pieces.end(), full.begin(), full.end());
    for (const auto stream : streams_of) pieces.push_back({stream, last_drain});
    return period(pieces) + (repeated > 0 ? repeated * period(full) : 0);
}

/// One block of held weights: the cycles that load them, then a piece for every sub-tile of rows.
std::int64_t held_weights(std::int64_t load, std::int64_t beats, std::int64_t row_tiles, std::int64_t full_drain, std::int64_t last_drain) {
    std::vector<Piece> pieces(static_cast<std::size_t>(row_tiles), {beats, full_drain});
    pieces.back().drain = last_drain;
    pieces.front().stream += load;
    return period(pieces);
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
    const auto row_tiles = ceil_div(along, pe.rows), col_tiles = ceil_div(across, pe.cols);
    const auto last_rows = along - (row_tiles - 1) * pe.rows;

    PeOccupancy result;
    std::vector<std::int64_t> streams_of;  // of the pieces of a full sub-tile
    const auto add_piece = [&](std::span<const std::int64_t> lengths, bool term_ends) {
        const auto sum_of = [&](auto part) {
            std::int64_t sum = 0;
            for (const auto length : lengths) sum += part(length);
            return sum;
        };
        const auto blocks = [&](const Stream& s) { return sum_of([&](std::int64_t length) { return ceil_div(length, s.held()); }); };
        const auto beats = way.combine([&](const Stream& s) { return sum_of([&](std::int64_t length) { return s.beats(length); }); });
        if (weight_stationary) {
            result.cycles += col_tiles * way.combine([&](const Stream& s) {
                const auto drain = [&](std::int64_t used) { return ceil_div(used, pe.drain_rows) * (way.side_by_side ? form.num_sums() : s.sums); };
                const auto held = [&](std::int64_t length) {
                    const auto enter = s.beats(length), load = s.block > 0 ? enter : 1;
                    const auto cycles = held_weights(load, enter, row_tiles, drain(pe.rows), drain(last_rows));
                    return s.block > 0 ? std::max<std::int64_t>(cycles, float_timing::kAdd) : cycles;
                };
                return sum_of([&](std::int64_t length) {
                    const auto whole = length / s.held(), rest = length % s.held();
                    return whole * held(s.held()) + (rest > 0 ? held(rest) : 0);
                });
            });
            result.sum_rounds += std::max(blocks(way.first), way.second ? blocks(*way.second) : 0);
        } else {
            streams_of.push_back(way.combine([&](const Stream& s) { return sum_of([&](std::int64_t length) { return s.cycles(length); }); }));
        }
        result.stream_cycles += col_tiles * row_tiles * beats;
        const auto slots_of_beats = way.first.block > 0 ? beats * pe.depth : sum_of([&](std::int64_t length) { return ceil_div(length, way.first.positions); }) * way.first.positions;
        result.slots += col_tiles * row_tiles * slots_of_beats * pe.rows * pe.cols;
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
    if (!weight_stationary) {
        const auto drain = [&](std::int64_t used) { return ceil_div(used, pe.drain_rows) * form.num_sums(); };
        result.cycles = col_tiles * sub_tiles(streams_of, row_tiles, drain(pe.rows), drain(last_rows));
    }
    result.left_reads = rows * (end - begin) * ceil_div(cols, swap ? pe.rows : pe.cols);
    result.right_reads = weight_stationary ? cols * (end - begin) : cols * (end - begin) * ceil_div(rows, swap ? pe.cols : pe.rows);
    result.idle_slots = result.stream_cycles == 0 ? 0 : (result.cycles - result.stream_cycles) * result.slots / result.stream_cycles;
    return result;
}

int pe_latency(const PeShape& pe, const ProductForm& form) noexcept {
    if (form.float_block > 0) return static_cast<int>(float_timing::kMultiply + float_timing::sum_latency(form.float_block));
    return 4 + static_cast<int>(std::bit_width(static_cast<unsigned>(pe.depth - 1))) + (pe.zero_point == ZeroPoint::correct ? 1 : 0);
}

}  // namespace prelude::sim
