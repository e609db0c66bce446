// SPDX-License-Identifier: Apache-2.0
#include "quant/compat/quantizer.hpp"

#include "models/error.hpp"
#include "models/overloaded.hpp"
#include "quant/calibration/grouping.hpp"

namespace prelude::quant::compat {

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
    if (static_cast<std::size_t>(num_groups) >= channels.size()) return channels;
    std::vector<Point2> points;
    for (const auto& channel : channels) points.push_back({static_cast<double>(channel.scale), static_cast<double>(channel.zero_point)});
    const auto merged = cluster_in_stages(std::move(points), num_groups).points;
    for (std::size_t c = 0; c < channels.size(); ++c) {
        channels[c].scale = static_cast<float>(merged[c][0]), channels[c].zero_point = static_cast<float>(merged[c][1]);
    }
    return channels;
}

}  // namespace prelude::quant::compat
