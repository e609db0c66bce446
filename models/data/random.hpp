// SPDX-License-Identifier: Apache-2.0
#pragma once

// Random numbers and elementary functions that give the same bits on every machine: integers and IEEE + - * / sqrt only.
// The standard library's distributions and libm's transcendental functions differ between versions, so neither is used.

#include <array>
#include <cstdint>

namespace prelude::models {

/// A bijection of 64-bit words with good avalanche: distinct inputs give distinct outputs.
/// Source: splitmix64 finaliser (Steele, Lea, Flood, OOPSLA 2014).
[[nodiscard]] std::uint64_t mix(std::uint64_t word) noexcept;

/// Generator xoshiro256** (Blackman, Vigna, TOMS 2021), seeded by splitmix64 from one key.
///
/// Contract
///   equal keys give equal sequences, on every machine;
///   split(a) and split(b) of one generator are unrelated to each other and to it, however much it has been used.
class Random {
  public:
    explicit Random(std::uint64_t key) noexcept;

    [[nodiscard]] Random split(std::uint64_t stream) const noexcept { return Random(mix(key_ ^ mix(stream + 1))); }

    std::uint64_t next() noexcept;
    double uniform() noexcept;  ///< [0, 1), 53 random bits
    double uniform(double low, double high) noexcept { return low + (high - low) * uniform(); }
    int integer(int low, int high) noexcept;  ///< low..high, both possible
    bool chance(double probability) noexcept { return uniform() < probability; }
    double normal() noexcept;                              ///< mean 0, deviation 1 (Marsaglia's polar method)
    double log_uniform(double low, double high) noexcept;  ///< low > 0; uniform in the logarithm
    std::size_t pick(std::size_t count) noexcept { return std::size_t(integer(0, int(count) - 1)); }

  private:
    std::uint64_t key_;
    std::array<std::uint64_t, 4> state_;
};

/// Within 1e-14 (absolute for sine and cosine, |x| <= 1000; relative for exponential; absolute for logarithm).
[[nodiscard]] double sine(double x) noexcept;
[[nodiscard]] double cosine(double x) noexcept;
[[nodiscard]] double exponential(double x) noexcept;                ///< |x| <= 700
[[nodiscard]] double logarithm(double x) noexcept;                  ///< x > 0, normal
[[nodiscard]] double power(double base, double exponent) noexcept;  ///< base >= 0

}  // namespace prelude::models
