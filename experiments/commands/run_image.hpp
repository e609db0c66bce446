// SPDX-License-Identifier: Apache-2.0
#pragma once

// explore run: one image through one design point: mask, overlay beside the FP32 mask, latency.

#include <array>
#include <filesystem>
#include <string>
#include <vector>

namespace prelude::experiments {

struct RunCommand {
    std::filesystem::path config;
    std::vector<std::string> sets;
    std::filesystem::path image;
    std::vector<std::array<double, 4>> boxes;   ///< x0, y0, x1, y1 in pixels of the image
    std::vector<std::array<double, 2>> points;  ///< x, y
    std::filesystem::path out;                  ///< empty: out/NAME of the image
};

/// Throws    ConfigError, models::InputError
[[nodiscard]] int run_image(const RunCommand& command);

}  // namespace prelude::experiments
