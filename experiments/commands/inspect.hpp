// SPDX-License-Identifier: Apache-2.0
#pragma once

// explore inspect: what one design is: graph, shapes, products, parameters, formats, tiling. Nothing is evaluated.

#include <filesystem>
#include <string>
#include <vector>

namespace prelude::experiments {

struct InspectCommand {
    std::filesystem::path config;
    std::vector<std::string> sets;
};

/// Throws    ConfigError, models::InputError
[[nodiscard]] int inspect(const InspectCommand& command);

}  // namespace prelude::experiments
