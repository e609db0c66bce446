// SPDX-License-Identifier: Apache-2.0
// Utilization, power and timing as Vivado reports them.
#include <fmt/format.h>

#include <algorithm>

#include "experiments/hls/report_formats.hpp"

namespace prelude::experiments {

namespace {

/// The box above every report of Vivado.
ToolReport headed(const ReportText& text, ReportKind kind) {
    ToolReport report{.kind = kind, .tool = "Vivado"};
    const auto tool = text.value_of("Tool Version");
    if (const auto at = tool.find("v."); at != std::string_view::npos) report.version = tool.substr(at + 2, tool.find(' ', at) - at - 2);
    report.top = text.value_of("Design");
    report.part = text.value_of("Device");
    if (!report.part.empty() && report.part.front() >= '0' && report.part.front() <= '9') report.part.insert(0, "xc");  // of some versions
    const auto state = text.value_of("Design State");
    if (state.find("Placed") != std::string_view::npos) report.status = "placed";
    else if (state.find("outed") != std::string_view::npos) report.status = "routed";
    else if (state.find("Synthesized") != std::string_view::npos) report.status = "synthesized";
    return report;
}

/// Rows of all tables whose first column is the type of a site.
struct Sites {
    const ReportText& text;
    std::vector<ReportTable> tables;

    [[nodiscard]] std::optional<std::int64_t> at(std::string_view title, std::initializer_list<std::string_view> names, int halves) const {
        for (const auto& table : tables) {
            const auto column = table.column({title});
            if (!column) continue;
            for (const auto name : names) {
                const auto* row = table.row(name);
                if (row && *column < row->cells.size()) return text.count(row->cells[*column], row->line, halves);
            }
        }
        return std::nullopt;
    }
    [[nodiscard]] PrimitiveCounts counts(std::string_view title) const {
        const auto whole = [&](std::initializer_list<std::string_view> names, int halves = 1) { return at(title, names, halves); };
        return {.bram18 = whole({"Block RAM Tile"}, 2), .dsp = whole({"DSPs", "DSP Slices"}), .ff = whole({"CLB Registers", "Slice Registers", "Registers"}),
                .lut = whole({"CLB LUTs", "Slice LUTs"}), .uram = whole({"URAM"})};
    }
};

ToolReport kernel_utilization(const ReportText& text, ToolReport report) {
    constexpr std::string_view kChapter = "1. System Utilization";  // a line of the contents first
    const auto table = text.table(text.expect(kChapter, text.expect(kChapter) + 1));
    const auto counts = [&](std::string_view name) -> PrimitiveCounts {
        const auto* row = table.row(name);
        if (!row) text.refuse(table.line, fmt::format("the table has no row \"{}\"", name));
        const auto at = [&](std::string_view title, int halves = 1) -> std::optional<std::int64_t> {
            const auto column = table.column({title});
            return column && *column < row->cells.size() ? text.count(row->cells[*column], row->line, halves) : std::nullopt;
        };
        return {.bram18 = at("BRAM", 2), .dsp = at("DSP"), .ff = at("REG"), .lut = at("LUT"), .uram = at("URAM")};
    };
    report.used = counts("Used Resources");
    report.available = counts("User Budget");
    return report;
}

}  // namespace

ToolReport read_utilization(const ReportText& text) {
    auto report = headed(text, ReportKind::utilization);
    if (text.value_of("Command").starts_with("report_accelerator_utilization")) return kernel_utilization(text, std::move(report));
    Sites sites{.text = text, .tables = {}};
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (!trimmed(text.line(i)).starts_with("+-")) continue;
        sites.tables.push_back(text.table(i));
        i = sites.tables.back().end;
    }
    report.used = sites.counts("Used");
    report.available = sites.counts("Available");
    if (!report.used.lut) text.refuse(text.size() - 1, "the report has no row CLB LUTs or Slice LUTs");
    return report;
}

ToolReport read_power(const ReportText& text) {
    auto report = headed(text, ReportKind::power);
    const auto watts = [&](std::string_view name) {
        const auto line = text.expect(name);
        const auto row = text.line(line);
        const auto bar = row.find('|', row.find(name));
        if (bar == std::string_view::npos) text.refuse(line, fmt::format("a value is expected behind \"{}\"", name));
        const auto cell = row.substr(bar + 1);
        return text.number(cell.substr(0, cell.find('|')), line);
    };
    report.total_w = watts("Total On-Chip Power (W)");
    report.dynamic_w = watts("Dynamic (W)");
    report.static_w = watts("Device Static (W)");
    return report;
}

ToolReport read_timing(const ReportText& text) {
    auto report = headed(text, ReportKind::timing);
    const auto clocks = text.expect("| Clock Summary");
    for (auto i = clocks + 1; i < text.size(); ++i) {  // Clock  Waveform(ns)  Period(ns)  Frequency(MHz), below a rule of dashes
        const auto line = trimmed(text.line(i));
        if (!line.starts_with("-----") || line.find(' ') == std::string_view::npos || i + 1 == text.size()) continue;
        const auto row = text.line(i + 1);
        const auto wave = row.find('}');
        if (wave == std::string_view::npos) break;
        const auto rest = trimmed(row.substr(wave + 1));
        report.clock_target_ns = text.number(rest.substr(0, rest.find(' ')), i + 1);
        break;
    }
    const auto summary = text.expect("| Design Timing Summary");
    for (auto i = summary + 1; i + 2 < text.size(); ++i) {
        if (trimmed(text.line(i)).find("WNS(ns)") == std::string_view::npos) continue;
        auto first = trimmed(text.line(i + 2));
        first = first.substr(0, first.find(' '));
        const bool late = first.starts_with('-');
        const auto slack = text.number(late ? first.substr(1) : first, i + 2);
        if (slack) report.status = late ? "not met" : "met";
        if (slack && report.clock_target_ns) report.clock_estimated_ns = *report.clock_target_ns + (late ? *slack : -*slack);
        return report;
    }
    text.refuse(summary, "a worst negative slack (WNS) is expected behind this line");
}

}  // namespace prelude::experiments
