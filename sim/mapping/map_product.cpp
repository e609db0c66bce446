// SPDX-License-Identifier: Apache-2.0
// The search for mappings of products.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/mapping/search.hpp"

namespace prelude::sim {

namespace {

/// Parts of K worth trying: whole, halves, thirds, ...
std::vector<std::int64_t> depth_parts(std::int64_t whole, std::int64_t unit) {
    std::vector<std::int64_t> list{whole};
    for (auto parts : {2, 3, 4, 6, 8, 12, 16, 32}) {
        const auto part = ceil_div(ceil_div(whole, parts), unit) * unit;
        if (part < list.back()) list.push_back(part);
    }
    return list;
}

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

/// Parts of a segment's time, in cycles.
struct Estimate {
    double compute = 0, load = 0, store = 0, vector = 0, first = 0, last = 0;
    std::int64_t commands = 0;
    [[nodiscard]] std::int64_t cycles(bool double_buffered) const {
        const double memory = load + store;
        const double total = double_buffered ? overlapped(std::max(compute, vector), memory) + first + last : compute + memory + vector;
        return static_cast<std::int64_t>(std::ceil(total)) + commands;
    }
};

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
                            waste(map.tile_depth / shape.depth_unit, shape.depth / shape.depth_unit, shape.form.left_word_bits);  // taps of a channel lie apart
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

/// Swapped operands exchange their buffers.
BufferNeeds needs(const ProductShape& shape, const Mapping& map) {
    BufferNeeds result{};
    const auto left = map.tile_rows * (map.tile_depth * shape.form.left_word_bits + shape.extra_rows_bits), right = map.tile_cols * map.tile_depth * shape.form.right_bits;
    const auto sums = map.tile_rows * map.tile_cols * (std::int64_t{shape.accumulator_bits} * shape.form.num_sums() + shape.output_bits + shape.residual_bits);
    result[static_cast<std::size_t>(BufferId::weight)] = map.slots * (map.swap ? left : right);
    result[static_cast<std::size_t>(BufferId::activation)] = map.slots * (map.swap ? right : left);
    result[static_cast<std::size_t>(BufferId::partial_sum)] = map.slots * sums;
    return result;
}

bool can_swap(const ProductShape& shape) noexcept { return !shape.form.left_is_log && !shape.needs_whole_rows_outer; }

/// Held operands are weights: they are not swapped.
bool has_dataflow(const Hardware& hardware, bool weight_stationary, bool swap) noexcept {
    if (weight_stationary) return hardware.dataflow != Dataflow::output_stationary && !swap;
    return hardware.dataflow != Dataflow::weight_stationary;
}

}  // namespace

std::int64_t estimated_cycles(const Hardware& hardware, const ProductShape& shape, const Mapping& mapping) {
    return estimate(hardware, shape, mapping).cycles(mapping.slots > 1);
}

std::vector<Mapping> candidates(const Hardware& hardware, const ProductShape& shape) {
    BestFew best(hardware.mapping_candidates);
    const auto depths = depth_parts(shape.depth, shape.depth_unit);
    const auto partial_sum = static_cast<std::size_t>(BufferId::partial_sum);
    for (const bool swap : {false, true}) {
        if (swap && !can_swap(shape)) continue;
        const auto row_unit = std::min<std::int64_t>(shape.rows, swap ? hardware.pe.cols : hardware.pe.rows);
        const auto col_unit = std::min<std::int64_t>(shape.cols, swap ? hardware.pe.rows : hardware.pe.cols);
        for (auto rows : extents(shape.rows, row_unit)) {
            for (auto cols : extents(shape.cols, col_unit)) {
                Mapping map{.tile_rows = rows, .tile_cols = cols, .tile_depth = shape.depth, .swap = swap, .slots = hardware.slots};
                if (needs(shape, map)[partial_sum] > hardware.partial_sum_bits) break;
                for (auto depth : depths) {
                    map.tile_depth = depth;
                    if (!fits(hardware, needs(shape, map))) continue;
                    for (const bool stationary : {false, true}) {
                        if (!has_dataflow(hardware, stationary, swap)) continue;
                        map.weight_stationary = stationary;
                        for (const auto order : {LoopOrder::rows_outer, LoopOrder::cols_outer}) {
                            if (shape.needs_whole_rows_outer && order != LoopOrder::rows_outer) continue;
                            map.order = order;
                            map.estimated_cycles = estimated_cycles(hardware, shape, map);
                            best.add(map);
                        }
                    }
                }
            }
        }
    }
    if (!best.list().empty()) return best.list();
    const Mapping smallest{.tile_rows = std::min<std::int64_t>(shape.rows, hardware.pe.rows),
                           .tile_cols = std::min<std::int64_t>(shape.cols, hardware.pe.cols),
                           .tile_depth = depths.back(),
                           .slots = hardware.slots};
    return {infeasible(hardware, needs(shape, smallest))};
}

std::vector<MappingProblem> problems(const Hardware& hardware, const ProductShape& shape, const Mapping& mapping) {
    std::vector<MappingProblem> result;
    if (mapping.tile_depth == 0) return {{mapping.tile_cols > 0 ? "queries" : "rows", "the segment is a product: its mapping has rows, cols and depth"}};
    check_range(result, "rows", mapping.tile_rows, 1, shape.rows, fmt::format("the product has {}", shape.rows));
    check_range(result, "cols", mapping.tile_cols, 1, shape.cols, fmt::format("the product has {}", shape.cols));
    check_range(result, "depth", mapping.tile_depth, 1, shape.depth, fmt::format("the product has {}", shape.depth));
    if (mapping.tile_depth < shape.depth && mapping.tile_depth % shape.depth_unit != 0)
        result.push_back({"depth", fmt::format("depth {}, but the product can be cut only at multiples of {}", mapping.tile_depth, shape.depth_unit)});
    if (shape.needs_whole_rows_outer && mapping.order != LoopOrder::rows_outer) result.push_back({"order", "relative positions need order rows_outer"});
    if (mapping.swap && !can_swap(shape))
        result.push_back({"swap", shape.form.left_is_log ? "a log-coded left operand cannot be swapped: the shifters stand on the rows" : "relative positions need their queries on the rows"});
    if (mapping.swap && mapping.weight_stationary) result.push_back({"swap", "swapped operands have dataflow output_stationary"});
    else if (!has_dataflow(hardware, mapping.weight_stationary, mapping.swap))
        result.push_back({"dataflow", fmt::format("hw.dataflow is {}_stationary", mapping.weight_stationary ? "output" : "weight")});
    check_slots(result, hardware, mapping);
    return result.empty() ? overflows(hardware, needs(shape, mapping)) : result;
}

}  // namespace prelude::sim
