// SPDX-License-Identifier: Apache-2.0
#include "quant/compat/quantizer.hpp"

#include <cmath>

#include "models/error.hpp"
#include "models/overloaded.hpp"
#include "quant/calibration/kmeans.hpp"

namespace prelude::quant::compat {

namespace {

constexpr int kSteps[] = {8, 4, 2, 1};  ///< clusters per group wanted, at 20, 40, 60 and 80 % of the training

}  // namespace

void quantize(const Quantizer& quantizer, std::span<float> values) {
    std::visit(models::Overloaded{[&](const ChannelAffine& channels) {
                                      models::check(!channels.empty() && values.size() % channels.size() == 0, "compat: a quantizer of other channels");
                                      for (std::size_t i = 0; i < values.size(); ++i) values[i] = channels[i % channels.size()](values[i]);
                                  },
                                  [&](const auto& form) {
                                      for (float& x : values) x = form(x);
                                  }},
               quantizer);
}

ChannelAffine grouped(ChannelAffine channels, int num_groups) {
    for (const int step : kSteps) {
        const auto num_clusters = static_cast<std::size_t>(step * num_groups);
        if (num_clusters >= channels.size()) continue;
        std::vector<Point2> points;
        for (const auto& channel : channels) points.push_back({static_cast<double>(channel.scale), static_cast<double>(channel.zero_point)});
        const auto clusters = kmeans(points, static_cast<std::int64_t>(num_clusters));
        for (std::size_t c = 0; c < channels.size(); ++c) {
            const auto& centre = clusters.centres[static_cast<std::size_t>(clusters.labels[c])];
            channels[c].scale = static_cast<float>(centre[0]);
            channels[c].zero_point = std::nearbyint(static_cast<float>(centre[1]));
        }
    }
    return channels;
}

}  // namespace prelude::quant::compat
