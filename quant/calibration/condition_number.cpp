// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/condition_number.hpp"

#include <Eigen/SVD>
#include <algorithm>
#include <numeric>

namespace prelude::quant {

namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using FloatRows = Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

struct Direction {
    double sigma, error;
    Eigen::Index column;  ///< of U and V
};

void lift(std::vector<Direction>& directions, const ConditionSettings& settings) {
    double sum = 0, energy = 0;
    for (const auto& d : directions) sum += d.sigma, energy += d.sigma * d.sigma;
    const double mean = sum / static_cast<double>(directions.size());
    double reached = 0;
    bool leading = true;
    for (auto& d : directions) {
        reached += d.sigma * d.sigma;
        if (!leading) {
            const double wanted = (d.sigma + 2 * settings.spread * mean) / (1 + 2 * settings.spread + 2 * settings.error * d.error);
            d.sigma = std::max(d.sigma, wanted);
        }
        leading = leading && reached <= settings.kept_energy * energy;
    }
    std::ranges::stable_sort(directions, std::greater<>{}, &Direction::sigma);
}

}  // namespace

ConditionedWeights reduce_condition(std::span<const float> weight, std::int64_t outputs, std::int64_t depth, std::span<const float> errors,
                                    const ConditionSettings& settings) {
    const Matrix transposed = FloatRows(weight.data(), outputs, depth).cast<double>().transpose();
    const Eigen::BDCSVD<Matrix> svd(transposed, Eigen::ComputeThinU | Eigen::ComputeThinV);
    const auto& sigma = svd.singularValues();
    const auto rank = sigma.size();
    ConditionedWeights result{.weight = {weight.begin(), weight.end()}, .sigma = {sigma.begin(), sigma.end()}};
    result.condition_before = result.condition_after = sigma[0] / sigma[rank - 1];
    if (result.condition_before < settings.least_condition) return result;

    const auto rows = static_cast<std::int64_t>(errors.size()) / depth;
    const Matrix along = FloatRows(errors.data(), rows, depth).cast<double>() * svd.matrixU();
    std::vector<Direction> directions;
    for (Eigen::Index i = 0; i < rank; ++i) {
        const double error = rows > 0 ? 2 * along.col(i).squaredNorm() / static_cast<double>(rows) : 0.0;
        directions.push_back({.sigma = sigma[i], .error = error, .column = i});
    }
    for (int i = 0; i < settings.iterations; ++i) lift(directions, settings);

    Eigen::VectorXd lifted(rank);
    for (std::size_t i = 0; i < directions.size(); ++i) {
        lifted[directions[i].column] = directions[i].sigma;
        result.sigma[i] = directions[i].sigma;
    }
    result.condition_after = result.sigma.front() / result.sigma.back();
    const Matrix rebuilt = svd.matrixV() * lifted.asDiagonal() * svd.matrixU().transpose();
    std::transform(rebuilt.data(), rebuilt.data() + rebuilt.size(), result.weight.begin(), [](double w) { return static_cast<float>(w); });
    return result;
}

}  // namespace prelude::quant
