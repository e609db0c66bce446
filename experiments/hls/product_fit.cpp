// SPDX-License-Identifier: Apache-2.0
#include "experiments/hls/product_fit.hpp"

#include <cmath>

namespace prelude::experiments {

namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

/// min 1/2 x' H x - b' x over x >= 0, H positive definite: Lawson and Hanson's active set, begun from the solution without bounds.
VectorXd non_negative_minimum(const MatrixXd& h, const VectorXd& b) {
    if (VectorXd x = h.ldlt().solve(b); x.minCoeff() >= 0) return x;
    const auto n = b.size();
    VectorXd x = VectorXd::Zero(n);
    std::vector<Index> passive;
    const auto solved = [&] {
        VectorXd s = VectorXd::Zero(n);
        const VectorXd part = MatrixXd(h(passive, passive)).ldlt().solve(VectorXd(b(passive)));
        s(passive) = part;
        return s;
    };
    for (Index turn = 0; turn < 3 * n; ++turn) {  // ends long before: every turn lowers the objective
        VectorXd slope = b - h * x;
        for (const auto i : passive) slope(i) = 0;
        Index steepest = 0;
        if (slope.maxCoeff(&steepest) <= 1e-12 * b.cwiseAbs().maxCoeff()) break;
        passive.push_back(steepest);
        VectorXd s = solved();
        while (!passive.empty() && VectorXd(s(passive)).minCoeff() < 0) {
            double step = 1;
            for (const auto i : passive)
                if (s(i) < 0) step = std::min(step, x(i) / (x(i) - s(i)));
            x += step * (s - x);
            std::erase_if(passive, [&](Index i) {
                const bool at_bound = s(i) < 0 && x(i) <= 1e-15;
                if (at_bound) x(i) = 0;
                return at_bound;
            });
            s = solved();
        }
        x = s;
    }
    return x;
}

/// The problem in units of the deviations: w = x / s of the values that are not held.
class Problem {
  public:
    Problem(std::span<const ProductRow> rows, const Prices& prior, double noise) : rows_(rows), prior_(prior), noise_(noise) {
        for (Index i = 0; i < prior.value.size(); ++i)
            if (prior.deviation(i) > 0) free_.push_back(i);
    }
    [[nodiscard]] bool is_held() const { return free_.empty() || rows_.empty(); }
    [[nodiscard]] VectorXd start() const { return VectorXd(prior_.value(free_)).cwiseQuotient(scales()); }
    [[nodiscard]] VectorXd values(const VectorXd& w) const {
        VectorXd x = prior_.value;
        x(free_) = w.cwiseProduct(scales());
        return x;
    }
    [[nodiscard]] double objective(const VectorXd& w) const { return residuals(values(w)).squaredNorm() + (w - start()).squaredNorm(); }
    /// H of the linearised problem at w, and its right-hand side.
    [[nodiscard]] std::pair<MatrixXd, VectorXd> linearised(const VectorXd& w) const {
        const auto x = values(w);
        const MatrixXd a = MatrixXd(slopes(x)(Eigen::all, free_)) * scales().asDiagonal();
        const VectorXd target = a * w - residuals(x);
        return {a.transpose() * a + MatrixXd::Identity(a.cols(), a.cols()), a.transpose() * target + start()};
    }
    [[nodiscard]] VectorXd deviations(const VectorXd& w) const {
        const MatrixXd covariance = linearised(w).first.ldlt().solve(MatrixXd::Identity(w.size(), w.size()));
        VectorXd all = VectorXd::Zero(prior_.value.size());
        all(free_) = covariance.diagonal().cwiseSqrt().cwiseProduct(scales());
        return all;
    }

  private:
    [[nodiscard]] VectorXd scales() const { return prior_.deviation(free_); }
    [[nodiscard]] VectorXd residuals(const VectorXd& x) const {
        VectorXd r(static_cast<Index>(rows_.size()));
        for (std::size_t i = 0; i < rows_.size(); ++i)
            r(static_cast<Index>(i)) = (predicted(rows_[i], x) - rows_[i].measured) / (noise_ * rows_[i].measured);
        return r;
    }
    [[nodiscard]] MatrixXd slopes(const VectorXd& x) const {
        MatrixXd j = MatrixXd::Zero(static_cast<Index>(rows_.size()), x.size());
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            const auto& row = rows_[i];
            const auto r = static_cast<Index>(i);
            const auto prices = row.counts.size();
            const double sum = row.fixed + row.counts.dot(x.head(prices));
            double product = 1;
            for (const auto f : row.factors) product *= x(prices + f);
            j.row(r).head(prices) = product * row.counts.transpose();
            for (const auto f : row.factors) {
                double others = 1;
                for (const auto g : row.factors)
                    if (g != f) others *= x(prices + g);
                j(r, prices + f) = others * sum;
            }
            j.row(r) /= noise_ * row.measured;
        }
        return j;
    }

    std::span<const ProductRow> rows_;
    const Prices& prior_;
    double noise_;
    std::vector<Index> free_;
};

}  // namespace

double predicted(const ProductRow& row, const VectorXd& values) {
    const auto prices = row.counts.size();
    double value = row.fixed + row.counts.dot(values.head(prices));
    for (const auto factor : row.factors) value *= values(prices + factor);
    return value;
}

Prices fitted(std::span<const ProductRow> rows, const Prices& prior, double noise) {
    const Problem problem(rows, prior, noise);
    if (problem.is_held()) return prior;
    auto w = problem.start();
    double least = problem.objective(w);
    constexpr int kMostSteps = 100;
    constexpr double kSettled = 1e-12, kShortest = 1e-6;
    for (int i = 0; i < kMostSteps; ++i) {
        const auto [h, b] = problem.linearised(w);
        const VectorXd direction = non_negative_minimum(h, b) - w;
        double step = 1, there = problem.objective(w + direction);
        while (there > least && step > kShortest) step /= 2, there = problem.objective(w + step * direction);
        if (there > least) break;
        w += step * direction;
        const bool settled = least - there <= kSettled * (1 + least);
        least = there;
        if (settled) break;
    }
    return {.value = problem.values(w.cwiseMax(0.0)), .deviation = problem.deviations(w)};
}

}  // namespace prelude::experiments
