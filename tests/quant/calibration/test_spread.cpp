// SPDX-License-Identifier: Apache-2.0
// Samples of values: all over them, whatever their shape is.
#include "quant/calibration/spread.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

#include "quant/calibration/observer.hpp"

using namespace prelude;
using namespace prelude::quant;

TEST_CASE("A spread visits every position once, in any order of observations") {
    for (const std::size_t size : {1, 2, 3, 6, 7, 64, 97, 768, 32768}) {
        CAPTURE(size);
        Spread all(size, 0);
        std::vector<std::size_t> order(size);
        for (auto& position : order) position = all.next();
        for (const std::size_t first : {std::size_t{1}, size / 2, size, 5 * size + 3}) {
            Spread later(size, first);
            CHECK(later.next() == order[first % size]);
        }
        std::ranges::sort(order);
        for (std::size_t i = 0; i < size; ++i) CHECK(order[i] == i);
    }
}

TEST_CASE("A sample of a value meets every channel about equally often, and every part of it", "[mutation]") {
    for (const bool channels_last : {false, true}) {
        for (const std::int64_t channels : {3, 16, 128, 1024}) {
            CAPTURE(channels_last, channels);
            constexpr std::int64_t kPlaces = 256;
            const auto shape = channels_last ? models::Shape{1, kPlaces, channels} : models::Shape{1, channels, 16, 16};
            const models::Value value{.name = "x", .shape = shape, .channel_axis = channels_last ? std::size_t{2} : std::size_t{1}};
            models::Tensor tensor(shape);
            for (std::size_t i = 0; i < tensor.values().size(); ++i) tensor[i] = static_cast<float>(i);
            RangeObserver observer(Observer::mse);
            for (int picture = 0; picture < 4; ++picture) {
                observer.observe(value, tensor);
                observer.end_image();
            }
            const auto seen = observer.ranges(1).at("x");
            std::vector<int> of_channel(static_cast<std::size_t>(channels), 0);
            for (const auto channel : seen.sample_channel) ++of_channel[static_cast<std::size_t>(channel)];
            const auto [least, most] = std::ranges::minmax(of_channel);
            CHECK(least > 0);
            CHECK(most <= 2 * least);
            const std::set<float> different(seen.sample.begin(), seen.sample.end());
            CHECK(different.size() >= std::min<std::size_t>(static_cast<std::size_t>(tensor.num_elements()), seen.sample.size() / 2));
            constexpr std::size_t kParts = 16;
            std::vector<int> of_part(kParts, 0);
            for (const float position : different) ++of_part[static_cast<std::size_t>(position) * kParts / tensor.values().size()];
            CHECK(std::ranges::min(of_part) > 0);
        }
    }
}
