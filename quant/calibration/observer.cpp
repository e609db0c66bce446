// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/observer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "quant/calibration/spread.hpp"

namespace prelude::quant {

namespace {

constexpr std::size_t kSamplesPerObservation = 1024, kMaxSample = 1u << 16;
constexpr std::int64_t kRowsPerObservation = 64;
constexpr std::size_t kMaxRowWords = 1u << 22;  // 16 MB a value

/// Extremes of every channel of a tensor, real 0 included.
std::vector<Range> channel_ranges(const models::Value& value, const models::Tensor& tensor) {
    const auto& shape = tensor.shape();
    const std::int64_t channels = shape.rank() == 0 ? 1 : shape[value.channel_axis];
    std::int64_t inner = 1;
    for (std::size_t axis = value.channel_axis + 1; axis < shape.rank(); ++axis) inner *= shape[axis];
    const std::int64_t outer = channels * inner == 0 ? 0 : tensor.num_elements() / (channels * inner);
    std::vector<float> lo(static_cast<std::size_t>(channels), 0.0f), hi(lo);
    const float* x = tensor.data();
    for (std::int64_t o = 0; o < outer; ++o) {
        if (inner == 1) {
            for (std::int64_t c = 0; c < channels; ++c) {
                lo[static_cast<std::size_t>(c)] = std::min(lo[static_cast<std::size_t>(c)], x[c]);
                hi[static_cast<std::size_t>(c)] = std::max(hi[static_cast<std::size_t>(c)], x[c]);
            }
            x += channels;
            continue;
        }
        for (std::size_t c = 0; c < lo.size(); ++c, x += inner) {
            const auto [least, most] = std::minmax_element(x, x + inner);
            lo[c] = std::min(lo[c], *least);
            hi[c] = std::max(hi[c], *most);
        }
    }
    std::vector<Range> ranges(lo.size());
    for (std::size_t c = 0; c < lo.size(); ++c) ranges[c] = {lo[c], hi[c]};
    return ranges;
}

/// NaN and infinity have all bits of the exponent set.
std::int64_t num_not_finite(std::span<const float> values) noexcept {
    constexpr std::uint32_t kExponent = 0x7f800000;
    std::uint32_t count = 0;
    for (const float value : values) count += (std::bit_cast<std::uint32_t>(value) & kExponent) == kExponent ? 1 : 0;
    return count;
}

}  // namespace

Range ValueRanges::whole() const noexcept {
    Range range;
    for (const auto& channel : channels) range.include(channel);
    return range;
}

void RangeObserver::observe(const models::Value& value, const models::Tensor& tensor) {
    if (tensor.num_elements() == 0) return;
    if (const auto count = num_not_finite(tensor.values()); count > 0) {
        auto found = std::ranges::find(not_finite_, value.name, &NotFinite::name);
        if (found == not_finite_.end()) found = not_finite_.insert(found, {value.name});
        found->count += count, found->total += tensor.num_elements();
    }
    auto& record = records_[value.name];
    auto seen = channel_ranges(value, tensor);
    if (!record.touched || record.image.size() != seen.size()) {
        record.image = std::move(seen);
        record.touched = true;
    } else {
        for (std::size_t c = 0; c < seen.size(); ++c) record.image[c].include(seen[c]);
    }
    if (const auto form = row_forms_.find(value.name); form != row_forms_.end()) {
        const auto length = row_length(form->second, tensor.shape());
        if (record.rows.empty()) record.row_length = length;
        if (record.row_length == length) sample_rows(form->second, tensor, kRowsPerObservation, kMaxRowWords, record.rows);
    }
    if (kind_ == Observer::min_max || kind_ == Observer::moving_average) return;
    const auto& shape = tensor.shape();
    const auto channels = static_cast<std::int64_t>(record.image.size());
    std::int64_t inner = 1;
    for (std::size_t axis = value.channel_axis + 1; axis < shape.rank(); ++axis) inner *= shape[axis];
    const auto size = static_cast<std::size_t>(tensor.num_elements());
    Spread spread(size, record.sample.size());
    for (auto left = std::min({size, kSamplesPerObservation, kMaxSample - record.sample.size()}); left > 0; --left) {
        const auto i = spread.next();
        record.sample.push_back(tensor[i]);
        record.sample_channel.push_back(static_cast<std::int32_t>(static_cast<std::int64_t>(i) / inner % channels));
    }
}

void RangeObserver::end_image() {
    for (auto& [name, record] : records_) {
        if (!record.touched) continue;
        record.touched = false;
        ++record.num_images;
        if (record.total.size() != record.image.size()) {
            record.total = record.image;
            continue;
        }
        for (std::size_t c = 0; c < record.total.size(); ++c) {
            if (kind_ != Observer::moving_average) {
                record.total[c].include(record.image[c]);
                continue;
            }
            const auto share = 1.0 / static_cast<double>(record.num_images);
            record.total[c].lo += (record.image[c].lo - record.total[c].lo) * share;
            record.total[c].hi += (record.image[c].hi - record.total[c].hi) * share;
        }
    }
}

std::vector<std::string> RangeObserver::not_finite() const {
    std::vector<std::string> sentences;
    for (const auto& [name, count, total] : not_finite_) sentences.push_back(fmt::format("{}: {} of {} values are not finite", name, count, total));
    return sentences;
}

Ranges RangeObserver::ranges(double margin) const {
    Ranges result;
    for (const auto& [name, record] : records_) {
        ValueRanges ranges{record.total, record.sample, record.sample_channel, record.rows, record.row_length};
        for (auto& channel : ranges.channels) channel = {channel.lo * margin, channel.hi * margin};
        result.emplace(name, std::move(ranges));
    }
    return result;
}

}  // namespace prelude::quant
