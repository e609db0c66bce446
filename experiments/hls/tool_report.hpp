// SPDX-License-Identifier: Apache-2.0
#pragma once

// Reports of synthesis and implementation tools (Vivado HLS, Vitis HLS, Vivado), read into one form.

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace prelude::experiments {

enum class ReportKind {
    csynth,       ///< high-level synthesis: estimates of a top function and its modules
    cosim,        ///< C/RTL co-simulation
    export_rtl,   ///< what HLS reports after it ran synthesis or implementation on its own
    utilization,  ///< Vivado: a design or its kernels, synthesized or placed
    power,        ///< Vivado
    timing,       ///< Vivado: timing summary
};
[[nodiscard]] std::string_view name_of(ReportKind kind) noexcept;

/// Counts of a device's primitives. BRAM in halves of 18 Kib: a tile of Vivado counts twice.
struct PrimitiveCounts {
    std::optional<std::int64_t> bram18, dsp, ff, lut, uram;
    friend bool operator==(const PrimitiveCounts&, const PrimitiveCounts&) = default;
};

/// Contract
///  - what a report does not say, or says as `?`, `undef`, `-`, `NA` or `N/A`, is unknown and never 0;
///  - times are in ns, latencies and intervals in clock cycles, powers in W.
struct ToolReport {
    ReportKind kind = ReportKind::csynth;
    std::string tool;     ///< "Vitis HLS", "Vivado HLS", "Vivado"; empty: the report does not say
    std::string version;  ///< "2022.2"
    std::string top, part;
    std::optional<double> clock_target_ns, clock_estimated_ns;  ///< estimated: by synthesis, or what was achieved
    std::optional<std::int64_t> latency_min, latency_max, interval_min, interval_max;
    std::string pipeline;  ///< of the top function, as the report says: no, yes, none, function, dataflow, ...
    PrimitiveCounts used, available;
    std::string status;  ///< cosim: pass or fail; utilization, power: synthesized, placed, routed; timing, export: met or not met
    std::optional<double> total_w, dynamic_w, static_w;
    friend bool operator==(const ToolReport&, const ToolReport&) = default;
};

/// Reads a report; its kind, tool and version are told by its own text.
///
/// Limits    files of up to 256 MB, tables of up to 256 columns; XML entities beyond the predefined ones are not expanded
/// Errors    models::InputError "FILE:LINE: what was found; what was expected": no report of these kinds, a table without an expected row or column, a cell that is
///           neither a number nor a word for unknown
/// Source    layouts of 38 public reports, Vivado HLS 2018.2 to Vitis HLS 2025.1 (tests/data/hls_reports.csv); no public timing summary was at hand, its layout is untested against a real one
/// A summary of a project (csynth.rpt) gives one latency: it is taken as both ends
[[nodiscard]] ToolReport read_tool_report(const std::filesystem::path& file);
[[nodiscard]] ToolReport read_tool_report(std::string_view text, const std::string& name);

/// Keys of `explore read-report --json`: every field, null where unknown.
[[nodiscard]] nlohmann::ordered_json to_json(const ToolReport& report);

}  // namespace prelude::experiments
