// SPDX-License-Identifier: Apache-2.0
#pragma once

// Elementwise functions and sums over float arrays in vectors of fixed width. Eigen's arrays of run-time size start their
// vector loop at the first aligned address and treat the rest one by one, with libm: results would depend on where malloc put
// the data. A chunk of fixed size has no such rest; the tail of an array is computed in a padded chunk.

#include <Eigen/Core>
#include <algorithm>
#include <cstdint>

namespace prelude::models::reference {

inline constexpr std::int64_t kChunk = 16;
using Chunk = Eigen::Array<float, kChunk, 1>;

[[nodiscard]] inline Chunk load(const float* source) {
    return Eigen::Map<const Chunk>(source);
}
inline void store(float* target, const Chunk& chunk) {
    Eigen::Map<Chunk>{target} = chunk;
}

/// The first `count` (< kChunk) elements, the others `padding`.
[[nodiscard]] inline Chunk load_tail(const float* source, std::int64_t count, float padding = 0.0F) {
    Chunk chunk = Chunk::Constant(padding);
    std::copy_n(source, count, chunk.data());
    return chunk;
}

/// values[i] = function(values[i]).
template <class Function>
void transform(float* values, std::int64_t count, const Function& function) {
    std::int64_t index = 0;
    for (; index + kChunk <= count; index += kChunk) {
        const Chunk result = function(load(values + index));
        store(values + index, result);
    }
    if (index == count) return;
    const Chunk result = function(load_tail(values + index, count - index));
    std::copy_n(result.data(), count - index, values + index);
}

/// values[i] = function(values[i], others[i]).
template <class Function>
void transform(float* values, const float* others, std::int64_t count, const Function& function) {
    std::int64_t index = 0;
    for (; index + kChunk <= count; index += kChunk) {
        const Chunk result = function(load(values + index), load(others + index));
        store(values + index, result);
    }
    if (index == count) return;
    const Chunk result = function(load_tail(values + index, count - index), load_tail(others + index, count - index));
    std::copy_n(result.data(), count - index, values + index);
}

[[nodiscard]] inline float sum(const float* values, std::int64_t count) {
    Chunk total = Chunk::Zero();
    std::int64_t index = 0;
    for (; index + kChunk <= count; index += kChunk) total += load(values + index);
    if (index < count) total += load_tail(values + index, count - index);
    return total.sum();
}

[[nodiscard]] inline float sum_of_squares(const float* values, std::int64_t count, float centre) {
    Chunk total = Chunk::Zero();
    std::int64_t index = 0;
    for (; index + kChunk <= count; index += kChunk) total += (load(values + index) - centre).square();
    if (index < count) total += (load_tail(values + index, count - index, centre) - centre).square();
    return total.sum();
}

[[nodiscard]] inline float max(const float* values, std::int64_t count) {
    Chunk largest = Chunk::Constant(values[0]);
    std::int64_t index = 0;
    for (; index + kChunk <= count; index += kChunk) largest = largest.max(load(values + index));
    if (index < count) largest = largest.max(load_tail(values + index, count - index, values[0]));
    return largest.maxCoeff();
}

}  // namespace prelude::models::reference
