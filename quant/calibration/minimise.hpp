// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <boost/math/tools/minima.hpp>
#include <cstdint>
#include <numeric>
#include <vector>

namespace prelude::quant {

struct Minimum {
    double at = 0, value = 0;
};

/// The smallest minimum of `f` inside [lo, hi] that an even scan of `intervals` sees: the best few points of the scan, each refined by a
/// bounded Brent search to a relative width of 2^-17 (the published searches: 1e-5). Quantization losses are jagged; a search without
/// the scan takes any of their minima.
template <class Function>
[[nodiscard]] Minimum minimise(Function f, double lo, double hi, int intervals = 16) {
    constexpr int kBits = 17;
    const auto refined = static_cast<std::size_t>(1 + intervals / 32);
    const auto at = [&](std::size_t i) { return lo + (hi - lo) * static_cast<double>(i) / intervals; };
    std::vector<double> values;
    for (std::size_t i = 0; i <= static_cast<std::size_t>(intervals); ++i) values.push_back(f(at(i)));
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return values[i]; });
    Minimum best{.at = at(order.front()), .value = values[order.front()]};
    for (std::size_t rank = 0; rank < std::min(refined, order.size()); ++rank) {
        const auto i = order[rank];
        std::uintmax_t iterations = 500;
        const auto [where, value] =
            boost::math::tools::brent_find_minima(f, at(i == 0 ? 0 : i - 1), at(std::min(i + 1, values.size() - 1)), kBits, iterations);
        if (value < best.value) best = {.at = where, .value = value};
    }
    return best;
}

}  // namespace prelude::quant
