// SPDX-License-Identifier: Apache-2.0
#include "sim/mapping/mapping.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/mapping/search.hpp"

namespace prelude::sim {

namespace {

double kib(std::int64_t bits) { return static_cast<double>(bits) / 8192.0; }

bool alike(std::int64_t a, std::int64_t b) noexcept { return 4 * std::max(a, b) < 5 * std::min(a, b) || a == b; }

/// Too similar to be worth two simulations.
bool alike(const Mapping& a, const Mapping& b) noexcept {
    return a.order == b.order && a.weight_stationary == b.weight_stationary && a.swap == b.swap && a.slots == b.slots && a.score_slots == b.score_slots &&
           a.key_slots == b.key_slots && alike(a.tile_rows, b.tile_rows) && alike(a.tile_cols, b.tile_cols) && alike(a.tile_depth, b.tile_depth);
}

BufferNeeds needs(const RowsShape& shape, const Mapping& mapping) {
    BufferNeeds result{};
    result[static_cast<std::size_t>(shape.buffer)] = mapping.slots * mapping.tile_rows * shape.row_bits;
    return result;
}

}  // namespace

std::string Mapping::to_string() const {
    if (!infeasible.empty()) return "infeasible: " + infeasible;
    if (tile_depth == 0 && tile_cols == 0) return fmt::format("rows: {}, slots: {}", tile_rows, slots);
    if (tile_depth == 0) return fmt::format("queries: {}, keys: {}, slots: {}, score_slots: {}, key_slots: {}", tile_rows, tile_cols, slots, score_slots, key_slots);
    return fmt::format("rows: {}, cols: {}, depth: {}, order: {}_outer, dataflow: {}_stationary, swap: {}, slots: {}", tile_rows, tile_cols, tile_depth,
                       order == LoopOrder::rows_outer ? "rows" : "cols", weight_stationary ? "weight" : "output", swap, slots);
}

std::vector<std::int64_t> extents(std::int64_t whole, std::int64_t unit) {
    std::vector<std::int64_t> list;
    for (std::int64_t count = 1; count * unit < whole; count = count < 4 ? count + 1 : count + count / 3) list.push_back(count * unit);
    list.push_back(whole);
    return list;
}

std::int64_t capacity_bits(const Hardware& hardware, BufferId buffer) noexcept {
    switch (buffer) {
        case BufferId::weight: return hardware.weight_bits;
        case BufferId::activation: return hardware.activation_bits;
        case BufferId::partial_sum: return hardware.partial_sum_bits;
        case BufferId::score: return hardware.score_bits;
    }
    return 0;
}

bool fits(const Hardware& hardware, const BufferNeeds& needs) noexcept {
    for (std::size_t b = 0; b < kNumBuffers; ++b)
        if (needs[b] > capacity_bits(hardware, static_cast<BufferId>(b))) return false;
    return true;
}

std::vector<MappingProblem> overflows(const Hardware& hardware, const BufferNeeds& needs) {
    std::vector<MappingProblem> problems;
    for (std::size_t b = 0; b < kNumBuffers; ++b) {
        const auto capacity = capacity_bits(hardware, static_cast<BufferId>(b));
        if (needs[b] <= capacity) continue;
        problems.push_back({{}, fmt::format("the {} buffer overflows by {:.2f} KiB: tiles take {:.2f} KiB of {:.2f} KiB", kBufferNames[b], kib(needs[b] - capacity), kib(needs[b]), kib(capacity))});
    }
    return problems;
}

Mapping infeasible(const Hardware& hardware, const BufferNeeds& smallest) {
    const auto problems = overflows(hardware, smallest);
    Mapping mapping;
    mapping.infeasible = problems.empty() ? "no tile fits" : "with the smallest tile " + problems.front().text;
    return mapping;
}

void check_range(std::vector<MappingProblem>& problems, const char* field, std::int64_t value, std::int64_t low, std::int64_t high, const std::string& what) {
    if (value < low || value > high) problems.push_back({field, fmt::format("{} {}, but {}", field, value, what)});
}

void check_slots(std::vector<MappingProblem>& problems, const Hardware& hardware, const Mapping& mapping) {
    check_range(problems, "slots", mapping.slots, 1, hardware.slots, hardware.slots == 1 ? "hw.double_buffer is false: there is one" : "there are 2");
}

double usable_bytes_per_cycle(const Hardware& hardware) noexcept {
    constexpr double kDramEfficiency = 0.9;
    return kDramEfficiency * hardware.peak_bytes_per_cycle();
}

double overlapped(double a, double b) noexcept {
    constexpr double kExposed = 0.15;
    return std::max(a, b) + kExposed * std::min(a, b);
}

void BestFew::add(Mapping mapping) {
    const auto at = std::ranges::upper_bound(list_, mapping.estimated_cycles, {}, &Mapping::estimated_cycles);
    if (at == list_.end() && list_.size() == count_) return;
    if (std::any_of(list_.begin(), at, [&](const Mapping& better) { return alike(better, mapping); })) return;
    list_.erase(std::remove_if(at, list_.end(), [&](const Mapping& worse) { return alike(worse, mapping); }), list_.end());
    list_.insert(std::ranges::upper_bound(list_, mapping.estimated_cycles, {}, &Mapping::estimated_cycles), std::move(mapping));
    if (list_.size() > count_) list_.pop_back();
}

std::vector<Mapping> candidates(const Hardware& hardware, const RowsShape& shape) {
    constexpr std::int64_t kTilesWanted = 16;
    if (const auto one = needs(shape, {.tile_rows = 1, .slots = hardware.slots}); !fits(hardware, one)) return {infeasible(hardware, one)};
    const auto fitting = capacity_bits(hardware, shape.buffer) / hardware.slots / shape.row_bits;
    const auto wanted = std::max<std::int64_t>(ceil_div(shape.rows, kTilesWanted), 1);
    return {{.tile_rows = std::min({fitting, wanted, shape.rows}), .slots = hardware.slots}};
}

std::vector<MappingProblem> problems(const Hardware& hardware, const RowsShape& shape, const Mapping& mapping) {
    std::vector<MappingProblem> result;
    if (mapping.tile_cols > 0) result.push_back({mapping.tile_depth > 0 ? "cols" : "queries", "the segment works on whole rows: its mapping has rows and slots"});
    check_range(result, "rows", mapping.tile_rows, 1, shape.rows, fmt::format("the segment has {}", shape.rows));
    check_slots(result, hardware, mapping);
    return result.empty() ? overflows(hardware, needs(shape, mapping)) : result;
}

}  // namespace prelude::sim
