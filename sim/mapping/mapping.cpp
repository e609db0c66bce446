// SPDX-License-Identifier: Apache-2.0
#include "sim/mapping/mapping.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace prelude::sim {

namespace {

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) noexcept {
    return (a + b - 1) / b;
}
constexpr std::int64_t round_up(std::int64_t a, std::int64_t b) noexcept {
    return ceil_div(a, b) * b;
}

/// What tiles get of the peak: refresh takes 4.5 %, row misses and turnarounds about as much (seen in simulation).
double usable_bytes_per_cycle(const Hardware& hardware) {
    constexpr double kDramEfficiency = 0.9;
    return kDramEfficiency * hardware.peak_bytes_per_cycle();
}

/// Extents worth trying: multiples of `unit` that grow by about a third, and the whole.
std::vector<std::int64_t> extents(std::int64_t whole, std::int64_t unit) {
    std::vector<std::int64_t> list;
    for (std::int64_t count = 1; count * unit < whole; count = count < 4 ? count + 1 : count + count / 3) list.push_back(count * unit);
    list.push_back(whole);
    return list;
}

/// Parts of K worth trying: whole, halves, thirds, ...
std::vector<std::int64_t> depth_parts(std::int64_t whole, std::int64_t unit) {
    std::vector<std::int64_t> list{whole};
    for (auto parts : {2, 3, 4, 6, 8, 12, 16, 32}) {
        const auto part = round_up(ceil_div(whole, parts), unit);
        if (part < list.back()) list.push_back(part);
    }
    return list;
}

/// Work that overlaps, tile by tile: the longer of two, and a share of the shorter that no buffer hides when both are close (seen in
/// simulation).
double overlapped(double a, double b) {
    constexpr double kExposed = 0.15;
    return std::max(a, b) + kExposed * std::min(a, b);
}

struct Estimate {
    double compute = 0, load = 0, store = 0, vector = 0, first = 0, last = 0;
    std::int64_t commands = 0;
    [[nodiscard]] std::int64_t cycles(bool double_buffered) const {
        const double memory = load + store;
        const double total = double_buffered ? overlapped(std::max(compute, vector), memory) + first + last : compute + memory + vector;
        return static_cast<std::int64_t>(std::ceil(total)) + commands;
    }
};

/// Cycles of the array over all tiles: full and remainder tiles are counted, not walked.
double array_cycles(const Hardware& hardware, const ProductShape& shape, const Mapping& map) {
    const auto tiles = [](std::int64_t whole, std::int64_t tile) {
        std::array<std::pair<std::int64_t, std::int64_t>, 2> kinds{{{tile, whole / tile}, {whole % tile, whole % tile ? 1 : 0}}};
        return kinds;
    };
    double cycles = 0;
    for (const auto& [rows, num_rows] : tiles(shape.rows, map.tile_rows)) {
        for (const auto& [cols, num_cols] : tiles(shape.cols, map.tile_cols)) {
            if (num_rows * num_cols == 0) continue;
            for (std::int64_t k = 0; k < shape.depth; k += map.tile_depth) {
                const auto busy = pe_occupancy(hardware.pe, shape.form, map.weight_stationary, map.swap, rows, cols, k,
                                               std::min(shape.depth, k + map.tile_depth));
                cycles += static_cast<double>(num_rows * num_cols * busy.cycles);
            }
        }
    }
    return cycles * static_cast<double>(shape.batch);
}

