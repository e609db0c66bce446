// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "quant/settings.hpp"

namespace prelude::experiments {

inline constexpr int kCleanBits = 16;

/// The settings with 16 bits wherever they follow the two widths: the network in which layers are narrowed one at a time.
[[nodiscard]] inline quant::Settings clean_settings(quant::Settings settings) {
    settings.weight_bits = settings.activation_bits = kCleanBits;
    return settings;
}

}  // namespace prelude::experiments
