// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "models/data/random.hpp"
#include "models/metrics.hpp"

using namespace prelude::models;

namespace {

Mask rectangle(int x0, int y0, int x1, int y1) {
    Mask mask(20, 10);
    for (int y = y0; y < y1; ++y) {
        for (int x = x0; x < x1; ++x) mask.values[std::size_t(y * 20 + x)] = 1;
    }
    return mask;
}

}  // namespace

TEST_CASE("two rectangles have the overlap of their areas") {
    const auto a = rectangle(0, 0, 10, 10), b = rectangle(5, 0, 15, 10), none = rectangle(0, 0, 0, 0);
    CHECK(intersection_over_union(a, b) == 50.0 / 150.0);
    CHECK(dice(a, b) == 0.5);
    CHECK(intersection_over_union(a, a) == 1.0);
    CHECK(intersection_over_union(a, none) == 0.0);
    CHECK(dice(a, none) == 0.0);
    CHECK(intersection_over_union(none, none) == 1.0);
    CHECK(dice(none, none) == 1.0);
}

TEST_CASE("a logit of exactly the threshold is outside") {
    const std::vector<float> logits{-1.0F, 0.0F, 1e-30F, 2.0F};
    CHECK(binarize(logits, 2, 2).values == std::vector<std::uint8_t>{0, 0, 1, 1});
    CHECK(binarize(logits, 4, 1, 1.0F).values == std::vector<std::uint8_t>{0, 0, 0, 1});
    CHECK(mask_agreement(logits, std::vector<float>{1, -1, 1, -1}) == 1.0 / 3.0);
}

TEST_CASE("an error of a tenth is 20 dB below the signal") {
    const std::vector<float> signal{3.0F, -4.0F, 12.0F}, scaled{3.3F, -4.4F, 13.2F}, zero{0, 0, 0};
    CHECK(sqnr_db(signal, scaled) == Approx(20.0).epsilon(1e-6));
    CHECK(sqnr_db(signal, signal) == std::numeric_limits<double>::infinity());
    CHECK(sqnr_db(signal, zero) == 0.0);
    CHECK(sqnr_db(zero, signal) == -std::numeric_limits<double>::infinity());
}

TEST_CASE("the cosine is that of the angle") {
    const std::vector<float> x{1, 0}, y{0, 2}, diagonal{3, 3}, zero{0, 0};
    CHECK(cosine_similarity(x, y) == 0.0);
    CHECK(cosine_similarity(x, diagonal) == Approx(std::sqrt(0.5)));
    CHECK(cosine_similarity(x, std::vector<float>{-5, 0}) == -1.0);
    CHECK(cosine_similarity(zero, zero) == 1.0);
    CHECK(cosine_similarity(zero, x) == 0.0);
}

TEST_CASE("a deviation is relative to the largest reference value, and NaN is infinitely far") {
    CHECK(relative_deviation(std::vector<float>{1, -8}, std::vector<float>{2, -8}) == 0.125);
    CHECK(relative_deviation(std::vector<float>{0, 0}, std::vector<float>{0, 0.5F}) == 0.5);
    CHECK(std::isinf(relative_deviation(std::vector<float>{1, 2}, std::vector<float>{std::nanf(""), 2})));
}

TEST_CASE("bootstrap intervals are the same for the same seed, hold the mean, and shrink with more samples") {
    Random random(11);
    std::vector<double> samples;
    for (int index = 0; index < 400; ++index) samples.push_back(random.uniform());
    const auto interval = bootstrap_mean(samples, 5);
    CHECK(interval == bootstrap_mean(samples, 5));
    CHECK_FALSE(interval == bootstrap_mean(samples, 6));
    CHECK(interval.low < mean(samples));
    CHECK(mean(samples) < interval.high);
    // a uniform variable's mean of n: deviation sqrt(1 / 12 n); the interval is 2 * 1.96 deviations wide
    CHECK(interval.high - interval.low == Approx(2 * 1.96 * std::sqrt(1.0 / 12 / 400)).epsilon(0.15));
    const auto wider = bootstrap_mean(std::span(samples).first(100), 5);
    CHECK(wider.high - wider.low > 1.5 * (interval.high - interval.low));
    CHECK(bootstrap_mean(samples, 5, 2000, 0.5).high < interval.high);
    CHECK(bootstrap_mean(std::vector{0.7}, 5) == Interval{0.7, 0.7});
    CHECK(bootstrap_mean(std::vector{0.7, 0.7, 0.7}, 5).low == Approx(0.7));
    CHECK(std::isnan(bootstrap_mean({}, 5).low));
}

TEST_CASE("bootstrap intervals cover the true mean about as often as they claim") {
    int num_covered = 0;
    for (std::uint64_t trial = 0; trial < 300; ++trial) {
        Random random(trial);
        std::vector<double> samples;
        for (int index = 0; index < 50; ++index) samples.push_back(random.uniform());
        const auto interval = bootstrap_mean(samples, trial, 500);
        num_covered += interval.low <= 0.5 && 0.5 <= interval.high;
    }
    CHECK(num_covered > 270);
    CHECK(num_covered < 299);
}
