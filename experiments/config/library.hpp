// SPDX-License-Identifier: Apache-2.0
#pragma once

// The data files that a configuration names: devices and cost tables under arch_configs/.
// They are found by name alone, so a configuration cannot make the program read any other file.

#include "experiments/config/error.hpp"
#include "sim/cost/cost_table.hpp"
#include "sim/design.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace prelude::experiments {

/// Names of the files `*.yaml` in a folder, without the ending, sorted.
[[nodiscard]] std::vector<std::string> names_of_files(const std::filesystem::path& folder);

/// Reads one device file. Every figure has value, unit, status and source; everything wrong with the file goes to `problems`.
[[nodiscard]] std::optional<sim::Device> read_device(const std::filesystem::path& file, Problems& problems);

/// Reads one cost table. A term that is missing, unknown or in another unit is a problem.
[[nodiscard]] std::optional<sim::CostTable> read_cost_table(const std::filesystem::path& file, Problems& problems);

/// Canonical text of what a device or cost table says, for hashing: values and bands, without sources.
[[nodiscard]] std::string device_text(const sim::Device& device);
[[nodiscard]] std::string cost_text(const sim::CostTable& costs);

/// A cost table as a file that read_cost_table takes, terms in the order of sim::cost_terms(); the file has to be called as the table: NAME.yaml.
[[nodiscard]] std::string to_yaml(const sim::CostTable& costs);

[[nodiscard]] std::string_view name_of(sim::Provenance status) noexcept;

}  // namespace prelude::experiments
