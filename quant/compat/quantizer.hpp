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

/// Channels merged into `num_groups` groups by the published stages (cluster_in_stages): all of a group get its centre's scale and zero point.
///
/// Limits    1 <= num_groups < number of channels, else the channels stay as they are
/// Differs   scales are not trained between the stages
[[nodiscard]] ChannelAffine grouped(ChannelAffine channels, int num_groups);

}  // namespace prelude::quant::compat
