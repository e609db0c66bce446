// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/range_search.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>

#include "quant/calibration/minimise.hpp"

namespace prelude::quant {

namespace {

constexpr int kGridSteps = 100;

/// Sum of losses, given up (infinity) once it exceeds `limit`.
double bounded_sum(const fake::Affine& form, std::span<const float> values, double limit) noexcept {
    constexpr std::size_t kChunk = 64;
    double sum = 0;
    for (std::size_t begin = 0; begin < values.size(); begin += kChunk) {
        for (const float x : values.subspan(begin, std::min(kChunk, values.size() - begin))) {
            sum += std::pow(static_cast<double>(std::abs(form(x) - x)), kLossExponent);
        }
        if (sum > limit) return std::numeric_limits<double>::infinity();
    }
    return sum;
}

/// The same in float32, eight at a time, |e|^p = exp(p ln |e|): for a search that compares thousands of candidates.
double bounded_sum_f32(const fake::Affine& form, std::span<const float> values, double limit) {
    constexpr Eigen::Index kChunk = 64;
    using Chunk = Eigen::Array<float, Eigen::Dynamic, 1, Eigen::ColMajor, kChunk, 1>;
    const auto size = static_cast<Eigen::Index>(values.size());
    double sum = 0;
    for (Eigen::Index begin = 0; begin < size; begin += kChunk) {
        const Eigen::Map<const Eigen::ArrayXf> x(values.data() + begin, std::min(kChunk, size - begin));
        const Chunk code = ((x / form.scale).rint() + form.zero_point).max(form.lowest()).min(form.highest());
        const Chunk error = ((code - form.zero_point) * form.scale - x).abs();
        sum += static_cast<double>((error.log() * static_cast<float>(kLossExponent)).exp().sum());
        if (sum > limit) return std::numeric_limits<double>::infinity();
    }
    return sum;
}

struct Extremes {
    float lo, hi;
};
Extremes extremes_of(std::span<const float> values) {
    const auto [lo, hi] = std::ranges::minmax(values);
    return {std::min(lo, 0.0F), std::max(hi, 0.0F)};
}

/// The range of width `w` with 0 at the end or the middle that the sides ask for.
SearchedRange one_sided(float w, bool symmetric, Sides sides) {
    if (symmetric) return {.lo = -w, .hi = w};
    return sides == Sides::positive ? SearchedRange{.lo = 0, .hi = w} : SearchedRange{.lo = -w, .hi = 0};
}

}  // namespace

Sides sides_of(std::span<const float> values) noexcept {
    const auto [lo, hi] = std::ranges::minmax(values);
    return lo >= 0 ? Sides::positive : hi <= 0 ? Sides::negative : Sides::both;
}

double quantization_loss(const fake::Affine& form, std::span<const float> values) noexcept {
    return bounded_sum(form, values, std::numeric_limits<double>::infinity()) / static_cast<double>(values.size());
}

SearchedRange search_grid(std::span<const float> values, int bits, bool symmetric, Sides sides) {
    const auto [lo, hi] = extremes_of(values);
    SearchedRange best{.lo = lo, .hi = hi, .loss = std::numeric_limits<double>::infinity()};
    // Wide ranges first: their small losses end the others early. Of equals the last one met is the first of the published order.
    const auto consider = [&](float from, float to) {
        const double loss = bounded_sum_f32(fake::affine_of_range(from, to, bits, symmetric), values, best.loss);
        if (loss <= best.loss) best = {.lo = from, .hi = to, .loss = loss};
    };
    const bool shifted = !symmetric && sides == Sides::both;
    const float whole = shifted ? hi - lo : std::max(-lo, hi);
    for (int i = kGridSteps; i >= 1; --i) {
        const float width = whole / kGridSteps * static_cast<float>(i);
        if (!shifted) {
            const auto range = one_sided(width, symmetric, sides);
            consider(range.lo, range.hi);
            continue;
        }
        const int top = (1 << bits) - 1;
        const float step = width / static_cast<float>(top);
        for (int zero = top; zero >= 0; --zero) {
            const float from = -static_cast<float>(zero) * step;
            consider(from, width + from);
        }
    }
    best.loss /= static_cast<double>(values.size());
    return best;
}

SearchedRange search_bounded(std::span<const float> values, int bits, bool symmetric) {
    const auto [lo, hi] = extremes_of(values);
    const auto sides = sides_of(values);
    const auto clipped = [&, lo = lo, hi = hi](double from, double to) {
        return SearchedRange{.lo = std::max(static_cast<float>(from), lo), .hi = std::min(static_cast<float>(to), hi)};
    };
    const auto loss = [&](double from, double to) {
        constexpr double kNoLimit = std::numeric_limits<double>::infinity();
        return bounded_sum_f32(fake::affine_of_range(static_cast<float>(from), static_cast<float>(to), bits, symmetric), values, kNoLimit) / static_cast<double>(values.size());
    };
    const auto finish = [&](SearchedRange range) {
        range.loss = loss(range.lo, range.hi);
        return range;
    };
    if (symmetric || sides != Sides::both) {
        const double whole = std::max(-lo, hi);
        const auto of_width = [&](double w) { return one_sided(static_cast<float>(w), symmetric, sides); };
        const double width = minimise([&](double w) { return loss(of_width(w).lo, of_width(w).hi); }, std::min(0.1, 0.01 * whole), whole).at;
        return finish(clipped(of_width(width).lo, of_width(width).hi));
    }
    const double whole = static_cast<double>(hi) - lo;
    const auto best_shift = [&](double w) { return minimise([&](double s) { return loss(-s, w - s); }, 0.0, w); };
    const double width = minimise([&](double w) { return best_shift(w).value; }, std::min(0.1, 0.01 * whole), whole).at;
    const double shift = best_shift(width).at;
    return finish(clipped(-shift, width - shift));
}

Range search_shrink(const Range& full, std::span<const float> sample, int bits) {
    if (sample.empty() || full.hi - full.lo <= 0) return full;
    const double shrink = minimise(
        [&](double factor) {
            return quantization_loss(fake::affine_of_range(static_cast<float>(full.lo * factor), static_cast<float>(full.hi * factor), bits, false), sample);
        },
        0.1, 1.0).at;
    return {full.lo * shrink, full.hi * shrink};
}

}  // namespace prelude::quant