Estimate estimate(const Hardware& hardware, const ProductShape& shape, const Mapping& map) {
    const double bandwidth = usable_bytes_per_cycle(hardware);
    const auto bytes = [](std::int64_t words, int bits) { return static_cast<double>(words) * bits / 8.0; };
    const auto row_tiles = ceil_div(shape.rows, map.tile_rows), col_tiles = ceil_div(shape.cols, map.tile_cols),
               depth_tiles = ceil_div(shape.depth, map.tile_depth);
    const bool rows_outer = map.order == LoopOrder::rows_outer;
    const auto left_loads = rows_outer && depth_tiles == 1 ? 1 : (row_tiles * depth_tiles == 1 ? 1 : col_tiles);
    auto right_loads = !rows_outer && depth_tiles == 1 ? 1 : (col_tiles * depth_tiles == 1 ? 1 : row_tiles);
    const auto right_batches = shape.dynamic_right || col_tiles * depth_tiles > 1 ? shape.batch : 1;
    if (hardware.weights_resident && !shape.dynamic_right) right_loads = 0;

    Estimate result;
    result.compute = array_cycles(hardware, shape, map);
    // Runs shorter than a row start and end inside DRAM granules.
    const auto waste = [&](std::int64_t words, std::int64_t row_words, int bits) {
        if (words == row_words || bits == 0) return 1.0;
        const auto run = words * bits / 8;
        const auto moved = run * 8 == words * bits && run % hardware.granule_bytes == 0
                               ? run
                               : (run / hardware.granule_bytes + 2) * hardware.granule_bytes;
        return static_cast<double>(moved) / std::max(static_cast<double>(words * bits) / 8.0, 1.0);
    };
    const auto left_bytes = bytes(shape.batch * shape.rows * shape.depth, shape.form.left_word_bits) * shape.left_reload *
                            waste(map.tile_depth, shape.depth, shape.form.left_word_bits);
    const auto right_bytes = bytes(right_batches * shape.cols * shape.depth, shape.form.right_bits) *
                             (shape.dynamic_right ? waste(map.tile_depth, shape.depth, shape.form.right_bits) : 1.0);
    result.load =
        (left_bytes * static_cast<double>(left_loads) + right_bytes * static_cast<double>(right_loads) +
         bytes(shape.batch * shape.rows * shape.cols, shape.residual_bits) * waste(map.tile_cols, shape.cols, shape.residual_bits)) /
        bandwidth;
    result.store =
        bytes(shape.batch * shape.rows * shape.cols, shape.output_bits) * waste(map.tile_cols, shape.cols, shape.output_bits) / bandwidth;
    result.vector = static_cast<double>(shape.batch * post_cycles(hardware.pe, map.swap, shape.rows, shape.cols));
    if (shape.table)
        result.vector = std::max(result.vector, static_cast<double>(shape.batch * shape.rows * shape.cols) / hardware.gelu_lanes);
    result.first = (bytes(map.tile_rows * map.tile_depth, shape.form.left_word_bits) * shape.left_reload +
                    bytes(map.tile_cols * map.tile_depth, shape.form.right_bits)) /
                       bandwidth +
                   static_cast<double>(2 * hardware.latency_cycles);
    result.last = static_cast<double>(post_cycles(hardware.pe, map.swap, map.tile_rows, map.tile_cols)) +
                  bytes(map.tile_rows * map.tile_cols, shape.output_bits) / bandwidth;
    result.commands = shape.batch * row_tiles * col_tiles * depth_tiles;
    return result;
}

std::string too_small(const char* buffer, std::int64_t need_bits, std::int64_t have_bits) {
    return fmt::format("the smallest tile needs {} bits of the {} buffer, {} are usable", need_bits, buffer, have_bits);
}

}  // namespace

std::string Mapping::to_string() const {
    if (!infeasible.empty()) return "infeasible: " + infeasible;
    if (tile_depth == 0 && tile_cols == 0) return fmt::format("rows {}, {} slots", tile_rows, slots);
    if (tile_depth == 0) {
        return fmt::format("queries {} keys {}{}, {} slots, {} score slots, {} key slots", tile_rows, tile_cols,
                           keys_resident ? " (resident)" : "", slots, score_slots, key_slots);
    }
    return fmt::format("rows {} cols {} depth {}, {} outer, {} stationary{}, {} slots", tile_rows, tile_cols, tile_depth,
                       order == LoopOrder::rows_outer ? "rows" : "cols", weight_stationary ? "weight" : "output", swap ? ", swapped" : "",
                       slots);
}

