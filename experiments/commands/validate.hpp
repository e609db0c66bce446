// SPDX-License-Identifier: Apache-2.0
#pragma once

// explore validate FOLDER: predictions for published designs, and how far they are from what was published.

#include <filesystem>

#include "experiments/cli/program.hpp"
#include "experiments/validation/prediction.hpp"

namespace prelude::experiments {

struct ValidateCommand {
    std::filesystem::path folder;
    bool markdown = false;
    bool csv = false;  ///< the predictions alone
};

/// Throws    ConfigError for the folder's files
[[nodiscard]] int validate(const ValidateCommand& command, const MakeTaskSet& make_task_set);

}  // namespace prelude::experiments
