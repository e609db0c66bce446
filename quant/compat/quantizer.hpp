// SPDX-License-Identifier: Apache-2.0
#pragma once

// The quantizer of one value, settled; and how the published code groups the channels of one.

#include <span>
#include <variant>
#include <vector>

#include "quant/fake/affine.hpp"
#include "quant/fake/nonlinear.hpp"

namespace prelude::quant::compat {

/// A scale and zero point for every channel of the last axis; channels of one group hold equal ones.
using ChannelAffine = std::vector<fake::Affine>;

using Quantizer = std::variant<fake::Affine, ChannelAffine, fake::Logarithmic, fake::Companding, fake::Hybrid>;

/// Replaces every value by the one its code stands for.
void quantize(const Quantizer& quantizer, std::span<float> values);

/// Channels merged into `num_groups` groups, step by step as the published code does while it trains: k-means of the channels' pairs
/// (scale, zero point) into 8, 4, 2 and 1 times as many clusters, each step on what the step before made of them.
///
/// Meaning   group scale = centre, group zero point = centre rounded to even; steps with no fewer clusters than channels are left out
/// Limits    1 <= num_groups < number of channels, else the channels stay as they are
/// Source    AHCPTQ, channel-aware grouping. Features are not normalised: at 4 bits the zero point outweighs the scale
/// Differs   scales are not trained between the steps
[[nodiscard]] ChannelAffine grouped(ChannelAffine channels, int num_groups);

}  // namespace prelude::quant::compat
