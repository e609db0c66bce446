// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a report measures, by name: the terms in which reports, expectations, tolerances and baselines speak of one thing.

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/hls/tool_report.hpp"

namespace prelude::experiments {

struct ReportTerm {
    std::string_view name;   ///< "lut", as Expected and tolerances call it; of high-level synthesis "lut_csynth"
    std::string_view label;  ///< "LUT": in sentences
    std::string_view unit;
    std::optional<double> (*read)(const ToolReport& report);
};

/// The terms that a kind of report is held against.
[[nodiscard]] std::span<const ReportTerm> terms_of(ReportKind kind);
/// What the status of a kind of report has to be ("pass", "met"); empty where its status is no verdict.
[[nodiscard]] std::string_view wanted_status(ReportKind kind) noexcept;
/// Names of all terms, and "status".
[[nodiscard]] const std::vector<std::string>& term_names();

/// A report and the file it was read from.
struct NamedReport {
    std::string file;
    ToolReport report;
};

/// Whether a report may be of this part ("xczu9eg-ffvb1156-2-e"): of another device it is not; package and grade are not compared, and a report may not say.
[[nodiscard]] bool may_be_of_part(const ToolReport& report, std::string_view part);

}  // namespace prelude::experiments
