// SPDX-License-Identifier: Apache-2.0
#include "quant/arithmetic/layernorm.hpp"

#include <array>

#include "quant/arithmetic/rescale.hpp"
#include "quant/arithmetic/rounding.hpp"

namespace prelude::quant {

namespace {

constexpr int kSeedBits = 12, kSeeds = 192, kRootBits = 16, kNormalisedBits = 20, kFractionOfM = 20;

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

}  // namespace

ReciprocalRoot reciprocal_root(std::uint64_t v) noexcept {
    const int exponent = (bit_length(v) - 1) / 2;
    const int up = kFractionOfM - 2 * exponent;
    const std::uint64_t m = up >= 0 ? v << up : v >> -up;  // [2^20, 2^22)
    const std::uint64_t s = kSeedTable[(m >> (kFractionOfM - 6)) - 64];
    const std::int64_t factor = (std::int64_t{3} << 44) - static_cast<std::int64_t>(m * s * s);
    const std::int64_t y = rne_shift(factor * static_cast<std::int64_t>(s), 41);
    return {static_cast<std::uint32_t>(std::min<std::int64_t>(y, (1 << kRootBits) - 1)), exponent};
}

void layer_norm_row(const LayerNormOp& op, const std::int32_t* x, std::int32_t* out, std::int64_t stride) noexcept {
    std::int64_t sum = 0, squares = 0;
    for (std::int64_t c = 0; c < op.channels; ++c) {
        const std::int64_t word = x[c * stride];
        sum += word;
        squares += word * word;
    }
    const auto variance = op.channels * squares - sum * sum + op.epsilon;
    const auto root = reciprocal_root(static_cast<std::uint64_t>(std::max<std::int64_t>(variance, 1)));
    const int shift = kRootBits + root.exponent - op.normalised_fraction;
    for (std::int64_t c = 0; c < op.channels; ++c) {
        const auto centred = op.channels * x[c * stride] - sum;
        const auto t = saturate(rne_shift(centred * static_cast<std::int64_t>(root.mantissa), shift), signed_min(kNormalisedBits),
                                signed_max(kNormalisedBits));
        out[c * stride] = rescale(op.rescale, static_cast<std::size_t>(c), t);
    }
}

}  // namespace prelude::quant
