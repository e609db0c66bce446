// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/weights.hpp"

#include <algorithm>
#include <cmath>

#include "models/error.hpp"
#include "quant/calibration/range_search.hpp"

namespace prelude::quant {

namespace {

constexpr int kShrinkSteps = 40;  ///< of 2 % of the extremes
constexpr int kMaxSearchedBits = 8;

WeightGrid grid_of(double lo, double hi, int bits, bool symmetric) {
    const double levels = symmetric ? std::ldexp(1.0, bits - 1) - 1.0 : std::ldexp(1.0, bits) - 1.0;
    const double extent = symmetric ? std::max(-lo, hi) : hi - lo;
    const double scale = extent > 0 ? extent / levels : 1.0;
    const double zero = symmetric ? 0.0 : std::clamp(std::nearbyint(-lo / scale), 0.0, levels);
    return {.scale = scale, .least = symmetric ? -levels : -zero, .most = symmetric ? levels : levels - zero};
}

double squared_error(const WeightGrid& grid, std::span<const float> values) {
    double sum = 0;
    for (const double v : values) {
        const double error = grid.code(v) * grid.scale - v;
        sum += error * error;
    }
    return sum;
}

/// The grid of a run of values that share a scale.
WeightGrid grid_of(std::span<const float> values, int bits, const Settings& settings) {
    double lo = 0, hi = 0;
    for (const double v : values) lo = std::min(lo, v), hi = std::max(hi, v);
    auto best = grid_of(lo, hi, bits, settings.weight_symmetric);
    if (settings.weight_range == WeightRange::extremes || bits > kMaxSearchedBits || hi - lo <= 0) return best;
    if (settings.weight_range == WeightRange::mse_grid) {
        const auto found = search_grid(values, bits, settings.weight_symmetric, sides_of(values));
        return grid_of(static_cast<double>(found.lo), static_cast<double>(found.hi), bits, settings.weight_symmetric);
    }
    if (settings.weight_range == WeightRange::percentile) {
        const auto found = search_percentile(values, bits);
        return grid_of(found.lo, found.hi, bits, settings.weight_symmetric);
    }
    double least = squared_error(best, values);
    for (int step = 1; step <= kShrinkSteps; ++step) {
        const double factor = 1 - 0.02 * step;
        const auto grid = grid_of(factor * lo, factor * hi, bits, settings.weight_symmetric);
        if (const double error = squared_error(grid, values); error < least) least = error, best = grid;
    }
    return best;
}

}  // namespace

double WeightGrid::code(double value) const noexcept { return std::clamp(std::nearbyint(value / scale), least, most); }

std::vector<WeightGrid> weight_grids(std::span<const float> values, std::int64_t num_outputs, std::int64_t depth, std::size_t shared, int bits,
                                     const Settings& settings) {
    models::check(static_cast<std::int64_t>(values.size()) == num_outputs * depth, "weight_grids: shape");
    std::vector<WeightGrid> grids;
    const auto rows_per_run = settings.weight_per_channel ? shared : static_cast<std::size_t>(num_outputs);
    const auto run = rows_per_run * static_cast<std::size_t>(depth);
    for (std::size_t begin = 0; begin < values.size(); begin += run) grids.insert(grids.end(), rows_per_run, grid_of(values.subspan(begin, run), bits, settings));
    return grids;
}

QuantizedWeights round_to_nearest(std::span<const float> values, const std::vector<WeightGrid>& grids) {
    QuantizedWeights result{.num_outputs = static_cast<std::int64_t>(grids.size()), .codes = std::vector<std::int32_t>(values.size()), .scale = {}};
    const auto depth = values.size() / grids.size();
    for (std::size_t n = 0; n < grids.size(); ++n) {
        for (std::size_t k = n * depth; k < (n + 1) * depth; ++k) result.codes[k] = static_cast<std::int32_t>(grids[n].code(values[k]));
        result.scale.push_back(grids[n].scale);
    }
    return result;
}

}  // namespace prelude::quant
