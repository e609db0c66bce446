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
///   - pictures: `overlays`/*.png; a name that begins with a key is shown only if some row stands on that key. The caption is
///     the first line of NAME.txt, else the name.
inline constexpr std::size_t kMaxReportLayers = 30'000;
[[nodiscard]] std::string report_html(const Results& results, const Store& store, const std::filesystem::path& overlays);

}  // namespace prelude::experiments
