// SPDX-License-Identifier: Apache-2.0
#pragma once

// report.html: one file that explains a sweep to a person, without network and without other files.

#include <filesystem>
#include <string>

#include "experiments/output/files.hpp"

namespace prelude::experiments {

/// Contract
///   - nothing is loaded: script, style, data and pictures are inside; every text of the user's is escaped;
///   - layers of at most kMaxReportLayers rows are inside, points of the front first; the page says which;
///   - masks of a few prompts are inside where `cache` holds their pictures (masks.hpp).
inline constexpr std::size_t kMaxReportLayers = 30'000;
[[nodiscard]] std::string report_html(const Results& results, const Store& store, const std::filesystem::path& cache);

}  // namespace prelude::experiments
