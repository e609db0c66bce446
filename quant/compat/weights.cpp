// SPDX-License-Identifier: Apache-2.0
#include "quant/compat/weights.hpp"

#include <algorithm>

#include "quant/calibration/range_search.hpp"

namespace prelude::quant::compat {

namespace {

constexpr int kSearchedBits = 8;

fake::Affine searched(std::span<const float> channel, int bits, Sides sides) {
    if (bits > kSearchedBits) {
        const auto [lo, hi] = std::ranges::minmax(channel);
        return fake::affine_of_range(lo, hi, bits, false);
    }
    const auto range = search_grid(channel, bits, false, sides, GridVisit::all);
    return fake::affine_of_range(range.lo, range.hi, bits, false);
}

}  // namespace

models::Tensor rounded_weights(const models::WeightView& weights, int bits) {
    models::Tensor rounded(weights.shape, {weights.values.begin(), weights.values.end()});
    const auto sides = sides_of(weights.values);  // decided for the whole tensor
    const auto num_channels = static_cast<std::size_t>(weights.shape[0]), depth = weights.values.size() / num_channels;
    for (std::size_t n = 0; n < num_channels; ++n) {
        const auto channel = rounded.values().subspan(n * depth, depth);
        const auto form = searched(channel, bits, sides);
        for (float& w : channel) w = form(w);
    }
    return rounded;
}

}  // namespace prelude::quant::compat
