// SPDX-License-Identifier: Apache-2.0
#include "quant/compat/quantizer.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <set>

#include "quant/compat/weights.hpp"

using namespace prelude;
using namespace prelude::quant;
using namespace prelude::quant::compat;

namespace {

/// Channels whose ranges lie around 0 in many ways.
ChannelAffine many_channels(std::size_t count, int bits) {
    ChannelAffine channels;
    for (std::size_t c = 0; c < count; ++c) {
        const auto x = static_cast<float>(c);
        channels.push_back(fake::affine_of_range(-1 - std::abs(std::sin(x)), 1 + 3 * std::abs(std::cos(1.7F * x)), bits, false));
    }
    return channels;
}

std::set<std::pair<float, float>> pairs_of(const ChannelAffine& channels) {
    std::set<std::pair<float, float>> pairs;
    for (const auto& channel : channels) pairs.emplace(channel.scale, channel.zero_point);
    return pairs;
}

std::set<float> values_of(const Quantizer& quantizer, float lo, float hi) {
    std::vector<float> x;
    for (int i = 0; i <= 4096; ++i) x.push_back(lo + (hi - lo) * static_cast<float>(i) / 4096);
    quantize(quantizer, x);
    return {x.begin(), x.end()};
}

}  // namespace

TEST_CASE("Channels merge into no more groups than asked for, with whole zero points and scales between the channels'") {
    const auto channels = many_channels(96, 4);
    for (const int groups : {1, 2, 3, 4, 8, 40}) {
        INFO(groups << " groups");
        const auto merged = grouped(channels, groups);
        CHECK(pairs_of(merged).size() <= static_cast<std::size_t>(groups));
        for (const auto& channel : merged) {
            CHECK(channel.zero_point == std::nearbyint(channel.zero_point));
            CHECK((channel.zero_point >= channel.lowest() && channel.zero_point <= channel.highest()));
        }
    }
    CHECK(pairs_of(grouped(channels, 96)) == pairs_of(channels));
    CHECK(pairs_of(grouped(channels, 200)) == pairs_of(channels));
}

TEST_CASE("Real 0 stays 0 in every group: padding tokens are exact") {
    const auto merged = grouped(many_channels(64, 4), 4);
    std::vector<float> zeros(128, 0.0F);
    quantize(merged, zeros);
    for (const float x : zeros) CHECK(x == 0);
}

TEST_CASE("Each channel of the last axis has its own steps") {
    const ChannelAffine channels{{.bits = 2, .scale = 1}, {.bits = 2, .scale = 10}};
    std::vector<float> x{1.4F, 1.4F, 9, 9};
    quantize(channels, x);
    CHECK(x == std::vector<float>{1, 0, 3, 10});
}

TEST_CASE("Companded probabilities with 2^b steps have one value more than b bits tell apart, logarithmic ones too") {
    CHECK(values_of(fake::Companding{.alpha = 20, .scale = 1, .steps = 16}, 0, 1).size() == 17);
    CHECK(values_of(fake::Companding{.alpha = 20, .scale = 1, .steps = 15}, 0, 1).size() == 16);
    CHECK(values_of(fake::Logarithmic{.bits = 3, .tau = 2, .scale = 1}, 0, 1).size() == 9);
}

TEST_CASE("The published hybrid quantizer collapses above its number of logarithmic codes, the intended one does not") {
    // 4 bits, range 6, an eighth of the codes logarithmic: two codes, so what lies 2 above the minimum falls to the lowest uniform step.
    constexpr float kLo = -0.17F, kHi = 5.83F;
    for (const float range_share : {0.1F, 0.3F, 0.5F}) {
        INFO("range share " << range_share);
        const auto intended = fake::hybrid_of_range(kLo, kHi, range_share, 0.125F, 4, fake::HybridVariant::intended);
        auto published = intended;
        published.variant = fake::HybridVariant::reference;
        CHECK(values_of(intended, kLo, kHi).size() >= 15);
        const auto left = values_of(published, kLo, kHi).size();
        CHECK((left >= 3 && left <= 6));
        CHECK(intended(kHi) > 5);
        CHECK(published(kHi) == Approx(intended.log_scale + kLo));
        CHECK(published(kLo + 1.9F) == intended(kLo + 1.9F));
    }
}

TEST_CASE("Rounded weights have at most 2^b values a channel, each channel its own, and lose less than the extremes' steps do") {
    std::vector<float> values;
    for (int i = 0; i < 4 * 48; ++i) values.push_back(std::sin(1.3F * static_cast<float>(i)) * static_cast<float>(1 + i / 48) + (i % 48 == 7 ? 3.0F : 0.0F));
    const models::WeightView view{models::Shape{4, 48}, values};
    for (const int bits : {2, 3, 4}) {
        const auto rounded = rounded_weights(view, bits);
        for (std::size_t n = 0; n < 4; ++n) {
            const auto row = std::span<const float>(values).subspan(n * 48, 48);
            const std::span<const float> ours = rounded.row(static_cast<std::int64_t>(n));
            CHECK(std::set<float>(ours.begin(), ours.end()).size() <= static_cast<std::size_t>(1 << bits));
            const auto [lo, hi] = std::ranges::minmax(row);
            const auto extremes = fake::affine_of_range(lo, hi, bits, false);
            double loss = 0, plain = 0;
            for (std::size_t i = 0; i < row.size(); ++i) {
                loss += std::pow(std::abs(static_cast<double>(ours[i]) - static_cast<double>(row[i])), 2.4);
                plain += std::pow(std::abs(static_cast<double>(extremes(row[i])) - static_cast<double>(row[i])), 2.4);
            }
            CHECK(loss <= plain * (1 + 1e-5));
        }
    }
}
