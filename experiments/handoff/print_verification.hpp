// SPDX-License-Identifier: Apache-2.0
#pragma once

// A verification as people and continuous integration read it.

#include <string>
#include <vector>

#include "experiments/handoff/figures.hpp"
#include "experiments/handoff/verification.hpp"
#include "models/data/image.hpp"

namespace prelude::experiments {

/// A table of the tensors, then every mismatch in detail.
[[nodiscard]] std::string print(const Verification& verification);

/// JUnit's XML: a test case a tensor that was to be compared, and one a figure. `verification` null: no dumps were compared.
[[nodiscard]] std::string junit_xml(const Verification* verification, const std::vector<FigureCheck>& figures);

/// One self-contained page with heat maps.
[[nodiscard]] std::string verification_html(const Verification* verification, const std::vector<FigureCheck>& figures);

/// Mismatches over a tensor: white where all words are equal, yellow to dark red by the share of mismatches in a cell.
[[nodiscard]] models::Image heat_map_image(const HeatMap& map);

}  // namespace prelude::experiments
