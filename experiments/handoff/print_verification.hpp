// SPDX-License-Identifier: Apache-2.0
#pragma once

// A verification as people and continuous integration read it.

#include <string>
#include <vector>

#include "experiments/handoff/verification.hpp"
#include "models/data/image.hpp"

namespace prelude::experiments {

/// One check of anything beside dumps: a term of a report against its expected figure, or against the baseline.
struct FigureCheck {
    std::string group;    ///< "csynth", "utilization", "baseline", ...
    std::string name;     ///< "lut"
    std::string verdict;  ///< pass | fail | unknown
    bool failed = false;
    std::string text;     ///< "expected 1200 (900 .. 1500), found 1320 (+10.0 %), tolerance 25 %"
};

/// A table of the tensors, then every mismatch in detail.
[[nodiscard]] std::string print(const Verification& verification);

/// JUnit's XML: a test case a tensor that was to be compared, and one a figure.
[[nodiscard]] std::string junit_xml(const Verification* verification, const std::vector<FigureCheck>& figures);

/// One self-contained page with heat maps.
[[nodiscard]] std::string verification_html(const Verification* verification, const std::vector<FigureCheck>& figures);

/// Mismatches over a tensor: white where all words are equal, yellow to dark red by the share of mismatches in a cell.
[[nodiscard]] models::Image heat_map_image(const HeatMap& map);

}  // namespace prelude::experiments
