// SPDX-License-Identifier: Apache-2.0
#include "models/data/random.hpp"

#include <bit>
#include <cmath>

namespace prelude::models {

namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kLn2High = 6.93147180369123816490e-01;  // 33 bits, so that k * kLn2High is exact
constexpr double kLn2Low = 1.90821492927058770002e-10;

}  // namespace

std::uint64_t mix(std::uint64_t word) noexcept {
    word += 0x9e3779b97f4a7c15ULL;
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ULL;
    word = (word ^ (word >> 27)) * 0x94d049bb133111ebULL;
    return word ^ (word >> 31);
}

Random::Random(std::uint64_t key) noexcept : key_(key), state_{} {
    for (auto& word : state_) {
        word = mix(key);
        key += 0x9e3779b97f4a7c15ULL;
    }
}

std::uint64_t Random::next() noexcept {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

double Random::uniform() noexcept {
    return static_cast<double>(next() >> 11) * 0x1p-53;
}

int Random::integer(int low, int high) noexcept {
    const auto count = static_cast<std::uint64_t>(high - low) + 1;
    return low + static_cast<int>(((next() >> 32) * count) >> 32);
}

double Random::normal() noexcept {
    for (;;) {
        const double u = uniform(-1, 1);
        const double v = uniform(-1, 1);
        const double s = u * u + v * v;
        if (s > 0 && s < 1) return u * std::sqrt(-2.0 * logarithm(s) / s);
    }
}

double Random::log_uniform(double low, double high) noexcept {
    return low * exponential(uniform() * logarithm(high / low));
}

double sine(double x) noexcept {
    x -= 2 * kPi * std::floor(x / (2 * kPi) + 0.5);
    if (x > kPi / 2) x = kPi - x;
    if (x < -kPi / 2) x = -kPi - x;
    const double square = x * x;
    double term = x;
    double sum = x;
    for (int n = 3; n <= 23; n += 2) {
        term *= -square / (n * (n - 1));
        sum += term;
    }
    return sum;
}

double cosine(double x) noexcept {
    return sine(x + kPi / 2);
}

double exponential(double x) noexcept {
    const double k = std::floor(x / (kLn2High + kLn2Low) + 0.5);
    const double r = (x - k * kLn2High) - k * kLn2Low;
    double sum = 1;
    for (int n = 16; n >= 1; --n) sum = 1 + sum * r / n;
    return std::ldexp(sum, static_cast<int>(k));
}

double logarithm(double x) noexcept {
    int exponent = 0;
    double m = std::frexp(x, &exponent);  // [0.5, 1)
    if (m < 0.70710678118654752) {
        m *= 2;
        --exponent;
    }
    const double s = (m - 1) / (m + 1);
    const double square = s * s;
    double sum = 0;
    for (int n = 27; n >= 1; n -= 2) sum = sum * square + 1.0 / n;
    return exponent * kLn2High + (2 * s * sum + exponent * kLn2Low);
}

double power(double base, double exponent) noexcept {
    return base <= 0 ? 0.0 : exponential(exponent * logarithm(base));
}

}  // namespace prelude::models
