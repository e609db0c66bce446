// SPDX-License-Identifier: Apache-2.0
// Calibration methods by what defines them: bounds, invariants, closed forms. Their numbers are checked by prelude_golden.
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "models/data/random.hpp"
#include "quant/calibration/bimodal.hpp"
#include "quant/calibration/condition_number.hpp"
#include "quant/calibration/kmeans.hpp"
#include "quant/calibration/probability_search.hpp"
#include "quant/calibration/range_search.hpp"

using namespace prelude;
using namespace prelude::quant;

namespace {

std::vector<float> normals(models::Random& random, std::size_t count, double deviation = 1) {
    std::vector<float> values(count);
    for (auto& v : values) v = static_cast<float>(deviation * random.normal());
    return values;
}

}  // namespace

TEST_CASE("condition numbers never grow, leading directions stay, sums of squares only rise", "[property][mutation]") {
    models::Random random(1);
    for (const auto& [outputs, depth] : {std::pair{23, 31}, std::pair{31, 23}, std::pair{17, 17}}) {
        const auto weight = normals(random, static_cast<std::size_t>(outputs * depth));
        const auto errors = normals(random, static_cast<std::size_t>(64 * depth), 0.1);
        const auto before = reduce_condition(weight, outputs, depth, errors, {.iterations = 0, .least_condition = 0});
        double last = before.condition_before;
        for (const int iterations : {1, 5, 50, 200}) {
            const auto after = reduce_condition(weight, outputs, depth, errors, {.iterations = iterations, .least_condition = 0});
            CHECK(after.condition_before == Approx(before.condition_before));
            CHECK(after.condition_after <= last * (1 + 1e-12));
            last = after.condition_after;
            CHECK(after.sigma.front() == Approx(before.sigma.front()));
            for (std::size_t i = 0; i < after.sigma.size(); ++i) CHECK(after.sigma[i] >= before.sigma[i] * (1 - 1e-12));
        }
        CHECK(last < before.condition_before);
        const auto left = reduce_condition(weight, outputs, depth, errors, {.least_condition = 1e9});
        CHECK(left.weight == weight);
    }
}

TEST_CASE("the closed recursion of singular values equals a decomposition in every iteration", "[property][mutation]") {
    models::Random random(2);
    for (const auto& [outputs, depth] : {std::pair{19, 29}, std::pair{29, 19}}) {
        const auto weight = normals(random, static_cast<std::size_t>(outputs * depth));
        const auto errors = normals(random, static_cast<std::size_t>(64 * depth), 0.1);
        auto stepwise = weight;
        for (int iterations = 1; iterations <= 6; ++iterations) {
            const auto step = reduce_condition(stepwise, outputs, depth, errors, {.iterations = 1, .least_condition = 0});
            const auto closed = reduce_condition(weight, outputs, depth, errors, {.iterations = iterations, .least_condition = 0});
            stepwise = step.weight;
            REQUIRE(step.sigma.size() == closed.sigma.size());
            for (std::size_t i = 0; i < step.sigma.size(); ++i) CHECK(step.sigma[i] == Approx(closed.sigma[i]).epsilon(1e-4).margin(1e-5));
            for (std::size_t i = 0; i < weight.size(); ++i) CHECK(std::abs(stepwise[i] - closed.weight[i]) < 1e-4F);
        }
    }
}

TEST_CASE("k-means finds separated clusters, as many as asked for, whatever is repeated") {
    models::Random random(2);
    std::vector<Point2> points;
    for (int i = 0; i < 60; ++i) points.push_back({10.0 * (i % 5) + 0.01 * random.normal(), -7.0 * (i % 5) + 0.01 * random.normal()});
    const auto found = kmeans(points, 5);
    CHECK(found.inertia < 60 * 0.01);
    for (std::size_t i = 0; i < points.size(); ++i) CHECK(found.labels[i] == found.labels[i % 5]);
    CHECK(kmeans(points, 60).inertia == Approx(0).margin(1e-20));
    CHECK(kmeans(points, 1).centres.front()[0] == Approx(20).margin(0.1));
    const std::vector<Point2> equal(7, Point2{1, 2});
    CHECK(kmeans(equal, 3).inertia == 0);
    const auto again = kmeans(points, 5);
    CHECK(again.labels == found.labels);
}

TEST_CASE("keys at two opposite values are bimodal, at one, three or close ones they are not, and folded signs keep every product") {
    models::Random random(3);
    const auto around = [&](std::vector<double> centres) {
        std::vector<float> values;
        for (int i = 0; i < 1200; ++i) values.push_back(static_cast<float>(centres[static_cast<std::size_t>(i) % centres.size()] + 0.3 * random.normal()));
        return values;
    };
    CHECK(is_bimodal(around({-3, 3})));
    CHECK_FALSE(is_bimodal(around({0})));
    CHECK_FALSE(is_bimodal(around({-6, 0, 6})));
    const std::vector<float> keys{-1, 2, 0, -3, 5, 0};
    CHECK(channel_signs(keys, 3) == std::vector<float>{-1, 1, 1});  // a mean of 0 keeps its channel
    std::vector<float> weight{1, 2, 3, 4, 5, 6}, bias{7, 8, 9};
    fold_signs(channel_signs(keys, 3), weight, bias);
    CHECK(weight == std::vector<float>{-1, -2, 3, 4, 5, 6});
    CHECK(bias == std::vector<float>{-7, 8, 9});
}

TEST_CASE("a searched range is never worse than the whole one, and clips an outlier") {
    models::Random random(4);
    auto values = normals(random, 2000);
    values.push_back(12);
    const auto [lo, hi] = std::ranges::minmax(values);
    for (const int bits : {3, 4, 8}) {
        const double whole = quantization_loss(fake::affine_of_range(lo, hi, bits, false), values);
        CHECK(search_grid(values, bits, false, sides_of(values)).loss <= whole);
        CHECK(search_bounded(values, bits, false).loss <= whole * 1.001);  // Brent's search comes near the end of its interval, not onto it
        const auto shrunk = search_shrink({lo, hi}, values, bits);
        CHECK(quantization_loss(fake::affine_of_range(static_cast<float>(shrunk.lo), static_cast<float>(shrunk.hi), bits, false), values) <= whole * (1 + 1e-6));
    }
    CHECK(search_grid(values, 3, false, sides_of(values)).hi < 11);
    CHECK(search_shrink({0, 0}, values, 4) == Range{0, 0});
    CHECK(search_shrink({-1, 2}, {}, 4) == Range{-1, 2});
}

TEST_CASE("the finest base wins on flat probabilities, the coarsest on those that span many octaves, and the first of equals is chosen") {
    constexpr std::int64_t rows = 16, keys = 32, columns = 8;
    models::Random random(5);
    const auto values = normals(random, keys * columns);
    const auto tau_for = [&](double octaves) {
        std::vector<float> p(rows * keys);
        for (std::size_t i = 0; i < p.size(); ++i) p[i] = static_cast<float>(std::exp2(-octaves * random.uniform()));
        const AttentionSample sample{.batch = 1, .rows = rows, .keys = keys, .columns = columns, .probabilities = p, .values = values};
        const std::vector batches{search_log_bases(sample, 3)};
        return kLogBaseCandidates[choose(batches).index];
    };
    CHECK(tau_for(0.9) == 4);
    CHECK(tau_for(7) < 4);
    const std::vector<CandidateLosses> equal{{{1, 2, 3}, {5, 4, 4}}, {{3, 4, 5}, {5, 4, 4}}};
    CHECK(choose(equal).index == 1);
    CHECK(choose(equal).scale == 3);
    CHECK(choose(equal).loss == 8);
}
