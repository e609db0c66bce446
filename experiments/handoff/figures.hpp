// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "experiments/hls/baseline.hpp"
#include "experiments/hls/report_check.hpp"

namespace prelude::experiments {

/// One figure of a report against what was expected of it, or against an earlier build, in words.
struct FigureCheck {
    std::string group;    ///< "csynth", "utilization", "baseline", ...
    std::string name;     ///< "lut"
    std::string verdict;  ///< pass | fail | unknown
    bool failed = false;  ///< unknown ones that may not be unknown, too
    std::string text;     ///< "expected 1200 (900 to 1500), found 1320 (+10.0 %), tolerance band"
};

[[nodiscard]] std::vector<FigureCheck> figures_of(const ReportCheck& check);
[[nodiscard]] std::vector<FigureCheck> figures_of(const Regression& regression);

}  // namespace prelude::experiments
