// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the searches for mappings of products, attention and rows share: extents, buffer needs, the best few.

#include <array>
#include <string>
#include <vector>

#include "sim/mapping/mapping.hpp"

namespace prelude::sim {

[[nodiscard]] constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) noexcept {
    return (a + b - 1) / b;
}

/// Extents worth trying: multiples of `unit` that grow by about a third, and the whole.
[[nodiscard]] std::vector<std::int64_t> extents(std::int64_t whole, std::int64_t unit);

/// Bits of all slots of a segment, by BufferId.
using BufferNeeds = std::array<std::int64_t, kNumBuffers>;
[[nodiscard]] std::int64_t capacity_bits(const Hardware& hardware, BufferId buffer) noexcept;
[[nodiscard]] bool fits(const Hardware& hardware, const BufferNeeds& needs) noexcept;
/// "the weight buffer overflows by 44.0 KiB: its tiles take 300.0 KiB of 256.0 KiB", for every buffer that does.
[[nodiscard]] std::vector<MappingProblem> overflows(const Hardware& hardware, const BufferNeeds& needs);

/// The reason of an infeasible segment: what the smallest tile overflows.
[[nodiscard]] Mapping infeasible(const Hardware& hardware, const BufferNeeds& smallest);

/// A problem unless low <= value <= high; `what`: "the segment has 196 rows".
void check_range(std::vector<MappingProblem>& problems, const char* field, std::int64_t value, std::int64_t low, std::int64_t high, const std::string& what);
void check_slots(std::vector<MappingProblem>& problems, const Hardware& hardware, const Mapping& mapping);

/// What tiles get of the peak: refresh takes 4.5 %, row misses and turnarounds about as much (seen in simulation).
[[nodiscard]] double usable_bytes_per_cycle(const Hardware& hardware) noexcept;
/// Work that overlaps, tile by tile: the longer of two, and a share of the shorter that no buffer hides when both are close (seen in simulation).
[[nodiscard]] double overlapped(double a, double b) noexcept;

/// The best few mappings that differ from each other, best first; of equal estimates the one that came first.
class BestFew {
  public:
    explicit BestFew(int count) : count_(static_cast<std::size_t>(count)) {}
    void add(Mapping mapping);
    [[nodiscard]] const std::vector<Mapping>& list() const noexcept { return list_; }

  private:
    std::size_t count_;
    std::vector<Mapping> list_;
};

}  // namespace prelude::sim
