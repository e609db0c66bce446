// SPDX-License-Identifier: Apache-2.0
#pragma once

// Counters of a simulation as JSON: what the store keeps of a timing task.

#include <nlohmann/json.hpp>

#include "sim/stats.hpp"

namespace prelude::experiments {

[[nodiscard]] nlohmann::json to_json(const sim::SegmentStats& stats);
/// Throws nlohmann::json::exception for JSON of another shape.
[[nodiscard]] sim::SegmentStats segment_stats(const nlohmann::json& json);
[[nodiscard]] nlohmann::json to_json(const sim::ToggleStats& stats);
[[nodiscard]] sim::ToggleStats toggle_stats(const nlohmann::json& counts);

}  // namespace prelude::experiments
