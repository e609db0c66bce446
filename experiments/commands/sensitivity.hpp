// SPDX-License-Identifier: Apache-2.0
#pragma once

// explore sensitivity: which layers the masks depend on, and how a budget of weight bytes or of time is best spread over them.

#include <string>
#include <vector>

#include "experiments/cli/program.hpp"

namespace prelude::experiments {

struct SensitivityCommand {
    std::filesystem::path config;
    std::vector<std::string> sets;
    std::filesystem::path out;  ///< empty: out/NAME-sensitivity
    int num_jobs = 0;           ///< 0: one per core
    int num_images = 0;         ///< of calibration; 0: all
    bool miou = false;          ///< mean IoU of every lowered layer, too
    bool quiet = false;
    std::string layers;  ///< patterns of those to look at, "encoder.*,decoder.*.q"; empty: all
    std::string budget;  ///< empty: a ranking; else an allocation (experiments/allocate/budget.hpp)
    std::string widths;  ///< that an allocation may use, "2,3,4"; empty: 2 to 8
};

/// Ranks the layers of the configuration's first design point, or allocates widths within a budget.
///
/// Throws    ConfigError without integers or weights, models::InputError for patterns that no layer matches, a budget or widths of another form, or that no choice reaches
[[nodiscard]] int sensitivity(const SensitivityCommand& command, const MakeTaskSet& make_task_set);

}  // namespace prelude::experiments