Mapping map_product(const Hardware& hardware, const ProductShape& shape) {
    const auto usable = [&](std::int64_t bits) { return bits / hardware.slots; };
    const auto weight_capacity = usable(hardware.weight_bits), activation_capacity = usable(hardware.activation_bits),
               sum_capacity = usable(hardware.partial_sum_bits);
    const std::int64_t bits_per_output =
        std::int64_t{shape.accumulator_bits} * shape.form.num_sums() + shape.output_bits + shape.residual_bits;

    Mapping best{.infeasible = "no tile fits"};
    std::int64_t best_cycles = 0;
    bool fits_weight = false, fits_activation = false, fits_sums = false;
    std::int64_t least_sums = 0, least_weight = 0, least_activation = 0;
    const auto note = [](std::int64_t& least, std::int64_t need) { least = least == 0 ? need : std::min(least, need); };
    for (const bool swap : {false, true}) {
        if (swap && (shape.form.left_is_log || shape.needs_whole_rows_outer)) continue;
        const auto right_capacity = swap ? activation_capacity : weight_capacity,
                   left_capacity = swap ? weight_capacity : activation_capacity;
        const auto row_unit = std::min<std::int64_t>(shape.rows, swap ? hardware.pe.cols : hardware.pe.rows);
        const auto col_unit = std::min<std::int64_t>(shape.cols, swap ? hardware.pe.rows : hardware.pe.cols);
        for (auto rows : extents(shape.rows, row_unit)) {
            for (auto cols : extents(shape.cols, col_unit)) {
                const auto sum_bits = rows * cols * bits_per_output;
                if (!swap) note(least_sums, sum_bits);
                if (sum_bits > sum_capacity) break;
                fits_sums |= !swap;
                for (auto depth : depth_parts(shape.depth, shape.depth_unit)) {
                    const auto weight_bits = cols * depth * shape.form.right_bits,
                               activation_bits = rows * (depth * shape.form.left_word_bits + shape.extra_rows_bits);
                    if (!swap) {
                        note(least_weight, weight_bits);
                        note(least_activation, activation_bits);
                        fits_weight |= weight_bits <= right_capacity;
                        fits_activation |= activation_bits <= left_capacity;
                    }
                    if (weight_bits > right_capacity || activation_bits > left_capacity) continue;
                    for (const bool stationary : {false, true}) {
                        if (stationary && (hardware.dataflow == Dataflow::output_stationary || swap)) continue;
                        if (!stationary && hardware.dataflow == Dataflow::weight_stationary && !swap) continue;
                        if (swap && hardware.dataflow == Dataflow::weight_stationary) continue;
                        for (const auto order : {LoopOrder::rows_outer, LoopOrder::cols_outer}) {
                            if (shape.needs_whole_rows_outer && order != LoopOrder::rows_outer) continue;
                            Mapping map{.tile_rows = rows,
                                        .tile_cols = cols,
                                        .tile_depth = depth,
                                        .order = order,
                                        .weight_stationary = stationary,
                                        .swap = swap,
                                        .slots = hardware.slots};
                            const auto cycles = estimate(hardware, shape, map).cycles(hardware.slots > 1);
                            if (!best.infeasible.empty() || cycles < best_cycles) {
                                best = map;
                                best.estimated_cycles = best_cycles = cycles;
                            }
                        }
                    }
                }
            }
        }
    }
    if (best.infeasible.empty()) return best;
    if (!fits_sums)
        best.infeasible = too_small("partial-sum", least_sums, sum_capacity);
    else if (!fits_weight)
        best.infeasible = too_small("weight", least_weight, weight_capacity);
    else if (!fits_activation)
        best.infeasible = too_small("activation", least_activation, activation_capacity);
    return best;
}

