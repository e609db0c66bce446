// SPDX-License-Identifier: Apache-2.0
#pragma once

// explore explain KEY: what a configuration key, a section, or a column of results.csv means.

#include <string>

namespace prelude::experiments {

[[nodiscard]] int explain_command(const std::string& name);

}  // namespace prelude::experiments
