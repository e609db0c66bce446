// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/range_search.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "quant/calibration/minimise.hpp"

namespace prelude::quant {

namespace {

constexpr int kGridSteps = 100, kPatience = 2;
constexpr int kNarrowBits = 5, kCoarse = 5;  ///< codes of few values have jagged losses: every width of them is tried
constexpr double kNoLimit = std::numeric_limits<double>::infinity();

/// Sum of losses, given up (infinity) once it exceeds `limit`. |e|^2.4 = exp(1.2 ln e^2), a vector at a time.
double bounded_sum(const fake::Affine& form, std::span<const float> values, double limit) noexcept {
    constexpr std::size_t kChunk = 256;
    constexpr float kTiny = 1e-30F;
    double sum = 0;
    Eigen::Array<float, kChunk, 1> error;
    for (std::size_t begin = 0; begin < values.size(); begin += kChunk) {
        const auto size = std::min(kChunk, values.size() - begin);
        const Eigen::Map<const Eigen::ArrayXf> x(values.data() + begin, static_cast<Eigen::Index>(size));
        auto part = error.head(static_cast<Eigen::Index>(size));
        part = (((x / form.scale).rint() + form.zero_point).max(form.lowest()).min(form.highest()) - form.zero_point) * form.scale - x;
        part = ((part.square() + kTiny).log() * static_cast<float>(kLossExponent / 2)).exp();
        sum += static_cast<double>(part.sum());
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

SearchedRange search_grid(std::span<const float> values, int bits, bool symmetric, Sides sides, GridVisit visit) {
    const auto [lo, hi] = extremes_of(values);
    const bool shifted = !symmetric && sides == Sides::both;
    const float whole = shifted ? hi - lo : std::max(-lo, hi);
    if (whole <= 0) return {.lo = lo, .hi = hi, .loss = 0};
    SearchedRange best{.lo = lo, .hi = hi, .loss = kNoLimit};
    // Wide ranges come first: they lose little, so that narrow ones are given up early. Of equals the last met is then the first of the grid.
    const auto consider = [&](float from, float to, double limit) {
        const double loss = bounded_sum(fake::affine_of_range(from, to, bits, symmetric), values, limit);
        if (loss <= best.loss && loss < kNoLimit) best = {.lo = from, .hi = to, .loss = loss};
        return loss;
    };
    const int top = (1 << bits) - 1;
    const auto width_of = [&](int i) { return whole / kGridSteps * static_cast<float>(i); };
    const auto at_zero = [&](float width, int zero, double limit) {
        const float from = -static_cast<float>(zero) * (width / static_cast<float>(top));
        return consider(from, width + from, limit);
    };
    const auto one_range = [&](float width, double limit) {
        const auto range = one_sided(width, symmetric, sides);
        return consider(range.lo, range.hi, limit);
    };
    if (visit == GridVisit::all) {
        for (int i = kGridSteps; i >= 1; --i) {
            if (!shifted) (void)one_range(width_of(i), best.loss);
            for (int zero = shifted ? top : -1; zero >= 0; --zero) (void)at_zero(width_of(i), zero, best.loss);
        }
        best.loss /= static_cast<double>(values.size());
        return best;
    }
    /// The least loss of a width: over zero points, downhill from where the range lies in the middle of the data.
    const auto at_width = [&](int i) {
        const float width = width_of(i);
        if (!shifted) return one_range(width, kNoLimit);
        const int middle = std::clamp(static_cast<int>(std::nearbyint(-lo / whole * static_cast<float>(top))), 0, top);
        double least = at_zero(width, middle, kNoLimit);
        for (const int direction : {-1, 1}) {
            int failures = 0;
            for (int zero = middle + direction; zero >= 0 && zero <= top && failures < kPatience; zero += direction) {
                const double loss = at_zero(width, zero, least);
                failures = loss < least ? 0 : failures + 1;
                least = std::min(least, loss);
            }
        }
        return least;
    };
    // Every kCoarse-th width, then all around the best of them.
    const int stride = bits <= kNarrowBits ? 1 : kCoarse;
    int centre = kGridSteps;
    double least = kNoLimit;
    for (int i = kGridSteps; i >= stride; i -= stride) {
        if (const double loss = at_width(i); loss < least) least = loss, centre = i;
    }
    for (int i = std::max(1, centre - stride + 1); i < std::min(kGridSteps, centre + stride); ++i) {
        if (i != centre) (void)at_width(i);
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
        return quantization_loss(fake::affine_of_range(static_cast<float>(from), static_cast<float>(to), bits, symmetric), values);
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

Range search_percentile(std::span<const float> values, int bits) {
    constexpr std::array kShares{0.999, 0.9999, 0.99999};
    std::vector<float> sorted(values.begin(), values.end());
    std::ranges::sort(sorted);
    const auto quantile = [&](double q) {  // linear between neighbours
        const double at = q * static_cast<double>(sorted.size() - 1);
        const auto below = static_cast<std::size_t>(at);
        const auto above = std::min(below + 1, sorted.size() - 1);
        return static_cast<float>(sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]));
    };
    Range best;
    double least = std::numeric_limits<double>::infinity();
    for (const double share : kShares) {
        const float lo = std::min(quantile(1 - share), 0.0F), hi = std::max(quantile(share), 0.0F);
        const auto form = fake::affine_of_range(lo, hi, bits, false);
        double loss = 0;
        for (const float x : values) loss += static_cast<double>((form(x) - x) * (form(x) - x));
        if (loss < least) least = loss, best = {static_cast<double>(lo), static_cast<double>(hi)};
    }
    return best;
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
