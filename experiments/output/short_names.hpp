// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace prelude::experiments {

/// Shortest endings of dotted keys that tell them apart: "weight_bits", "softmax.lanes".
[[nodiscard]] std::vector<std::string> short_names(const std::vector<std::string>& keys);

}  // namespace prelude::experiments
