// SPDX-License-Identifier: Apache-2.0
#pragma once

// The design points of a sweep: the cross product of the axes, or a random sample of it.

#include "experiments/config/configuration.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace prelude::experiments {

struct Point {
    std::int64_t index = 0;          ///< in the whole grid
    Settings settings;               ///< device filled in
    std::vector<std::string> swept;  ///< one text per column of Grid::columns()
    std::vector<std::string> warnings;
};

/// Lazily enumerated points.
///
/// Contract
///   - order of the axes in the file, the last one fastest; keys of one axis move together;
///   - random: `samples` different points drawn with `seed`, in grid order, the same on every machine;
///   - without axes there is one point, the base;
///   - a softmax width beyond the useful maximum, where an axis is involved, is lowered to it with a warning.
class Grid {
  public:
    static constexpr std::int64_t kMaxGridPoints = 1'000'000;                ///< of strategy grid
    static constexpr std::int64_t kMaxCombinations = std::int64_t{1} << 62;  ///< of strategy random

    /// `configuration` must outlive the grid.
    explicit Grid(const Configuration& configuration);

    [[nodiscard]] const Configuration& configuration() const noexcept { return *configuration_; }
    /// Points to evaluate, and combinations in the whole grid.
    [[nodiscard]] std::int64_t size() const noexcept;
    [[nodiscard]] std::int64_t num_combinations() const noexcept { return num_combinations_; }
    /// Dotted keys of the swept columns, axis by axis.
    [[nodiscard]] std::vector<std::string> columns() const;
    /// The i-th point to evaluate.
    [[nodiscard]] Point at(std::int64_t i) const;
    /// The point with this index in the whole grid.
    [[nodiscard]] Point combination(std::int64_t index) const;

  private:
    const Configuration* configuration_;
    std::int64_t num_combinations_ = 1;
    std::vector<std::int64_t> drawn_;  ///< of strategy random, ascending
};

/// Combinations of the axes, or nothing when there are more than Grid::kMaxCombinations.
[[nodiscard]] std::optional<std::int64_t> count_combinations(const std::vector<Axis>& axes) noexcept;

/// `count` different numbers below `bound`, ascending (Floyd's algorithm over a Mersenne twister; no distribution of the library).
[[nodiscard]] std::vector<std::int64_t> draw(std::int64_t count, std::int64_t bound, std::uint64_t seed);

}  // namespace prelude::experiments
