// SPDX-License-Identifier: Apache-2.0
#pragma once

// The readers behind read_tool_report, one for each layout.

#include "experiments/hls/report_text.hpp"
#include "experiments/hls/tool_report.hpp"

namespace prelude::experiments {

/// <profile>: TOP_csynth.xml, and csynth.xml of a project, whose modules are passed over.
[[nodiscard]] ToolReport read_csynth_xml(std::string_view text, const std::string& name);
/// TOP_csynth.rpt: "== Vitis HLS Report for 'TOP'"; latency tables with and without absolute times.
[[nodiscard]] ToolReport read_csynth_text(const ReportText& text);
/// csynth.rpt: "== Synthesis Summary Report of 'TOP'"; its first module.
[[nodiscard]] ToolReport read_csynth_summary(const ReportText& text);
/// The language that was simulated; both of them: the worse.
[[nodiscard]] ToolReport read_cosim(const ReportText& text);
[[nodiscard]] ToolReport read_export(const ReportText& text);
/// report_utilization, and report_accelerator_utilization, of which the used resources without the platform's.
[[nodiscard]] ToolReport read_utilization(const ReportText& text);
[[nodiscard]] ToolReport read_power(const ReportText& text);
[[nodiscard]] ToolReport read_timing(const ReportText& text);

}  // namespace prelude::experiments
