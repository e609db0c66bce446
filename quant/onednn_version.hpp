// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace prelude::quant {

/// Of the oneDNN this program runs with.
[[nodiscard]] std::string onednn_version();

}  // namespace prelude::quant
