// SPDX-License-Identifier: Apache-2.0
// Regularised fits of prices: the closed form, the bound at 0, factors, and what is held.
#include <catch2/catch.hpp>

#include "experiments/hls/product_fit.hpp"
#include "tests/support/adversarial.hpp"

using namespace prelude::experiments;
using Eigen::MatrixXd;
using Eigen::VectorXd;

namespace {

constexpr double kNoise = 0.05;

VectorXd vector(std::initializer_list<double> values) {
    VectorXd v(static_cast<Eigen::Index>(values.size()));
    Eigen::Index i = 0;
    for (const double value : values) v(i++) = value;
    return v;
}

ProductRow row(double measured, VectorXd counts, std::vector<int> factors = {}, double fixed = 0) {
    return {.measured = measured, .fixed = fixed, .counts = std::move(counts), .factors = std::move(factors)};
}

/// (1) of product_fit.hpp.
double objective(const std::vector<ProductRow>& rows, const Prices& prior, const VectorXd& x) {
    double sum = 0;
    for (const auto& r : rows) sum += std::pow((predicted(r, x) - r.measured) / (kNoise * r.measured), 2);
    for (Eigen::Index i = 0; i < x.size(); ++i)
        if (prior.deviation(i) > 0) sum += std::pow((x(i) - prior.value(i)) / prior.deviation(i), 2);
    return sum;
}

}  // namespace

TEST_CASE("Without factors the fit is the closed form") {
    prelude::tests::Random random(7);
    for (int trial = 0; trial < 20; ++trial) {
        const Eigen::Index prices = 8, measurements = 5;  // fewer than prices: the prior decides the rest
        const Prices prior{.value = VectorXd::Constant(prices, 2) + VectorXd::NullaryExpr(prices, [&] { return random.real(); }),
                           .deviation = VectorXd::NullaryExpr(prices, [&] { return 0.1 + 0.3 * random.real(); })};
        std::vector<ProductRow> rows;
        MatrixXd a(measurements, prices);
        VectorXd wanted(measurements);
        for (Eigen::Index i = 0; i < measurements; ++i) {
            const VectorXd counts = VectorXd::NullaryExpr(prices, [&] { return 100 * random.real(); });
            const double fixed = 50 * random.real(), measured = (fixed + counts.dot(prior.value)) * (0.9 + 0.2 * random.real());
            rows.push_back(row(measured, counts, {}, fixed));
            a.row(i) = counts.transpose() / measured;
            wanted(i) = 1 - fixed / measured;
        }
        const auto fit = fitted(rows, prior, kNoise);
        const MatrixXd s2 = prior.deviation.cwiseAbs2().asDiagonal();
        const MatrixXd core = a * s2 * a.transpose() + kNoise * kNoise * MatrixXd::Identity(measurements, measurements);
        const VectorXd closed = prior.value + s2 * a.transpose() * core.ldlt().solve(wanted - a * prior.value);
        REQUIRE(closed.minCoeff() > 0);
        CHECK((fit.value - closed).cwiseAbs().maxCoeff() < 1e-9);
        const MatrixXd covariance = s2 - s2 * a.transpose() * core.ldlt().solve(a * s2);
        CHECK((fit.deviation - covariance.diagonal().cwiseSqrt()).cwiseAbs().maxCoeff() < 1e-9);
    }
}

TEST_CASE("Prices are not negative, and no small step from the fit is better") {
    prelude::tests::Random random(11);
    int at_bound = 0;
    for (int trial = 0; trial < 30; ++trial) {
        const Eigen::Index prices = 6;
        const Prices prior{.value = VectorXd::NullaryExpr(prices, [&] { return random.real(); }),
                           .deviation = VectorXd::Constant(prices, 2)};
        std::vector<ProductRow> rows;
        for (int i = 0; i < 9; ++i)
            rows.push_back(
                row(10 + 40 * random.real(), VectorXd::NullaryExpr(prices, [&] { return 30 * random.real(); })));  // no such prices exist
        const auto fit = fitted(rows, prior, kNoise);
        CHECK(fit.value.minCoeff() >= 0);
        const double least = objective(rows, prior, fit.value);
        for (Eigen::Index i = 0; i < prices; ++i) {
            at_bound += fit.value(i) == 0;
            for (const double step : {-1e-4, 1e-4}) {
                VectorXd other = fit.value;
                other(i) = std::max(0.0, other(i) + step);
                CHECK(objective(rows, prior, other) >= least * (1 - 1e-12));
            }
        }
    }
    CHECK(at_bound > 10);
}

TEST_CASE("Prices and a common factor are found where the measurements tell them apart") {
    const VectorXd truth = vector({3, 0.5, 8, 1.6});  // three prices, one factor
    const Prices prior{.value = vector({2.5, 0.7, 7, 1.9}), .deviation = vector({1, 0.4, 3, 0.6})};
    std::vector<ProductRow> rows;
    prelude::tests::Random random(3);
    for (int i = 0; i < 400; ++i) {
        auto r = row(1, VectorXd::NullaryExpr(3, [&] { return 10 + 90 * random.real(); }), i % 2 ? std::vector{0} : std::vector<int>{}, 5);
        r.measured = predicted(r, truth);
        rows.push_back(r);
    }
    const auto fit = fitted(rows, prior, kNoise);
    for (Eigen::Index i = 0; i < truth.size(); ++i) CHECK(fit.value(i) == Approx(truth(i)).epsilon(0.01));
    CHECK(objective(rows, prior, fit.value) < objective(rows, prior, truth));  // it is the prior that keeps it off
    CHECK(fit.deviation.maxCoeff() < prior.deviation.minCoeff());
}

TEST_CASE("What has no deviation is held, and no rows give the prior back") {
    const Prices prior{.value = vector({2, 3, 1}), .deviation = vector({0.5, 0, 0})};
    const std::vector rows{row(20, vector({1, 1}), {0})};
    const auto fit = fitted(rows, prior, kNoise);
    CHECK(fit.value(0) > 3);
    CHECK(fit.value(1) == 3);
    CHECK(fit.value(2) == 1);
    CHECK(fit.deviation(1) == 0);
    CHECK(fitted({}, prior, kNoise).value == prior.value);
    const Prices held{.value = vector({2, 3, 1}), .deviation = VectorXd::Zero(3)};
    CHECK(fitted(rows, held, kNoise).value == held.value);
}
