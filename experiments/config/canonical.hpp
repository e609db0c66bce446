// SPDX-License-Identifier: Apache-2.0
#pragma once

// Settings as text: canonical lines for hashing, and the configuration file that says the same.

#include "experiments/config/configuration.hpp"

#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace prelude::experiments {

/// What a path stands for in a hash; by default the SHA-256 of what is there.
using ContentOf = std::function<std::string(const std::string& path)>;

/// The same design point with everything that changes no result set to one form: keys without effect to their default, the method
/// (its presets are already applied) to custom, the softmax width to the one that is used.
[[nodiscard]] Settings normalised(const Settings& settings);

/// How probabilities are coded, for messages about their width: "log base 2 and shift cap 15".
[[nodiscard]] std::string softmax_code_text(const Settings& settings);

/// `key=value` lines of the normalised settings, of every key below one of the sections ("model", "quant.calibration").
[[nodiscard]] std::string section_text(const Settings& settings, std::span<const std::string_view> sections, const ContentOf& content = {});

/// What accuracy depends on: model, data and quant keys. Two points with equal text have equal bits.
[[nodiscard]] std::string numeric_text(const Settings& settings, const ContentOf& content = {});

/// What cycles and resources depend on beside the formats: hw and workload keys and the device's figures.
/// The cost table is text of its own (cost_text), since timing does not depend on it.
[[nodiscard]] std::string hardware_text(const Settings& settings, const ContentOf& content = {});

/// config.resolved.yaml: every key with its value, the axes and the sweep. Reading it gives the same settings and points.
[[nodiscard]] std::string resolved_yaml(const Configuration& configuration);

}  // namespace prelude::experiments
