// SPDX-License-Identifier: Apache-2.0
#pragma once

// explore calibrate-costs --reports DIR: terms of the cost table fitted to the reports of one's own builds.

#include <filesystem>
#include <vector>

namespace prelude::experiments {

struct CalibrateCostsCommand {
    std::filesystem::path reports;              ///< a folder of each design: expected.json and the reports of its build
    std::filesystem::path out;                  ///< the new table; empty: nothing is written
    std::vector<std::filesystem::path> checks;  ///< expected.json of designs that are asked about, not fitted
    bool overwrite = false;
    bool json = false;
};

/// Prints errors before and after, fitted and kept terms, and where the designs asked about leave the fit's range. With `out` writes a whole table, atomically; of
/// several device families one each, called NAME_FAMILY_SLICE.yaml.
/// Throws    models::InputError, ConfigError; nothing is written then, nor where no resource could be fitted
[[nodiscard]] int calibrate_costs(const CalibrateCostsCommand& command);

}  // namespace prelude::experiments
