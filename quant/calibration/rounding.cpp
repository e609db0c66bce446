// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/rounding.hpp"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <numeric>

#include "models/error.hpp"

namespace prelude::quant {

namespace {

using Matrix = Eigen::MatrixXd;
using FloatRows = Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

constexpr double kDamping = 0.01;

/// Input channels by energy, largest first.
std::vector<Eigen::Index> by_energy(const Matrix& energy) {
    std::vector<Eigen::Index> order(static_cast<std::size_t>(energy.rows()));
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, [&](auto a, auto b) { return energy(a, a) > energy(b, b); });
    return order;
}

/// Codes [N, K] of `target` [N, K] with feedback of errors; `energy` [K, K] is positive definite.
Matrix codes_with_feedback(const Matrix& target, const std::vector<WeightGrid>& grids, const Matrix& energy) {
    const auto order = by_energy(energy);
    const auto depth = energy.rows();
    Matrix sorted(depth, depth), left(target.rows(), depth), codes(target.rows(), depth);
    for (Eigen::Index i = 0; i < depth; ++i) {
        const auto from = order[static_cast<std::size_t>(i)];
        left.col(i) = target.col(from);
        for (Eigen::Index j = 0; j < depth; ++j) sorted(i, j) = energy(from, order[static_cast<std::size_t>(j)]);
    }
    // energy^-1 = U' U: row i of U says how later columns make up for an error of column i.
    const Matrix inverse = sorted.llt().solve(Matrix::Identity(depth, depth));
    const Matrix upper = inverse.llt().matrixU();
    for (Eigen::Index i = 0; i < depth; ++i) {
        auto column = codes.col(order[static_cast<std::size_t>(i)]);
        Eigen::VectorXd error(target.rows());
        for (Eigen::Index n = 0; n < target.rows(); ++n) {
            const auto& grid = grids[static_cast<std::size_t>(n)];
            column[n] = grid.code(left(n, i));
            error[n] = (left(n, i) - column[n] * grid.scale) / upper(i, i);
        }
        left.rightCols(depth - i - 1).noalias() -= error * upper.row(i).tail(depth - i - 1);
    }
    return codes;
}

}  // namespace

RoundedLayer round_to_outputs(std::span<const float> values, const std::vector<WeightGrid>& grids, const LayerSample& sample, WeightRounding method) {
    const auto outputs = static_cast<Eigen::Index>(grids.size()), depth = static_cast<Eigen::Index>(values.size()) / outputs;
    const auto rows = static_cast<Eigen::Index>(sample.coded.size()) / depth;
    models::check(rows > 0 && sample.coded.size() == sample.real.size(), "round_to_outputs: no sample");
    const bool to_float_outputs = method == WeightRounding::least_squares;
    const Matrix weights = FloatRows(values.data(), outputs, depth).cast<double>();
    Matrix coded = FloatRows(sample.coded.data(), rows, depth).cast<double>();
    const Eigen::RowVectorXd coded_mean = coded.colwise().mean();
    Matrix target = weights;
    Eigen::RowVectorXd real_mean = coded_mean;
    Matrix energy;
    const auto damp = [&] {
        energy = coded.transpose() * coded;
        const double damping = std::max(kDamping * energy.trace() / static_cast<double>(depth), 1e-12);
        energy.diagonal().array() += damping;
        return damping;
    };
    if (to_float_outputs) {
        Matrix real = FloatRows(sample.real.data(), rows, depth).cast<double>();
        real_mean = real.colwise().mean();
        real.rowwise() -= real_mean;
        coded.rowwise() -= coded_mean;
        const double damping = damp();
        target = energy.llt().solve(coded.transpose() * (real * weights.transpose()) + damping * weights.transpose()).transpose();
    } else {
        damp();
    }

    RoundedLayer result{.weights = round_to_nearest(values, grids), .bias_change = std::vector<double>(grids.size(), 0.0)};
    const Matrix codes = codes_with_feedback(target, grids, energy);
    for (Eigen::Index n = 0; n < outputs; ++n) {
        const auto& grid = grids[static_cast<std::size_t>(n)];
        auto* row = result.weights.codes.data() + n * depth;
        Eigen::RowVectorXd nearest(depth);
        for (Eigen::Index k = 0; k < depth; ++k) nearest[k] = row[k] * grid.scale;
        Eigen::RowVectorXd chosen = codes.row(n) * grid.scale;
        // Up to what no choice changes, the error of the output is this form around the unrounded optimum.
        const auto loss = [&](const Eigen::RowVectorXd& w) {
            const Eigen::RowVectorXd off = w - target.row(n);
            return (off * energy).dot(off);
        };
        if (loss(chosen) < loss(nearest)) {
            for (Eigen::Index k = 0; k < depth; ++k) row[k] = static_cast<std::int32_t>(codes(n, k));
        } else {
            chosen = nearest;
        }
        if (to_float_outputs) result.bias_change[static_cast<std::size_t>(n)] = real_mean.dot(weights.row(n)) - coded_mean.dot(chosen);
    }
    return result;
}

}  // namespace prelude::quant
