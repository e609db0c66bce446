// SPDX-License-Identifier: Apache-2.0
#pragma once

// Builds of exported designs: what was expected of each, and the reports of its tools.

#include <filesystem>
#include <string>
#include <vector>

#include "experiments/hls/expected.hpp"
#include "experiments/hls/report_terms.hpp"

namespace prelude::experiments {

struct Build {
    std::string name;  ///< of its folder
    Expected expected;
    std::vector<NamedReport> reports;
};

struct Builds {
    std::vector<Build> builds;  ///< by name
    std::vector<std::string>
        passed_over;  ///< files that are no reports of the design and folders without expected.json, each with the reason
};

/// Reads DIR/NAME/expected.json and the reports beside it, or in DIR/NAME/reports.
///
/// Contract
///  - reports are known by what they say, not by their names; of the files beside expected.json those of an export (manifest.json, config.resolved.yaml,
///    operations.safetensors) are no reports and not named; a report of another device is passed over
/// Limits    1000 folders, 200 files in each
/// Throws    models::InputError where DIR is no folder, is larger, or an expected.json is broken: all of them at once
[[nodiscard]] Builds read_builds(const std::filesystem::path& folder);

}  // namespace prelude::experiments
