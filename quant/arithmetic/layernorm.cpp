// SPDX-License-Identifier: Apache-2.0
#include "quant/arithmetic/layernorm.hpp"

#include <array>

#include "quant/arithmetic/rescale.hpp"
#include "quant/arithmetic/rounding.hpp"

namespace prelude::quant {

namespace {

constexpr std::int64_t kLargestRoot = (1 << 16) - 1;
constexpr int kSeedBits = 12, kSeeds = 192, kRootBits = 16, kNormalisedBits = 20, kFractionOfM = 20;
constexpr int kFractionOfSquare = kRootDividendBits - 2;
constexpr std::uint64_t kFirstRoot = std::uint64_t{1} << (kRootDividendBits / 2);  // above every root

/// seed[i] = round(2^12 / sqrt(1 + (i + 1/2) / 64)) = round(sqrt(2^31 / (129 + 2 i))), by integers alone.
constexpr std::array<std::uint32_t, kSeeds> make_seeds() {
    std::array<std::uint32_t, kSeeds> seeds{};
    for (std::uint64_t i = 0; i < kSeeds; ++i) {
        const std::uint64_t divisor = 129 + 2 * i;
        std::uint64_t s = std::uint64_t{1} << kSeedBits;
        while ((2 * s - 1) * (2 * s - 1) * divisor > (std::uint64_t{1} << 33)) --s;
        seeds[i] = static_cast<std::uint32_t>(s);
    }
    return seeds;
}
constexpr auto kSeedTable = make_seeds();

/// v = m * 4^exponent with m in [1, 4), truncated to `fraction` bits.
std::uint64_t mantissa_of(std::uint64_t v, int exponent, int fraction) noexcept {
    const int up = fraction - 2 * exponent;
    return up >= 0 ? v << up : v >> -up;
}

/// y of 2^16 / sqrt(m) by a guess and a Newton step that does not divide.
std::uint32_t seeded(std::uint64_t m) noexcept {
    const std::uint64_t s = kSeedTable[(m >> (kFractionOfM - 6)) - 64];
    const std::int64_t factor = (std::int64_t{3} << 44) - static_cast<std::int64_t>(m * s * s);
    const std::int64_t y = rne_shift(factor * static_cast<std::int64_t>(s), 41);
    return static_cast<std::uint32_t>(std::min<std::int64_t>(y, kLargestRoot));
}

/// floor(sqrt(m)): Newton's iteration from above, until it falls no more.
std::uint64_t falling_root(std::uint64_t m) noexcept {
    auto k = kFirstRoot;
    for (int i = 0; i < kNewtonDivisions; ++i) {
        const auto next = (k + m / k) / 2;
        if (next >= k) break;
        k = next;
    }
    return k;
}

std::uint64_t repeated_root(std::uint64_t m) noexcept {
    auto k = kFirstRoot;
    for (int i = 0; i < kRepeatedDivisions; ++i) k = (k + m / k) / 2;
    return k;
}

}  // namespace

std::span<const std::uint32_t> root_seeds() noexcept { return kSeedTable; }

ReciprocalRoot reciprocal_root(std::uint64_t v, Root form) noexcept {
    constexpr auto kOne = std::uint64_t{1} << (kRootDividendBits - 1);
    const int exponent = (bit_length(v) - 1) / 2;
    const auto square = mantissa_of(v, exponent, kFractionOfSquare);  // [2^30, 2^32)
    switch (form) {
        case Root::seeded: break;
        case Root::newton: return {static_cast<std::uint32_t>(std::min<std::uint64_t>(kOne / falling_root(square), kLargestRoot)), exponent};
        case Root::repeated: return {static_cast<std::uint32_t>((kOne - 1) / repeated_root(square)), exponent};
    }
    return {seeded(mantissa_of(v, exponent, kFractionOfM)), exponent};
}

void layer_norm_row(const LayerNormOp& op, const std::int32_t* x, std::int32_t* out, std::int64_t stride) noexcept {
    std::int64_t sum = 0, squares = 0;
    for (std::int64_t c = 0; c < op.channels; ++c) {
        const std::int64_t word = x[c * stride];
        sum += word;
        squares += word * word;
    }
    const auto variance = op.channels * squares - sum * sum + op.epsilon;
    const auto root = reciprocal_root(static_cast<std::uint64_t>(std::max<std::int64_t>(variance, 1)), op.root);
    const int shift = kRootBits + root.exponent - op.normalised_fraction;
    for (std::int64_t c = 0; c < op.channels; ++c) {
        const auto centred = op.channels * x[c * stride] - sum;
        const auto t = saturate(rne_shift(centred * static_cast<std::int64_t>(root.mantissa), shift), signed_min(kNormalisedBits),
                                signed_max(kNormalisedBits));
        out[c * stride] = rescale(op.rescale, static_cast<std::size_t>(c), t);
    }
}

}  // namespace prelude::quant
