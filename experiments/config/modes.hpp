// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "experiments/config/settings.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace prelude::experiments {

/// A key that asks for what its quant.mode cannot do.
struct ModeConflict {
    std::string_view key;
    std::string found, allowed;
    std::string_view because;
};

/// What the mode of a point refuses by name: in compat, methods that change weights or widths and that the published code does not have; in
/// clean, that code's slips. Keys that merely say how integers are computed have no effect in compat and draw a warning.
[[nodiscard]] std::vector<ModeConflict> mode_conflicts(const Settings& settings);

}  // namespace prelude::experiments
