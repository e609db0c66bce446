// SPDX-License-Identifier: Apache-2.0
#pragma once

// Seeded operands for equality tests: random words and the shapes of data on which integer arithmetic goes wrong.

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "models/tensor.hpp"

namespace prelude::tests {

/// Splitmix64: the same sequence on every machine.
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 1) {}
    std::uint64_t bits() {
        std::uint64_t z = state_ += 0x9E3779B97F4A7C15u;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }
    /// In [lo, hi].
    std::int64_t in(std::int64_t lo, std::int64_t hi) {
        const auto span = static_cast<std::uint64_t>(hi) - static_cast<std::uint64_t>(lo) + 1;
        return static_cast<std::int64_t>(static_cast<std::uint64_t>(lo) + (span == 0 ? bits() : bits() % span));
    }
    bool one_in(std::int64_t n) { return in(1, n) == 1; }
    double real() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
    /// Close to a standard normal.
    double normal() {
        double sum = -6;
        for (int i = 0; i < 12; ++i) sum += real();
        return sum;
    }
    template <class T>
    const T& of(const std::vector<T>& choices) {
        return choices[static_cast<std::size_t>(in(0, static_cast<std::int64_t>(choices.size()) - 1))];
    }

  private:
    std::uint64_t state_;
};

enum class Pattern { random, lowest, highest, alternating, spike, near_zero, row_wise };
inline const std::vector<Pattern> kPatterns{Pattern::random, Pattern::lowest, Pattern::highest, Pattern::alternating,
                                            Pattern::spike,  Pattern::near_zero, Pattern::row_wise};
inline std::string name(Pattern pattern) {
    static const char* const names[] = {"random", "lowest", "highest", "alternating", "spike", "near_zero", "row_wise"};
    return names[static_cast<int>(pattern)];
}

/// `count` words in [lo, hi] after a pattern; rows of `row` words.
inline std::vector<std::int32_t> words(Random& random, Pattern pattern, std::int64_t count, std::int64_t lo, std::int64_t hi, std::int64_t row = 1) {
    std::vector<std::int32_t> out;
    std::int64_t spike = random.in(0, row - 1);
    for (std::int64_t i = 0; i < count; ++i) {
        if (i % row == 0) spike = random.in(0, row - 1);
        std::int64_t word = 0;
        switch (pattern) {
            case Pattern::random: word = random.in(lo, hi); break;
            case Pattern::lowest: word = lo; break;
            case Pattern::highest: word = hi; break;
            case Pattern::alternating: word = i % 2 ? lo : hi; break;
            case Pattern::spike: word = i % row == spike ? hi : lo; break;
            case Pattern::near_zero: word = std::clamp<std::int64_t>((lo + hi) / 2 + random.in(-1, 1), lo, hi); break;
            case Pattern::row_wise: word = i / row % 3 == 0 ? lo : i / row % 3 == 1 ? hi : random.in(lo, hi); break;  // whole rows equal
        }
        out.push_back(static_cast<std::int32_t>(word));
    }
    return out;
}

inline models::IntTensor tensor(Random& random, Pattern pattern, models::Shape shape, std::int64_t lo, std::int64_t hi) {
    const auto row = shape.back();
    const auto count = shape.num_elements();
    return models::IntTensor(std::move(shape), words(random, pattern, count, lo, hi, row));
}

}  // namespace prelude::tests
