// SPDX-License-Identifier: Apache-2.0
// What HLS tools report of a co-simulation and of an implementation they ran.
#include <fmt/format.h>

#include "experiments/hls/report_formats.hpp"

namespace prelude::experiments {

ToolReport read_cosim(const ReportText& text) {
    ToolReport report{.kind = ReportKind::cosim};
    const auto table = text.table(text.expect("Simulation tool"));
    constexpr std::size_t kLatency = 2, kInterval = 5, kCells = 8;  // language, status, min avg max, min avg max (, total)
    bool known = false;
    for (const auto& row : table.rows) {
        if (row.cells.size() < kCells || is_unknown(row.cells[1]) || (row.cells[0] != "VHDL" && row.cells[0] != "Verilog" && row.cells[0] != "SystemC")) continue;
        const auto status = row.cells[1];
        if (status != "Pass" && status != "Fail") text.refuse(row.line, fmt::format("status \"{}\"; Pass, Fail and NA are known", status.substr(0, 40)));
        if (known && (report.status == "fail" || status == "Pass")) continue;
        known = true;
        report.status = status == "Pass" ? "pass" : "fail";
        report.latency_min = text.count(row.cells[kLatency], row.line);
        report.latency_max = text.count(row.cells[kLatency + 2], row.line);
        report.interval_min = text.count(row.cells[kInterval], row.line);
        report.interval_max = text.count(row.cells[kInterval + 2], row.line);
    }
    if (!known) text.refuse(table.line, "no language of the co-simulation has the status Pass or Fail");
    return report;
}

ToolReport read_export(const ReportText& text) {
    ToolReport report{.kind = ReportKind::export_rtl, .tool = "Vivado"};
    const auto implementation = text.value_of("Implementation tool");
    if (const auto at = implementation.find("v."); at != std::string_view::npos) report.version = implementation.substr(at + 2, implementation.find(' ', at) - at - 2);
    report.part = text.value_of("Device target");
    const auto resources = text.expect("Resource usage");
    const auto count = [&](std::string_view key) {
        const auto found = text.entry(key);
        return text.count(found.value, found.line);
    };
    report.used = {.bram18 = count("BRAM"), .dsp = count("DSP"), .ff = count("FF"), .lut = count("LUT"), .uram = count("URAM")};
    const auto timing = text.expect("Final timing", resources);
    const auto time = [&](std::initializer_list<std::string_view> keys) -> std::optional<double> {
        for (const auto key : keys) {
            const auto found = text.entry(key);
            if (const auto value = text.number(found.value, found.line, "ns")) return value;
        }
        return std::nullopt;
    };
    report.clock_target_ns = time({"CP required"});
    report.clock_estimated_ns = time({"CP achieved post-implementation", "CP achieved post-implemetation", "CP achieved post-synthesis"});
    if (text.find("Timing not met", timing)) report.status = "not met";
    else if (text.find("Timing met", timing)) report.status = "met";
    return report;
}

}  // namespace prelude::experiments
