// SPDX-License-Identifier: Apache-2.0
#pragma once

// explore inspect: what one design is: graph, shapes, products, parameters, formats, mappings. Nothing is evaluated.

#include "experiments/evaluate/design_point.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace prelude::experiments {

struct InspectCommand {
    std::filesystem::path config;
    std::vector<std::string> sets;
    bool all = false;   ///< every node, not one of each kind of block
    bool json = false;  ///< the same as JSON, every node
    std::filesystem::path mapping_out;  ///< a file that pins every mapping; empty: none
};

/// Prints the base point of the configuration; of a sweep its first point. Mappings are those that its evaluation uses, candidates simulated.
/// Throws    ConfigError, models::InputError
[[nodiscard]] int inspect(const InspectCommand& command);

/// A design as JSON: {"model", "nodes": [...], "parts": {...}, "totals", "formats_assumed", "hardware", "tiling": [{"segment", ...}, ...]};
/// "tiling" is absent where the design does not fit its device, "hardware" and formats too where it computes in floating point.
[[nodiscard]] nlohmann::json describe(const Settings& settings, const sim::CostTable& costs);

/// The description as tables. Blocks that are alike in all but their number are shown once, movement and parameter nodes not at all,
/// unless `all`.
[[nodiscard]] std::string print_description(const nlohmann::json& description, bool all);

}  // namespace prelude::experiments
