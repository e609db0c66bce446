// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace prelude::sim {

/// Of the SystemC this program runs with.
[[nodiscard]] std::string systemc_version();

}  // namespace prelude::sim
