// SPDX-License-Identifier: Apache-2.0
#include "experiments/hls/tool_report.hpp"

#include <fmt/format.h>

#include <array>
#include <fstream>

#include "experiments/hls/report_formats.hpp"
#include "models/error.hpp"

namespace prelude::experiments {

namespace {

constexpr std::uintmax_t kMaxBytes = 256'000'000;

std::string content_of(const std::filesystem::path& file) {
    if (!std::filesystem::is_regular_file(file)) throw models::InputError(fmt::format("{}: no such file", file.string()));
    if (const auto size = std::filesystem::file_size(file); size > kMaxBytes)
        throw models::InputError(fmt::format("{}: {} bytes; reports of up to {} are read", file.string(), size, kMaxBytes));
    std::ifstream in(file, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(in), {}};
    if (!in.good() && !in.eof()) throw models::InputError(fmt::format("{}: cannot be read", file.string()));
    return text;
}

}  // namespace

std::string_view name_of(ReportKind kind) noexcept {
    constexpr std::array<std::string_view, 6> kNames{"csynth", "cosim", "export", "utilization", "power", "timing"};
    return kNames[static_cast<std::size_t>(kind)];
}

ToolReport read_tool_report(std::string_view content, const std::string& name) {
    const auto first = content.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) throw models::InputError(fmt::format("{}:1: the file is empty", name));
    if (content[first] == '<') return read_csynth_xml(content, name);
    const ReportText text(content, name);
    if (const auto line = text.find("== Design Size Report")) text.refuse(*line, "a report of design sizes has neither latency nor resources; csynth reports have");
    if (text.find("== Synthesis Summary Report of")) return read_csynth_summary(text);
    if (text.find("HLS Report for")) return read_csynth_text(text);
    if (text.find("Simulation tool")) return read_cosim(text);
    if (text.find("Implementation tool:") && text.find("Resource usage")) return read_export(text);
    const auto command = text.value_of("Command");
    if (command.starts_with("report_utilization") || command.starts_with("report_accelerator_utilization")) return read_utilization(text);
    if (command.starts_with("report_power")) return read_power(text);
    if (command.starts_with("report_timing_summary")) return read_timing(text);
    text.refuse(0, "no report of Vivado HLS, Vitis HLS or Vivado; known are csynth (.rpt, .xml), its summary, cosim, export, report_utilization, "
                   "report_accelerator_utilization, report_power and report_timing_summary");
}

ToolReport read_tool_report(const std::filesystem::path& file) { return read_tool_report(content_of(file), file.string()); }

nlohmann::ordered_json to_json(const ToolReport& report) {
    nlohmann::ordered_json json;
    const auto text = [&](const char* key, const std::string& value) { json[key] = value.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(value); };
    const auto number = [&](const char* key, const auto& value) { json[key] = value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(); };
    text("tool", report.tool);
    text("version", report.version);
    json["kind"] = name_of(report.kind);
    text("top", report.top);
    text("part", report.part);
    number("clock_target_ns", report.clock_target_ns);
    number("clock_estimated_ns", report.clock_estimated_ns);
    number("latency_min", report.latency_min);
    number("latency_max", report.latency_max);
    number("interval_min", report.interval_min);
    number("interval_max", report.interval_max);
    text("pipeline", report.pipeline);
    for (const auto& [suffix, counts] : {std::pair{std::string{}, report.used}, {std::string("_available"), report.available}}) {
        number(("bram18" + suffix).c_str(), counts.bram18);
        number(("dsp" + suffix).c_str(), counts.dsp);
        number(("ff" + suffix).c_str(), counts.ff);
        number(("lut" + suffix).c_str(), counts.lut);
        number(("uram" + suffix).c_str(), counts.uram);
    }
    text("status", report.status);
    number("total_w", report.total_w);
    number("dynamic_w", report.dynamic_w);
    number("static_w", report.static_w);
    return json;
}

}  // namespace prelude::experiments
