// SPDX-License-Identifier: Apache-2.0
#include "experiments/hls/report_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "experiments/output/text_table.hpp"

namespace prelude::experiments {

namespace {

constexpr std::string_view kClock = "clock_estimated_ns";

void judge(TermCheck& check, const sim::Estimate* figure, const Tolerance& tolerance) {
    check.tolerance = to_text(tolerance);
    if (figure != nullptr) {
        const double slack = std::max(tolerance.relative * figure->value, tolerance.absolute);
        check.expected = figure->value, check.low = figure->low, check.high = figure->high;
        check.allowed_high = std::max(figure->value + slack, tolerance.band ? figure->high : 0.0);
        if (check.term != kClock) check.allowed_low = std::min(figure->value - slack, tolerance.band ? figure->low : figure->value);
    }
    if (!check.expected || !check.actual) return;
    // Figures are sums of products: the last bits of a bound are not worth a verdict.
    const double grain = 1e-9 * std::abs(*check.allowed_high);
    const bool within = *check.actual <= *check.allowed_high + grain && (!check.allowed_low || *check.actual >= *check.allowed_low - grain);
    check.verdict = within ? Verdict::pass : Verdict::fail;
}

void add_notes(const NamedReport& named, const Expected& expected, std::vector<std::string>& notes) {
    const auto& report = named.report;
    if (!may_be_of_part(report, expected.part))
        notes.push_back(fmt::format("{}: of part {}; expected is a build for {}", named.file, report.part, expected.part));
    if (report.clock_target_ns && std::abs(*report.clock_target_ns - expected.clock_target_ns) > 0.01 * expected.clock_target_ns)
        notes.push_back(fmt::format("{}: for a clock of {:.3f} ns; expected is one of {:.3f} ns", named.file, *report.clock_target_ns,
                                    expected.clock_target_ns));
    if (report.kind == ReportKind::utilization && report.status == "synthesized")
        notes.push_back(fmt::format("{}: of a synthesized design; expected LUT and FF are those of a placed one", named.file));
}

std::string number_text(const std::optional<double>& value) {
    if (!value) return "unknown";
    constexpr double kWhole = 1000;  ///< from here on decimals say nothing
    return std::abs(*value) >= kWhole || std::abs(*value - std::round(*value)) < 1e-6 ? fmt::format("{:.0f}", *value)
                                                                                      : fmt::format("{:.4g}", *value);
}

nlohmann::ordered_json number_json(const std::optional<double>& value) {
    return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
}

}  // namespace

std::string_view name_of(Verdict verdict) noexcept {
    constexpr std::array<std::string_view, 3> kNames{"pass", "fail", "unknown"};
    return kNames[static_cast<std::size_t>(verdict)];
}

std::optional<double> TermCheck::residual() const {
    return expected && actual ? std::optional(*actual - *expected) : std::nullopt;
}

std::optional<double> TermCheck::residual_pct() const {
    return expected && actual && *expected != 0 ? std::optional(100 * (*actual - *expected) / *expected) : std::nullopt;
}

bool ReportCheck::passed() const noexcept {
    return std::ranges::all_of(terms, &TermCheck::acceptable);
}

ReportCheck check_reports(const Expected& expected, std::span<const NamedReport> reports, const Tolerances& tolerances) {
    const sim::Estimate target{.value = expected.clock_target_ns, .low = expected.clock_target_ns, .high = expected.clock_target_ns};
    ReportCheck result;
    for (const auto& named : reports) {
        const auto kind = named.report.kind;
        add_notes(named, expected, result.notes);
        const auto begin = [&](std::string_view term, std::string_view unit) -> TermCheck& {
            auto& check = result.terms.emplace_back();
            check.file = named.file, check.kind = kind, check.term = term, check.unit = unit;
            check.may_be_unknown = tolerances.unknown.contains(term);
            return check;
        };
        for (const auto& term : terms_of(kind)) {
            auto& check = begin(term.name, term.unit);
            check.actual = term.read(named.report);
            judge(check, term.name == kClock ? &target : find_figure(expected, term.name), tolerances.of(term.name));
        }
        if (const auto wanted = wanted_status(kind); !wanted.empty()) {
            auto& check = begin("status", "");
            check.expected_status = wanted, check.actual_status = named.report.status;
            check.tolerance = "none";
            if (!check.actual_status.empty()) check.verdict = check.actual_status == wanted ? Verdict::pass : Verdict::fail;
        }
    }
    return result;
}

std::string print_check(const ReportCheck& check, std::string_view indent) {
    TextTable table({{"report", false},
                     {"term", false},
                     {"expected"},
                     {"band"},
                     {"actual"},
                     {"off"},
                     {"off %"},
                     {"tolerance", false},
                     {"verdict", false}});
    std::array<int, 3> counts{};
    int accepted = 0;
    for (const auto& term : check.terms) {
        ++counts[static_cast<std::size_t>(term.verdict)];
        const bool waived = term.verdict == Verdict::unknown && term.may_be_unknown;
        accepted += waived;
        const bool status = !term.expected_status.empty();
        const auto residual = term.residual(), percent = term.residual_pct();
        table.add({std::string(name_of(term.kind)), term.term, status ? term.expected_status : number_text(term.expected),
                   term.low ? number_text(term.low) + ".." + number_text(term.high) : "",
                   status ? (term.actual_status.empty() ? "unknown" : term.actual_status) : number_text(term.actual),
                   residual ? number_text(residual) : "", percent ? fmt::format("{:+.1f}", *percent) : "", term.tolerance,
                   std::string(name_of(term.verdict)) + (waived ? " (accepted)" : "")});
    }
    auto text = table.print(indent);
    for (const auto& note : check.notes) text += fmt::format("{}note: {}\n", indent, note);
    const auto waived = accepted ? fmt::format(", {} of these accepted", accepted) : "";
    return text + fmt::format("{}{} pass, {} fail, {} unknown{}\n", indent, counts[0], counts[1], counts[2], waived);
}

nlohmann::ordered_json to_json(const ReportCheck& check) {
    nlohmann::ordered_json result{{"passed", check.passed()}, {"terms", nlohmann::ordered_json::array()}, {"notes", check.notes}};
    for (const auto& term : check.terms) {
        nlohmann::ordered_json entry{{"file", term.file}, {"report", name_of(term.kind)}, {"term", term.term}};
        if (term.expected_status.empty()) {
            entry["unit"] = term.unit;
            entry["expected"] = number_json(term.expected);
            entry["low"] = number_json(term.low);
            entry["high"] = number_json(term.high);
            entry["actual"] = number_json(term.actual);
            entry["residual"] = number_json(term.residual());
            entry["residual_pct"] = number_json(term.residual_pct());
            entry["allowed_low"] = number_json(term.allowed_low);
            entry["allowed_high"] = number_json(term.allowed_high);
        } else {
            entry["expected"] = term.expected_status;
            entry["actual"] = term.actual_status.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(term.actual_status);
        }
        entry["tolerance"] = term.tolerance;
        entry["verdict"] = name_of(term.verdict);
        entry["unknown_accepted"] = term.verdict == Verdict::unknown && term.may_be_unknown;
        result["terms"].push_back(std::move(entry));
    }
    return result;
}

}  // namespace prelude::experiments
