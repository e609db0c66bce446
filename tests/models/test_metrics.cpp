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

/// Every sample a cluster of its own.
Clusters singles(std::span<const double> samples) {
    Clusters clusters;
    for (const double sample : samples) clusters.push_back({sample});
    return clusters;
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

TEST_CASE("boundaries moved by whole pixels are that far apart") {
    CHECK(boundary_distance(rectangle(2, 2, 9, 7), rectangle(2, 2, 9, 7)) == BoundaryDistance{});
    // Single pixels 3 across and 4 down.
    const auto apart = boundary_distance(rectangle(1, 1, 2, 2), rectangle(4, 5, 5, 6));
    CHECK(apart.hausdorff_95 == 5);
    CHECK(apart.average == 5);
    // Horizontal lines of 20, 3 rows apart: every distance is 3.
    CHECK(boundary_distance(rectangle(0, 2, 20, 3), rectangle(0, 5, 20, 6)) == BoundaryDistance{3, 3});
}

TEST_CASE("each way counts the same in the average, each pixel in the percentile") {
    // A line of 20 pixels and its first pixel: 0..19 one way, 0 the other.
    const auto result = boundary_distance(rectangle(0, 0, 20, 1), rectangle(0, 0, 1, 1));
    CHECK(result.average == Approx((9.5 + 0) / 2));
    // Sorted: 0, 0, 1, .. 19; position 0.95 * 20 = 19 is the last but one.
    CHECK(result.hausdorff_95 == Approx(18));
    CHECK(boundary_distance(rectangle(0, 0, 1, 1), rectangle(0, 0, 20, 1)) == result);
    // Position 0.95 * 4 = 3.8 of 0, 0, 1, 2, 3.
    CHECK(boundary_distance(rectangle(0, 0, 4, 1), rectangle(0, 0, 1, 1)).hausdorff_95 == Approx(2.8));
}

TEST_CASE("only boundaries are compared, and the border of the picture is one") {
    // A filled square and its outline have the same boundary; the outline's inner side is 1 pixel wide as well.
    auto outline = rectangle(3, 1, 12, 9);
    for (int y = 2; y < 8; ++y)
        for (int x = 4; x < 11; ++x) outline.values[std::size_t(y * 20 + x)] = 0;
    CHECK(boundary_distance(rectangle(3, 1, 12, 9), outline) == BoundaryDistance{});
    // The whole picture and a spot in its middle row: from (19, 9) it is 10 across and 5 down.
    const auto whole = boundary_distance(rectangle(0, 0, 20, 10), rectangle(9, 4, 10, 5));
    CHECK(whole.hausdorff_95 > 9);
    CHECK(whole.hausdorff_95 <= std::sqrt(10.0 * 10 + 5 * 5));
    // The spot is 4 rows from the upper border; nothing of the inside, which is nearer, counts.
    CHECK(whole.average >= 4);
}

TEST_CASE("an empty mask is infinitely far from any other, and at no distance from another empty one") {
    const auto none = rectangle(0, 0, 0, 0), some = rectangle(1, 1, 3, 3);
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    CHECK(boundary_distance(none, none) == BoundaryDistance{});
    CHECK(boundary_distance(none, some) == BoundaryDistance{kInfinity, kInfinity});
    CHECK(boundary_distance(some, none) == BoundaryDistance{kInfinity, kInfinity});
    CHECK(boundary_distance(Mask(), Mask()) == BoundaryDistance{});
}

TEST_CASE("boundary distances are the same for masks that are moved, mirrored and exchanged") {
    Random random(23);
    for (int round = 0; round < 50; ++round) {
        Mask a(13, 11), b(13, 11), mirrored_a(13, 11), mirrored_b(13, 11), moved_a(31, 29), moved_b(31, 29);
        for (int y = 0; y < 11; ++y)
            for (int x = 0; x < 13; ++x) {
                const auto at = std::size_t(y * 13 + x), mirror = std::size_t(y * 13 + 12 - x), moved = std::size_t((y + 7) * 31 + x + 5);
                a.values[at] = mirrored_a.values[mirror] = moved_a.values[moved] = random.uniform() < 0.4;
                b.values[at] = mirrored_b.values[mirror] = moved_b.values[moved] = random.uniform() < 0.4;
            }
        const auto result = boundary_distance(a, b);
        for (const auto& other : {boundary_distance(b, a), boundary_distance(mirrored_a, mirrored_b), boundary_distance(moved_a, moved_b)}) {
            CHECK(other.hausdorff_95 == Approx(result.hausdorff_95));
            CHECK(other.average == Approx(result.average));
        }
    }
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
    const auto interval = bootstrap_mean(singles(samples), 5);
    CHECK(interval == bootstrap_mean(singles(samples), 5));
    CHECK_FALSE(interval == bootstrap_mean(singles(samples), 6));
    CHECK(interval.low < mean(samples));
    CHECK(mean(samples) < interval.high);
    // a uniform variable's mean of n: deviation sqrt(1 / 12 n); the interval is 2 * 1.96 deviations wide
    CHECK(interval.high - interval.low == Approx(2 * 1.96 * std::sqrt(1.0 / 12 / 400)).epsilon(0.15));
    const auto wider = bootstrap_mean(singles(std::span(samples).first(100)), 5);
    CHECK(wider.high - wider.low > 1.5 * (interval.high - interval.low));
    CHECK(bootstrap_mean(singles(samples), 5, 2000, 0.5).high < interval.high);
    CHECK(bootstrap_mean(Clusters{{0.7}}, 5) == Interval{0.7, 0.7});
    CHECK(bootstrap_mean(Clusters{{0.7}, {0.7}, {0.7}}, 5).low == Approx(0.7));
    CHECK(std::isnan(bootstrap_mean({}, 5).low));
}

TEST_CASE("Samples of one cluster are drawn together, so copies of a sample narrow nothing") {
    Random random(12);
    Clusters once, copied;
    for (int index = 0; index < 60; ++index) {
        const double sample = random.uniform();
        once.push_back({sample});
        copied.emplace_back(9, sample);
    }
    copied.emplace_back();  // of no sample: does not count
    const auto interval = bootstrap_mean(once, 3), same = bootstrap_mean(copied, 3);
    CHECK(same.low == Approx(interval.low));
    CHECK(same.high == Approx(interval.high));
    CHECK(mean(copied) == Approx(mean(once)));
    // A mean is that of the samples: a cluster of three counts three times.
    const Clusters uneven{{1, 1, 1}, {0}};
    CHECK(mean(uneven) == 0.75);
    CHECK(bootstrap_mean(uneven, 3) == Interval{0, 1});
    CHECK(bootstrap_mean(Clusters{{0.1, 0.3}}, 5) == Interval{0.2, 0.2});
}

TEST_CASE("A paired difference is not blurred by what both have in common") {
    Random random(13);
    Clusters a, b;
    for (int picture = 0; picture < 80; ++picture) {
        const double difficulty = random.uniform();
        auto& of_a = a.emplace_back();
        auto& of_b = b.emplace_back();
        for (int prompt = 0; prompt < 1 + picture % 4; ++prompt) {
            of_a.push_back(difficulty);
            of_b.push_back(difficulty + 0.01 + 0.005 * (random.uniform() - 0.5));
        }
    }
    const auto difference = paired_difference(a, b, 7), back = paired_difference(b, a, 7);
    CHECK(difference.mean == Approx(mean(b) - mean(a)));
    CHECK((difference.interval.low > 0.009 && difference.interval.high < 0.011));
    CHECK_FALSE(difference.is_undecided());
    CHECK(bootstrap_mean(a, 7).high - bootstrap_mean(a, 7).low > 0.05);  // each by itself: no telling
    CHECK(back.mean == Approx(-difference.mean));
    CHECK(back.interval.low == Approx(-difference.interval.high));
    CHECK(paired_difference(a, b, 7).interval == difference.interval);
    CHECK(paired_difference(a, a, 7).interval == Interval{0, 0});
    CHECK(paired_difference(a, a, 7).is_undecided());
    const auto one_picture = paired_difference(Clusters{{0.1, 0.2}}, Clusters{{0.8, 0.9}}, 7);
    CHECK(one_picture.mean == Approx(0.7));
    CHECK(one_picture.is_undecided());
}

TEST_CASE("Two equal ways are called different about as rarely as the interval claims") {
    int num_decided = 0;
    for (std::uint64_t trial = 0; trial < 300; ++trial) {
        Random random(trial + 1000);
        Clusters a, b;
        for (int picture = 0; picture < 40; ++picture) {
            const double shared = random.uniform(), of_picture = 0.1 * (random.uniform() - 0.5);
            auto& of_a = a.emplace_back();
            auto& of_b = b.emplace_back();
            for (int prompt = 0; prompt < 4; ++prompt) {
                of_a.push_back(shared);
                of_b.push_back(shared + of_picture + 0.02 * (random.uniform() - 0.5));
            }
        }
        num_decided += !paired_difference(a, b, trial, 500).is_undecided();
    }
    CHECK(num_decided > 2);
    CHECK(num_decided < 33);  // of prompts drawn one by one a third would be
}

TEST_CASE("bootstrap intervals cover the true mean about as often as they claim") {
    int num_covered = 0;
    for (std::uint64_t trial = 0; trial < 300; ++trial) {
        Random random(trial);
        std::vector<double> samples;
        for (int index = 0; index < 50; ++index) samples.push_back(random.uniform());
        const auto interval = bootstrap_mean(singles(samples), trial, 500);
        num_covered += interval.low <= 0.5 && 0.5 <= interval.high;
    }
    CHECK(num_covered > 270);
    CHECK(num_covered < 299);
}
