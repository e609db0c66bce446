// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which elements, rows or matrices of a value stand for all of them.

#include <cstddef>
#include <numbers>
#include <numeric>

namespace prelude::quant {

/// Positions below `size` in an order of which any few lie all over the value.
///
/// Meaning   position i is i s mod size, s near size / golden ratio and without a common factor with it: the first n are nearly even, and as they go on they
///           meet every channel, column and head alike. Even steps would not: one that is a multiple of the channels meets the same channel again and again
/// Contract  `size` positions are all different; `first`: how many were taken before, so that several equal values are sampled at different positions
class Spread final {
  public:
    Spread(std::size_t size, std::size_t first) noexcept : size_(size), step_(step_of(size)), at_(first % size * step_ % size) {}

    [[nodiscard]] std::size_t next() noexcept {
        const auto position = at_;
        at_ = (at_ + step_) % size_;
        return position;
    }

  private:
    static std::size_t step_of(std::size_t size) noexcept {
        auto step = static_cast<std::size_t>(static_cast<double>(size) / std::numbers::phi) | 1U;
        while (std::gcd(step, size) != 1) step += 2;
        return step;
    }

    std::size_t size_, step_, at_;
};

}  // namespace prelude::quant
