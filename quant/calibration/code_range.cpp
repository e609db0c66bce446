// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/code_range.hpp"

#include "quant/calibration/range_search.hpp"

namespace prelude::quant {

Range code_range(const ValueRanges& seen, const Range& observed, std::span<const std::int32_t> group_of, std::int32_t group, int bits, Observer observer) {
    if (observer == Observer::min_max || observer == Observer::moving_average) return observed;
    std::vector<float> picked;
    std::span<const float> sample = seen.sample;
    if (!group_of.empty()) {
        for (std::size_t i = 0; i < seen.sample.size(); ++i) {
            if (group_of[static_cast<std::size_t>(seen.sample_channel[i])] == group) picked.push_back(seen.sample[i]);
        }
        sample = picked;
    }
    if (sample.empty() || observed.hi - observed.lo <= 0) return observed;
    if (observer == Observer::mse) return search_shrink(observed, sample, bits);
    if (observer == Observer::percentile) return search_percentile(sample, bits);
    const auto found = observer == Observer::mse_grid ? search_grid(sample, bits, false, sides_of(sample)) : search_bounded(sample, bits, false);
    if (found.hi - found.lo <= 0) return observed;
    return {static_cast<double>(std::min(found.lo, 0.0F)), static_cast<double>(std::max(found.hi, 0.0F))};
}

}  // namespace prelude::quant
