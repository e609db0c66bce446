// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/weights.hpp"

#include <algorithm>
#include <cmath>

#include "models/error.hpp"

namespace prelude::quant {

namespace {

/// Codes of one run of values that share a scale; returns the scale.
double quantize_run(std::span<const float> values, int bits, bool symmetric, std::span<std::int32_t> codes) {
    double lo = 0, hi = 0;
    for (const double v : values) lo = std::min(lo, v), hi = std::max(hi, v);
    const double levels = symmetric ? std::ldexp(1.0, bits - 1) - 1.0 : std::ldexp(1.0, bits) - 1.0;
    const double extent = symmetric ? std::max(-lo, hi) : hi - lo;
    const double scale = extent > 0 ? extent / levels : 1.0;
    const double zero = symmetric ? 0.0 : std::clamp(std::nearbyint(-lo / scale), 0.0, levels);
    const double least = symmetric ? -levels : -zero, most = symmetric ? levels : levels - zero;
    for (std::size_t i = 0; i < values.size(); ++i) {
        codes[i] = static_cast<std::int32_t>(std::clamp(std::nearbyint(values[i] / scale), least, most));
    }
    return scale;
}

}  // namespace

QuantizedWeights quantize_weights(std::span<const float> values, std::int64_t num_outputs, std::int64_t depth, std::size_t shared, int bits,
                                  const Settings& settings) {
    models::check(static_cast<std::int64_t>(values.size()) == num_outputs * depth, "quantize_weights: shape");
    QuantizedWeights result{.num_outputs = num_outputs,
                            .codes = std::vector<std::int32_t>(values.size()),
                            .scale = std::vector<double>(static_cast<std::size_t>(num_outputs))};
    const auto rows_per_run = settings.weight_per_channel ? shared : static_cast<std::size_t>(num_outputs);
    const auto run = rows_per_run * static_cast<std::size_t>(depth);
    for (std::size_t row = 0; row < result.scale.size(); row += rows_per_run) {
        const auto begin = row * static_cast<std::size_t>(depth);
        const double scale = quantize_run(values.subspan(begin, run), bits, settings.weight_symmetric, std::span(result.codes).subspan(begin, run));
        std::fill_n(result.scale.begin() + static_cast<std::ptrdiff_t>(row), rows_per_run, scale);
    }
    return result;
}

}  // namespace prelude::quant
