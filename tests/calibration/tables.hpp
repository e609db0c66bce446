// SPDX-License-Identifier: Apache-2.0
#pragma once

// The tables of docs/resources.md.

#include <string_view>

#include "reports.hpp"
#include "study.hpp"

namespace prelude::calibration {

inline constexpr std::string_view kTablesBegin = "<!-- resource_study -->", kTablesEnd = "<!-- end of resource_study -->";

/// Units against their synthesis, the bands of placement, kernels of published reports.
[[nodiscard]] std::string tables(std::span<const Synthesis> all, const Calibration& calibration, std::span<const Report> reports);
/// A page with these tables between its marks.
[[nodiscard]] std::string with_tables(const std::string& page, const std::string& tables);

}  // namespace prelude::calibration
