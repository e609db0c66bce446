// SPDX-License-Identifier: Apache-2.0
// The search for mappings of fused attention.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "sim/mapping/search.hpp"

namespace prelude::sim {

namespace {

BufferNeeds needs(const AttentionShape& shape, const Mapping& map) {
    BufferNeeds result{};
    const std::int64_t terms_bits = shape.relative ? (shape.grid_height + shape.grid_width) * 32 : 0;
    const auto outputs = std::max(map.tile_cols * shape.scores_accumulator_bits, shape.head_dim * shape.weighted_accumulator_bits * shape.weighted.num_sums());
    const auto key_bits = map.tile_cols * shape.head_dim * (shape.scores.right_bits + shape.weighted.right_bits);
    result[static_cast<std::size_t>(BufferId::weight)] = map.key_slots * key_bits + shape.table_rows() * shape.head_dim * shape.table_bits;
    result[static_cast<std::size_t>(BufferId::activation)] = map.slots * map.tile_rows * shape.head_dim * shape.scores.left_bits;
    result[static_cast<std::size_t>(BufferId::partial_sum)] = map.slots * map.tile_rows * (outputs + shape.head_dim * shape.output_bits);
    const auto word_bits = std::max(shape.score_bits, shape.probability_bits);
    result[static_cast<std::size_t>(BufferId::score)] = map.score_slots * map.tile_rows * (shape.keys * word_bits + terms_bits);
    if (shape.recompute) {  // scores of one tile of keys; the sums of the weighted values stay beside those of the scores
        constexpr std::int64_t kStatisticsBits = 48;
        const auto weighted_bits = shape.head_dim * shape.weighted_accumulator_bits * shape.weighted.num_sums();
        result[static_cast<std::size_t>(BufferId::partial_sum)] =
            map.tile_rows * (map.slots * (map.tile_cols * shape.scores_accumulator_bits * shape.scores.num_sums() + shape.head_dim * shape.output_bits) + weighted_bits);
        result[static_cast<std::size_t>(BufferId::score)] = map.tile_rows * (map.score_slots * map.tile_cols * word_bits + terms_bits + kStatisticsBits);
    }
    return result;
}

}  // namespace

std::int64_t estimated_cycles(const Hardware& hardware, const AttentionShape& shape, const Mapping& map) {
    constexpr double kUnitLatencies = 60;  // fetch and pipeline of the five steps
    const double bandwidth = usable_bytes_per_cycle(hardware);
    const auto rows = map.tile_rows;
    const auto query_tiles = ceil_div(shape.queries, rows), key_tiles = ceil_div(shape.keys, map.tile_cols);
    const auto occupied = [&](const ProductForm& form, std::int64_t cols, std::int64_t begin, std::int64_t end) {
        return static_cast<double>(pe_occupancy(hardware.pe, form, false, false, rows, cols, begin, end).cycles);
    };
    const auto passes = static_cast<double>(shape.passes());
    double array = shape.relative ? occupied(shape.scores, shape.table_rows(), 0, shape.head_dim) : 0;
    for (std::int64_t k = 0; k < shape.keys; k += map.tile_cols) {
        const auto stop = std::min(shape.keys, k + map.tile_cols);
        array += passes * occupied(shape.scores, stop - k, 0, shape.head_dim) + occupied(shape.weighted, shape.head_dim, k, stop);
    }
    const auto words = ceil_div(shape.recompute ? map.tile_cols : shape.keys, hardware.softmax_lanes);
    const auto softmax = shape.recompute
                             ? static_cast<double>(key_tiles * rows * (shape.softmax.count * words + std::max<std::int64_t>(shape.softmax.threshold_cycles - words, 0)))
                             : static_cast<double>(rows * std::max(words, shape.softmax.threshold_cycles) + (shape.softmax.count - 1) * words);
    const auto post = passes * static_cast<double>(post_cycles(hardware.pe, false, rows, shape.keys)) + static_cast<double>(post_cycles(hardware.pe, false, rows, shape.head_dim));
    const auto tiles = static_cast<double>(shape.batch * query_tiles);
    const auto kv_bytes = static_cast<double>(shape.keys * shape.head_dim) * (passes * shape.scores.right_bits + shape.weighted.right_bits) / 8.0;
    const auto kv_loads = map.tile_cols == shape.keys && !shape.recompute ? static_cast<double>(shape.batch) : tiles;
    const auto memory = (kv_loads * kv_bytes + tiles * static_cast<double>(rows * shape.head_dim * (shape.scores.left_bits + shape.output_bits)) / 8.0) / bandwidth;
    // A tile goes through array, post unit, softmax unit, array and post unit; as many are under way as have score rows on chip.
    const double chain = array + softmax + post + kUnitLatencies * (shape.recompute ? passes * static_cast<double>(key_tiles) : 1.0);
    const double pipelined = tiles * std::max({array, softmax, post, chain / map.score_slots});
    const double total = (map.slots > 1 && map.key_slots > 1 ? overlapped(pipelined, memory) : pipelined + memory) + array + softmax + kv_bytes / bandwidth +
                         tiles * static_cast<double>(2 * key_tiles + 4);
    return static_cast<std::int64_t>(std::ceil(total));
}

std::vector<Mapping> candidates(const Hardware& hardware, const AttentionShape& shape) {
    if (shape.recompute && shape.scores.float_block > 0) {
        Mapping none;
        none.infeasible = "attention that makes its scores again is not there in floating point";
        return {none};
    }
    BestFew best(hardware.mapping_candidates);
    const auto slots = hardware.slots;
    const auto row_unit = std::min<std::int64_t>(hardware.pe.rows, shape.queries), key_unit = std::min(std::lcm(std::int64_t{hardware.pe.cols}, shape.key_unit), shape.keys);
    for (auto rows : extents(shape.queries, row_unit)) {
        for (auto keys : extents(shape.keys, key_unit)) {
            for (int score_slots = slots > 1 ? kMaxScoreSlots : 1; score_slots >= 1; --score_slots) {
                Mapping map{.tile_rows = rows, .tile_cols = keys, .slots = slots, .score_slots = score_slots, .key_slots = slots, .keys_resident = keys == shape.keys && !shape.recompute};
                if (!fits(hardware, needs(shape, map))) map.key_slots = 1;
                if (!fits(hardware, needs(shape, map))) continue;
                map.estimated_cycles = estimated_cycles(hardware, shape, map);
                best.add(map);
            }
        }
    }
    if (!best.list().empty()) return best.list();
    return {infeasible(hardware, needs(shape, {.tile_rows = row_unit, .tile_cols = key_unit, .slots = slots, .score_slots = 1, .key_slots = 1}))};
}

std::vector<MappingProblem> problems(const Hardware& hardware, const AttentionShape& shape, const Mapping& mapping) {
    std::vector<MappingProblem> result;
    if (mapping.tile_cols == 0 || mapping.tile_depth > 0) return {{"rows", "the segment is fused attention: its mapping has queries and keys"}};
    check_range(result, "queries", mapping.tile_rows, 1, shape.queries, fmt::format("the segment has {}", shape.queries));
    check_range(result, "keys", mapping.tile_cols, 1, shape.keys, fmt::format("the segment has {}", shape.keys));
    if (mapping.tile_cols < shape.keys && mapping.tile_cols % shape.key_unit != 0)
        result.push_back({"keys", fmt::format("keys {}, but keys can be cut only at multiples of {}", mapping.tile_cols, shape.key_unit)});
    check_slots(result, hardware, mapping);
    check_range(result, "score_slots", mapping.score_slots, 1, hardware.slots > 1 ? kMaxScoreSlots : 1,
                hardware.slots > 1 ? fmt::format("there are {} at most", kMaxScoreSlots) : "hw.double_buffer is false: there is one");
    check_range(result, "key_slots", mapping.key_slots, 1, hardware.slots, hardware.slots == 1 ? "hw.double_buffer is false: there is one" : "there are 2");
    return result.empty() ? overflows(hardware, needs(shape, mapping)) : result;
}

}  // namespace prelude::sim
