// SPDX-License-Identifier: Apache-2.0
#pragma once

// Latencies of the floating-point operators, and how long a sum of them takes (docs/numerics.md section 9).
// Every operator is pipelined: a new operation each cycle. An addition that needs the result of the one before waits for its latency.

#include <algorithm>
#include <bit>
#include <cstdint>

#include "sim/stats.hpp"

namespace prelude::sim::float_timing {

/// Cycles, of binary32. Assumed: between what HLS binds at 100 MHz (addition 5, product 4, quotient 16) and the deepest cores of
/// Xilinx PG060 (11, 8, 28; root 28, exponential 20).
inline constexpr Cycle kAdd = 8, kMultiply = 5, kDivide = 28, kRoot = 28, kExponential = 20;

/// Lanes that a tree over `block` entries can use: a power of two that divides the block.
[[nodiscard]] constexpr std::int64_t lanes_used(std::int64_t lanes, std::int64_t block) noexcept {
    return static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(std::min(lanes, block))));
}

/// Beats in which `length` entries enter `lanes` lanes.
[[nodiscard]] constexpr std::int64_t beats(std::int64_t length, std::int64_t lanes, std::int64_t block) noexcept {
    const auto used = lanes_used(lanes, block);
    return length / block * (block / used) + (length % block + used - 1) / used;
}

/// Cycles until a sum over `length` entries has taken its last one, the next sum begins.
///
/// Meaning   d lanes make a tree of d entries a cycle; one adder behind them joins the trees of a block (B / d - 1 additions) and adds the block to
///           the running sum (one): B / d additions in B / d cycles. That last addition needs the running sum of the block before: blocks of one
///           sum follow each other no closer than the adder's latency
/// Formula   (n - 1) max(B / d, kAdd) + beats(last block),  n = ceil(length / B)
[[nodiscard]] constexpr std::int64_t sum_cycles(std::int64_t length, std::int64_t lanes, std::int64_t block) noexcept {
    const auto blocks = (length + block - 1) / block;
    return (blocks - 1) * std::max<std::int64_t>(block / lanes_used(lanes, block), kAdd) + beats(length - (blocks - 1) * block, lanes, block);
}

/// Cycles from the last entry to the sum: the levels of a block's tree, and the running sum.
[[nodiscard]] constexpr Cycle sum_latency(std::int64_t block) noexcept {
    return kAdd * static_cast<Cycle>(std::bit_width(static_cast<std::uint64_t>(block - 1)) + 1);
}

/// Scale and bias, relative positions or residual, behind the sums.
inline constexpr Cycle kPost = kMultiply + 2 * kAdd;
/// 1 / (0.33 |x| + 1), five products and sums, the exponential beside them, x h.
inline constexpr Cycle kGelu = kMultiply + kAdd + kDivide + 5 * (kMultiply + kAdd) + 2 * kMultiply;
/// Maximum, difference, exponential, sum, reciprocal, product.
[[nodiscard]] constexpr Cycle softmax_latency(std::int64_t block) noexcept { return 4 + kAdd + kExponential + sum_latency(block) + kDivide + kMultiply; }
/// Mean, centred squares, their mean, root and its reciprocal, three operations on each element.
[[nodiscard]] constexpr Cycle layer_norm_latency(std::int64_t block) noexcept {
    return 2 * (sum_latency(block) + kDivide) + kAdd + kMultiply + kAdd + kRoot + kDivide + kAdd + 2 * kMultiply + kAdd;
}

/// Rows of N words through maximum, exponentials and their sum, and products: three pipeline stages.
[[nodiscard]] constexpr Cycle softmax_cycles(std::int64_t rows, std::int64_t words, int lanes, std::int64_t block) noexcept {
    const auto stream = (words + lanes - 1) / lanes, sum = sum_cycles(words, lanes, block);
    return 2 * stream + sum + (rows - 1) * std::max(stream, sum) + softmax_latency(block);
}
/// Rows of D words through two sums and the affine step: three pipeline stages.
[[nodiscard]] constexpr Cycle layer_norm_cycles(std::int64_t rows, std::int64_t words, int lanes, std::int64_t block) noexcept {
    const auto stream = (words + lanes - 1) / lanes, sum = sum_cycles(words, lanes, block);
    return 2 * sum + stream + (rows - 1) * std::max(stream, sum) + layer_norm_latency(block);
}

}  // namespace prelude::sim::float_timing