Mapping map_attention(const Hardware& hardware, const AttentionShape& shape) {
    Mapping best{.infeasible = "no query tile fits"};
    const auto slots = hardware.slots;
    const auto table_bits = shape.relative ? (2 * shape.grid_height - 1 + 2 * shape.grid_width - 1) * shape.head_dim * shape.table_bits : 0;
    const std::int64_t terms_bits = shape.relative ? (shape.grid_height + shape.grid_width) * 32 : 0;
    const double bandwidth = usable_bytes_per_cycle(hardware);
    constexpr double kUnitLatencies = 60;  // fetch and pipeline of the five steps
    bool fits_scores = false;
    for (auto rows : extents(shape.queries, std::min<std::int64_t>(hardware.pe.rows, shape.queries))) {
        for (auto keys : extents(shape.keys, std::min(std::lcm(std::int64_t{hardware.pe.cols}, shape.key_unit), shape.keys))) {
            for (int score_slots = slots > 1 ? kMaxScoreSlots : 1; score_slots >= 1; --score_slots) {
                const auto score_need = score_slots * rows * (shape.keys * std::max(shape.score_bits, shape.probability_bits) + terms_bits);
                if (score_need > hardware.score_bits) continue;
                fits_scores = true;
                const bool whole = keys == shape.keys;
                const auto outputs = std::max(keys * shape.scores_accumulator_bits,
                                              shape.head_dim * shape.weighted_accumulator_bits * shape.weighted.num_sums());
                if (slots * rows * (outputs + shape.head_dim * shape.output_bits) > hardware.partial_sum_bits) continue;
                if (slots * rows * shape.head_dim * shape.scores.left_bits > hardware.activation_bits) continue;
                const auto key_bits = keys * shape.head_dim * (shape.scores.right_bits + shape.weighted.right_bits);
                const int key_slots = slots * key_bits + table_bits <= hardware.weight_bits ? slots : 1;
                if (key_slots * key_bits + table_bits > hardware.weight_bits) continue;

                const auto query_tiles = ceil_div(shape.queries, rows), key_tiles = ceil_div(shape.keys, keys);
                double array = 0;
                for (std::int64_t k = 0; k < shape.keys; k += keys) {
                    const auto stop = std::min(shape.keys, k + keys);
                    array += static_cast<double>(
                        pe_occupancy(hardware.pe, shape.scores, false, false, rows, stop - k, 0, shape.head_dim).cycles);
                    array +=
                        static_cast<double>(pe_occupancy(hardware.pe, shape.weighted, false, false, rows, shape.head_dim, k, stop).cycles);
                }
                if (shape.relative) {
                    array += static_cast<double>(pe_occupancy(hardware.pe, shape.scores, false, false, rows,
                                                              2 * (shape.grid_height + shape.grid_width) - 2, 0, shape.head_dim)
                                                     .cycles);
                }
                const auto softmax = static_cast<double>(rows * std::max(ceil_div(shape.keys, hardware.softmax_lanes), shape.softmax.threshold_cycles) +
                                                         (shape.softmax.count - 1) * ceil_div(shape.keys, hardware.softmax_lanes));
                const auto post = static_cast<double>(post_cycles(hardware.pe, false, rows, shape.keys) +
                                                      post_cycles(hardware.pe, false, rows, shape.head_dim));
                const auto tiles = static_cast<double>(shape.batch * query_tiles);
                const auto kv_bytes =
                    static_cast<double>(shape.keys * shape.head_dim * (shape.scores.right_bits + shape.weighted.right_bits)) / 8.0;
                const auto memory =
                    (tiles * (whole ? 1.0 / static_cast<double>(query_tiles) : 1.0) * kv_bytes +
                     tiles * static_cast<double>(rows * shape.head_dim * (shape.scores.left_bits + shape.output_bits)) / 8.0) /
                    bandwidth;
                // A tile goes through array, post unit, softmax unit, array and post unit; as many are under way as have score rows on chip.
                const double chain = array + softmax + post + kUnitLatencies;
                const double pipelined = tiles * std::max({array, softmax, post, chain / score_slots});
                const double total = (slots > 1 && key_slots > 1 ? overlapped(pipelined, memory) : pipelined + memory) + array + softmax +
                                     kv_bytes / bandwidth + tiles * static_cast<double>(2 * key_tiles + 4);
                if (!best.infeasible.empty() || total < static_cast<double>(best.estimated_cycles)) {
                    best = {.tile_rows = rows,
                            .tile_cols = keys,
                            .slots = slots,
                            .score_slots = score_slots,
                            .key_slots = key_slots,
                            .keys_resident = whole,
                            .estimated_cycles = static_cast<std::int64_t>(std::ceil(total))};
                }
            }
        }
    }
    if (!best.infeasible.empty() && !fits_scores) {
        best.infeasible = too_small("score", std::min<std::int64_t>(hardware.pe.rows, shape.queries) * shape.keys * shape.score_bits,
                                    hardware.score_bits);
    }
    return best;
}

Mapping map_rows(const Hardware& hardware, std::int64_t capacity_bits, std::int64_t rows, std::int64_t row_bits) {
    constexpr std::int64_t kTilesWanted = 16;
    const auto usable = capacity_bits / hardware.slots;
    if (row_bits > usable)
        return {.infeasible = fmt::format("a row of {} bits does not fit {} usable bits of its buffer", row_bits, usable)};
    const auto fitting = usable / row_bits;
    const auto wanted = std::max<std::int64_t>(ceil_div(rows, kTilesWanted), 1);
    return {.tile_rows = std::min({fitting, wanted, rows}), .slots = hardware.slots};
}

}  // namespace prelude::sim
