// SPDX-License-Identifier: Apache-2.0
#include "experiments/hls/report_terms.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace prelude::experiments {

namespace {

using Number = std::optional<double>;
template <class T>
Number number(const std::optional<T>& value) {
    return value ? Number(static_cast<double>(*value)) : std::nullopt;
}

constexpr ReportTerm kLatencyMin{"latency_min", "least latency", "cycles", [](const ToolReport& r) { return number(r.latency_min); }};
constexpr ReportTerm kLatencyMax{"latency_max", "latency", "cycles", [](const ToolReport& r) { return number(r.latency_max); }};
constexpr ReportTerm kIntervalMin{"interval_min", "least interval", "cycles", [](const ToolReport& r) { return number(r.interval_min); }};
constexpr ReportTerm kIntervalMax{"interval_max", "interval", "cycles", [](const ToolReport& r) { return number(r.interval_max); }};
constexpr ReportTerm kClock{"clock_estimated_ns", "clock period", "ns", [](const ToolReport& r) { return r.clock_estimated_ns; }};
constexpr ReportTerm kLutCsynth{"lut_csynth", "LUT (csynth)", "LUT", [](const ToolReport& r) { return number(r.used.lut); }};
constexpr ReportTerm kFfCsynth{"ff_csynth", "FF (csynth)", "FF", [](const ToolReport& r) { return number(r.used.ff); }};
constexpr ReportTerm kLut{"lut", "LUT", "LUT", [](const ToolReport& r) { return number(r.used.lut); }};
constexpr ReportTerm kFf{"ff", "FF", "FF", [](const ToolReport& r) { return number(r.used.ff); }};
constexpr ReportTerm kDsp{"dsp", "DSP", "DSP", [](const ToolReport& r) { return number(r.used.dsp); }};
constexpr ReportTerm kBram18{"bram18", "BRAM18", "BRAM18", [](const ToolReport& r) { return number(r.used.bram18); }};
constexpr ReportTerm kUram{"uram", "URAM", "URAM", [](const ToolReport& r) { return number(r.used.uram); }};
constexpr ReportTerm kTotal{"total_w", "power", "W", [](const ToolReport& r) { return r.total_w; }};
constexpr ReportTerm kDynamic{"dynamic_w", "dynamic power", "W", [](const ToolReport& r) { return r.dynamic_w; }};
constexpr ReportTerm kStatic{"static_w", "static power", "W", [](const ToolReport& r) { return r.static_w; }};

constexpr std::array kCsynth{kLatencyMin, kLatencyMax, kIntervalMin, kIntervalMax, kClock, kLutCsynth, kFfCsynth, kDsp, kBram18, kUram};
constexpr std::array kCosim{kLatencyMin, kLatencyMax, kIntervalMin, kIntervalMax};
constexpr std::array kExport{kClock, kLut, kFf, kDsp, kBram18, kUram};
constexpr std::array kUtilization{kLut, kFf, kDsp, kBram18, kUram};
constexpr std::array kPower{kTotal, kDynamic, kStatic};
constexpr std::array kTiming{kClock};

/// The device of a part: "xczu9eg" of "XCZU9EG-ffvb1156-2-e".
std::string device_of(std::string_view part) {
    std::string device(part.substr(0, part.find('-')));
    std::ranges::transform(device, device.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return device;
}

}  // namespace

std::span<const ReportTerm> terms_of(ReportKind kind) {
    switch (kind) {
        case ReportKind::csynth: return kCsynth;
        case ReportKind::cosim: return kCosim;
        case ReportKind::export_rtl: return kExport;
        case ReportKind::utilization: return kUtilization;
        case ReportKind::power: return kPower;
        case ReportKind::timing: return kTiming;
    }
    return {};
}

std::string_view wanted_status(ReportKind kind) noexcept {
    if (kind == ReportKind::cosim) return "pass";
    return kind == ReportKind::timing || kind == ReportKind::export_rtl ? "met" : "";
}

bool may_be_of_part(const ToolReport& report, std::string_view part) {
    const auto reported = device_of(report.part), wanted = device_of(part);  // with or without the package: xc7z020clg400-1, xc7z020
    return reported.starts_with(wanted) || wanted.starts_with(reported);
}

const std::vector<std::string>& term_names() {
    static const std::vector<std::string> kNames = [] {
        std::vector<std::string> names;
        for (const auto kind : {ReportKind::csynth, ReportKind::cosim, ReportKind::export_rtl, ReportKind::utilization, ReportKind::power,
                                ReportKind::timing})
            for (const auto& term : terms_of(kind))
                if (std::ranges::find(names, term.name) == names.end()) names.emplace_back(term.name);
        names.emplace_back("status");
        return names;
    }();
    return kNames;
}

}  // namespace prelude::experiments
