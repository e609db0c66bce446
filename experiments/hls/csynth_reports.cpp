// SPDX-License-Identifier: Apache-2.0
// Reports of high-level synthesis: XML, text, summary.
#include <fmt/format.h>

#include <algorithm>
#include <pugixml.hpp>

#include "experiments/hls/report_formats.hpp"
#include "models/error.hpp"

namespace prelude::experiments {

namespace {

/// What stands between quotes.
std::string quoted(std::string_view line) {
    const auto first = line.find('\''), last = line.rfind('\'');
    return first == std::string_view::npos || last == first ? std::string{} : std::string(line.substr(first + 1, last - first - 1));
}

std::string first_word(std::string_view text) { return std::string(text.substr(0, text.find(' '))); }

PrimitiveCounts counts_of(const ReportText& text, const ReportTable& table, const ReportRow& row) {
    const auto at = [&](std::initializer_list<std::string_view> names) -> std::optional<std::int64_t> {
        const auto column = table.column(names);
        if (!column || *column >= row.cells.size()) return std::nullopt;
        return text.count(row.cells[*column], row.line);
    };
    return {.bram18 = at({"BRAM_18K", "BRAM"}), .dsp = at({"DSP", "DSP48E"}), .ff = at({"FF"}), .lut = at({"LUT"}), .uram = at({"URAM"})};
}

const ReportRow& row_of(const ReportText& text, const ReportTable& table, std::string_view name) {
    const auto* row = table.row(name);
    if (!row) text.refuse(table.line, fmt::format("the table has no row \"{}\"", name));
    return *row;
}

/// The one row of a summary table.
const ReportRow& only_row(const ReportText& text, const ReportTable& table) {
    const auto found = std::ranges::find(table.rows, false, &ReportRow::in_head);
    if (found == table.rows.end()) text.refuse(table.line, "the table has no row");
    return *found;
}

}  // namespace

ToolReport read_csynth_text(const ReportText& text) {
    ToolReport report{.kind = ReportKind::csynth};
    const auto title = text.expect("HLS Report for");
    report.tool = text.line(title).find("Vitis") != std::string_view::npos ? "Vitis HLS" : "Vivado HLS";
    report.top = quoted(text.line(title));
    report.version = first_word(text.value_of("Version"));
    report.part = text.value_of("Target device");

    const auto timing = text.table(text.expect("+ Timing", title));
    const auto& clock = only_row(text, timing);
    const auto target = timing.column({"Target"}), estimated = timing.column({"Estimated"});
    if (!target || !estimated || std::max(*target, *estimated) >= clock.cells.size()) text.refuse(timing.line, "the timing table has no columns Target and Estimated");
    report.clock_target_ns = text.number(clock.cells[*target], clock.line, "ns");
    report.clock_estimated_ns = text.number(clock.cells[*estimated], clock.line, "ns");

    const auto latency = text.table(text.expect("+ Latency", timing.end));
    const auto& cycles = only_row(text, latency);
    constexpr std::size_t kCyclesAlone = 5, kWithTimes = 7;  // min, max (, absolute min, max), interval min, max, type
    if (cycles.cells.size() != kCyclesAlone && cycles.cells.size() != kWithTimes)
        text.refuse(cycles.line, fmt::format("a latency table of {} columns; {} or {} are known", cycles.cells.size(), kCyclesAlone, kWithTimes));
    const auto interval = cycles.cells.size() - 3;
    report.latency_min = text.count(cycles.cells[0], cycles.line);
    report.latency_max = text.count(cycles.cells[1], cycles.line);
    report.interval_min = text.count(cycles.cells[interval], cycles.line);
    report.interval_max = text.count(cycles.cells[interval + 1], cycles.line);
    report.pipeline = cycles.cells.back();

    const auto utilization = text.table(text.expect("== Utilization Estimates", latency.end));
    if (!utilization.column({"LUT"})) text.refuse(utilization.line, "the utilization table has no column LUT");
    report.used = counts_of(text, utilization, row_of(text, utilization, "Total"));
    report.available = counts_of(text, utilization, row_of(text, utilization, "Available"));
    return report;
}

ToolReport read_csynth_summary(const ReportText& text) {
    ToolReport report{.kind = ReportKind::csynth, .tool = "Vitis HLS"};
    report.top = quoted(text.line(text.expect("== Synthesis Summary Report of")));
    report.version = first_word(text.value_of("Version"));
    report.part = text.value_of("Target device");
    const auto table = text.table(text.expect("+ Performance & Resource Estimates"));
    const auto& row = only_row(text, table);
    if (row.cells.empty() || !row.cells.front().starts_with('+')) text.refuse(row.line, "the first row is expected to be a module (\"+ NAME\")");
    const auto cell = [&](std::initializer_list<std::string_view> names) {
        const auto column = table.column(names);
        if (!column || *column >= row.cells.size()) text.refuse(table.line, fmt::format("the table has no column \"{}\"", *names.begin()));
        return row.cells[*column];
    };
    report.latency_min = report.latency_max = text.count(cell({"Latency (cycles)"}), row.line);
    report.interval_min = report.interval_max = text.count(cell({"Interval"}), row.line);
    report.pipeline = cell({"Pipelined"});
    report.used = counts_of(text, table, row);
    return report;
}

ToolReport read_csynth_xml(std::string_view text, const std::string& name) {
    const auto line_at = [&](std::ptrdiff_t offset) {
        return 1 + std::count(text.begin(), text.begin() + std::clamp<std::ptrdiff_t>(offset, 0, static_cast<std::ptrdiff_t>(text.size())), '\n');
    };
    pugi::xml_document document;
    if (const auto parsed = document.load_buffer(text.data(), text.size(), pugi::parse_minimal | pugi::parse_escapes); !parsed)
        throw models::InputError(fmt::format("{}:{}: no well-formed XML: {}", name, line_at(parsed.offset), parsed.description()));
    const auto root = document.document_element();
    if (std::string_view(root.name()) != "profile")
        throw models::InputError(fmt::format("{}:{}: <{}> where <profile>, a report of high-level synthesis, is expected", name, line_at(root.offset_debug()), std::string_view(root.name()).substr(0, 60)));
    // Direct children alone: modules of a project's report have elements of the same names.
    const auto element = [&](std::initializer_list<const char*> path) {
        auto node = root;
        for (const auto* step : path) node = node.child(step);
        return node;
    };
    const ReportText whole(text, name);
    const auto number = [&](std::initializer_list<const char*> path) -> std::optional<double> {
        const auto node = element(path);
        return whole.number(node.text().get(), static_cast<std::size_t>(line_at(node.offset_debug()) - 1));
    };
    const auto count = [&](std::initializer_list<const char*> path) -> std::optional<std::int64_t> {
        const auto node = element(path);
        return whole.count(node.text().get(), static_cast<std::size_t>(line_at(node.offset_debug()) - 1));
    };
    const auto required = [&](std::initializer_list<const char*> path) {
        if (element(path)) return;
        std::string missing = "profile";
        for (const auto* step : path) missing += std::string("/") + step;
        throw models::InputError(fmt::format("{}: the report has no {}", name, missing));
    };
    required({"UserAssignments", "TopModelName"});
    required({"PerformanceEstimates", "SummaryOfOverallLatency"});
    required({"AreaEstimates", "Resources"});
    ToolReport report{.kind = ReportKind::csynth};
    report.version = trimmed(element({"ReportVersion", "Version"}).text().get());
    constexpr std::string_view kFirstVitis = "2020.2";
    if (!report.version.empty()) report.tool = report.version >= kFirstVitis ? "Vitis HLS" : "Vivado HLS";
    report.top = trimmed(element({"UserAssignments", "TopModelName"}).text().get());
    report.part = trimmed(element({"UserAssignments", "Part"}).text().get());
    report.clock_target_ns = number({"UserAssignments", "TargetClockPeriod"});
    report.clock_estimated_ns = number({"PerformanceEstimates", "SummaryOfTimingAnalysis", "EstimatedClockPeriod"});
    const char *performance = "PerformanceEstimates", *overall = "SummaryOfOverallLatency";
    report.latency_min = count({performance, overall, "Best-caseLatency"});
    report.latency_max = count({performance, overall, "Worst-caseLatency"});
    report.interval_min = count({performance, overall, "Interval-min"});
    report.interval_max = count({performance, overall, "Interval-max"});
    report.pipeline = trimmed(element({performance, "PipelineType"}).text().get());
    const auto counts = [&](const char* list) {
        const auto either = [&](const char* name, const char* other) { return element({"AreaEstimates", list, name}) ? count({"AreaEstimates", list, name}) : count({"AreaEstimates", list, other}); };
        return PrimitiveCounts{.bram18 = count({"AreaEstimates", list, "BRAM_18K"}), .dsp = either("DSP", "DSP48E"), .ff = count({"AreaEstimates", list, "FF"}),
                               .lut = count({"AreaEstimates", list, "LUT"}), .uram = count({"AreaEstimates", list, "URAM"})};
    };
    report.used = counts("Resources");
    report.available = counts("AvailableResources");
    return report;
}

}  // namespace prelude::experiments
