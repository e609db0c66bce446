// SPDX-License-Identifier: Apache-2.0
#pragma once

// explore diff DIR A B: two design points side by side, and where one of them loses its time.

#include <cstdint>
#include <filesystem>
#include <string>

#include "experiments/store/store.hpp"

namespace prelude::experiments {

/// Throws    StoreError when a point is not in the store
[[nodiscard]] int diff(const std::filesystem::path& folder, std::int64_t a, std::int64_t b);

/// Keys that differ, results that differ with their ratio, then the layers that make up the difference in cycles, largest first.
[[nodiscard]] std::string print_diff(const SweepInfo& info, const Row& a, const Row& b);

}  // namespace prelude::experiments
