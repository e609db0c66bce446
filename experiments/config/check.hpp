// SPDX-License-Identifier: Apache-2.0
#pragma once

// What only the whole configuration shows: keys that contradict each other, and keys that change nothing.

#include <string>
#include <vector>

#include "experiments/config/configuration.hpp"
#include "experiments/config/error.hpp"

namespace prelude::experiments {

/// Keys that contradict each other, on the design points themselves: each contradiction once, at the key it is about.
void check_points(const Configuration& configuration, Problems& problems);

/// Entries of mapping files that name no segment, or that none of the designs can use. Where designs differ the row of a design says it.
void check_pinned_mappings(const Configuration& configuration, Problems& problems);

/// Keys that were written down but change nothing, most often a misunderstanding: a sentence each.
[[nodiscard]] std::vector<std::string> idle_key_warnings(const Configuration& configuration);

}  // namespace prelude::experiments
