// SPDX-License-Identifier: Apache-2.0
// Reports against expectations and earlier builds: what passes, what fails, and that nothing unknown ever passes.
#include <catch2/catch.hpp>

#include "experiments/hls/baseline.hpp"
#include "experiments/hls/report_check.hpp"
#include "models/error.hpp"
#include "tests/paths.hpp"
#include "tests/support/program.hpp"

using namespace prelude;
using namespace prelude::experiments;
using Catch::Contains;

namespace {

constexpr auto kReports = PRELUDE_SOURCE_DIR "/tests/data/reports/";

NamedReport sample(const std::string& name) {
    return {name, read_tool_report(std::filesystem::path(kReports + name))};
}

sim::Estimate band(double value, double low, double high) {
    return {.value = value, .low = low, .high = high, .status = sim::Provenance::published};
}

/// What the samples were made from, more or less.
Expected expected_of_samples() {
    Expected expected;
    expected.design = "samples", expected.device = "zcu102", expected.part = "xczu9eg-ffvb1156-2-e";
    expected.clock_target_ns = 5;
    expected.latency_min = expected.latency_max = expected.interval_min = expected.interval_max = band(800, 800, 904);
    expected.lut = band(1300, 1100, 1500), expected.ff = band(2100, 2000, 2200);
    expected.lut_csynth = band(2400, 1700, 3700), expected.ff_csynth = band(3000, 2100, 6000);
    expected.dsp = band(36, 36, 36), expected.bram18 = band(4, 4, 6), expected.uram = band(0, 0, 0);
    expected.static_w = band(0.7, 0.6, 0.8), expected.dynamic_w = band(0.3, 0.2, 0.4), expected.total_w = band(1.0, 0.8, 1.2);
    return expected;
}

const TermCheck& term(const ReportCheck& check, std::string_view name) {
    const auto found = std::ranges::find(check.terms, name, &TermCheck::term);
    REQUIRE(found != check.terms.end());
    return *found;
}

ReportCheck check_of(const std::vector<std::string>& names, const Tolerances& tolerances = default_tolerances(),
                     const Expected& expected = expected_of_samples()) {
    std::vector<NamedReport> reports;
    for (const auto& name : names) reports.push_back(sample(name));
    return check_reports(expected, reports, tolerances);
}

Tolerances tolerances_of(const std::string& text) {
    const testing::TemporaryFolder folder;
    testing::write_file(folder / "t.yaml", text);
    return read_tolerances(folder / "t.yaml");
}

std::string refusal(const std::string& text) {
    try {
        (void)tolerances_of(text);
    } catch (const ConfigError& error) {
        return error.what();
    }
    return {};
}

Baseline baseline(std::map<std::string, double, std::less<>> terms) {
    return {.design = "d", .terms = std::move(terms)};
}

}  // namespace

TEST_CASE("Every kind of report is held against its own terms") {
    const auto names = [](const std::string& file) {
        std::vector<std::string> found;
        for (const auto& check : check_of({file}).terms) found.push_back(check.term);
        return found;
    };
    using Names = std::vector<std::string>;
    CHECK(names("csynth.rpt") == Names{"latency_min", "latency_max", "interval_min", "interval_max", "clock_estimated_ns", "lut_csynth",
                                       "ff_csynth", "dsp", "bram18", "uram"});
    CHECK(names("top_cosim.rpt") == Names{"latency_min", "latency_max", "interval_min", "interval_max", "status"});
    CHECK(names("top_export.rpt") == Names{"clock_estimated_ns", "lut", "ff", "dsp", "bram18", "uram", "status"});
    CHECK(names("top_utilization_placed.rpt") == Names{"lut", "ff", "dsp", "bram18", "uram"});
    CHECK(names("top_power_routed.rpt") == Names{"total_w", "dynamic_w", "static_w"});
    CHECK(names("top_timing_summary_routed.rpt") == Names{"clock_estimated_ns", "status"});
}

TEST_CASE("What is within the bands passes, with how far it is off") {
    const auto check = check_of({"top_cosim.rpt", "top_utilization_placed.rpt", "top_power_routed.rpt", "top_timing_summary_routed.rpt"});
    for (const auto& entry : check.terms) {
        INFO(entry.term);
        CHECK(entry.verdict == Verdict::pass);
    }
    CHECK(check.passed());
    CHECK(check.notes.empty());
    const auto& lut = term(check, "lut");
    CHECK(*lut.expected == 1300);
    CHECK(*lut.actual == 1320);
    CHECK(*lut.residual() == 20);
    CHECK(*lut.residual_pct() == Approx(100 * 20 / 1300.0));
    CHECK(*lut.allowed_low == 1100);
    CHECK(*lut.allowed_high == 1500);
    CHECK_FALSE(term(check, "uram").residual_pct().has_value());  // of nothing
    CHECK_THAT(print_check(check, ""), Contains("15 pass, 0 fail, 0 unknown"));
}

TEST_CASE("A term outside of its tolerance fails, on either side, at the bound it passes") {
    auto expected = expected_of_samples();
    const auto verdict = [&](double value, double low, double high) {
        expected.lut = band(value, low, high);
        return term(check_of({"top_utilization_placed.rpt"}, default_tolerances(), expected), "lut").verdict;  // 1320
    };
    CHECK(verdict(1300, 1200, 1320) == Verdict::pass);
    CHECK(verdict(1300, 1200, 1319) == Verdict::fail);
    CHECK(verdict(1400, 1320, 1500) == Verdict::pass);
    CHECK(verdict(1400, 1321, 1500) == Verdict::fail);
    expected.lut = band(1000, 1000, 1000);
    const auto with = [&](const std::string& tolerance) {
        return term(check_of({"top_utilization_placed.rpt"}, tolerances_of("terms: {lut: " + tolerance + "}\n"), expected), "lut").verdict;
    };
    CHECK(with("{relative: 0.32}") == Verdict::pass);
    CHECK(with("{relative: 0.31}") == Verdict::fail);
    CHECK(with("{absolute: 320}") == Verdict::pass);
    CHECK(with("{absolute: 319}") == Verdict::fail);
    CHECK(with("{relative: 0.31, absolute: 320}") == Verdict::pass);  // the larger
    expected.lut = band(1000, 500, 2000);
    CHECK(with("{relative: 0.1}") == Verdict::fail);  // a term that is named forgets its band
    CHECK(with("{relative: 0.1, band: true}") == Verdict::pass);
}

TEST_CASE("A clock is met or not: no share of it is given away, and a faster one passes") {
    auto expected = expected_of_samples();
    const auto verdict = [&](double target) {
        expected.clock_target_ns = target;
        return term(check_of({"top_timing_summary_routed.rpt"}, default_tolerances(), expected), "clock_estimated_ns").verdict;  // 4.811 ns
    };
    CHECK(verdict(5) == Verdict::pass);
    CHECK(verdict(10) == Verdict::pass);
    CHECK(verdict(4.8) == Verdict::fail);
}

TEST_CASE("What a report or the model does not know is unknown and never a pass") {
    const auto check = check_of({"top_csynth.rpt"});  // its latency_max is unknown
    CHECK(term(check, "latency_max").verdict == Verdict::unknown);
    CHECK(term(check, "latency_min").verdict == Verdict::pass);
    CHECK_FALSE(check.passed());
    CHECK_THAT(print_check(check, ""), Contains("2 unknown"));
    const auto accepted = check_of({"top_csynth.rpt"}, tolerances_of("unknown: [latency_max, interval_max]\n"));
    CHECK(term(accepted, "latency_max").verdict == Verdict::unknown);
    CHECK(accepted.passed());
    CHECK_THAT(print_check(accepted, ""), Contains("unknown (accepted)"));
    CHECK_THAT(print_check(accepted, ""), Contains("2 unknown, 2 of these accepted"));
    // No tolerance, however wide, makes a pass of an unknown; every term of every kind of report, all unknown.
    auto wide = default_tolerances();
    for (auto& [name, tolerance] : wide.terms) tolerance = {.relative = 100, .absolute = 1e15, .band = true};
    for (const auto kind :
         {ReportKind::csynth, ReportKind::cosim, ReportKind::export_rtl, ReportKind::utilization, ReportKind::power, ReportKind::timing}) {
        const NamedReport empty{"r.rpt", {.kind = kind}};
        const auto nothing = check_reports(expected_of_samples(), std::span(&empty, 1), wide);
        CHECK_FALSE(nothing.passed());
        for (const auto& entry : nothing.terms) CHECK(entry.verdict == Verdict::unknown);
    }
    Expected blank;  // an infeasible part has no figures
    blank.clock_target_ns = 5, blank.part = "xczu9eg-ffvb1156-2-e";
    for (const auto& entry : check_of({"top_utilization_placed.rpt", "top_power_routed.rpt"}, wide, blank).terms)
        CHECK(entry.verdict == Verdict::unknown);
    const auto json = to_json(check);
    CHECK(json.at("passed") == false);
    CHECK(json.at("terms").at(1).at("actual").is_null());
    CHECK(json.at("terms").at(1).at("verdict") == "unknown");
}

TEST_CASE("A status that is not the wanted one fails") {
    auto cosim = sample("top_cosim.rpt"), timing = sample("top_timing_summary_routed.rpt");
    cosim.report.status = "fail", timing.report.status = "not met";
    const std::vector reports{cosim, timing};
    const auto check = check_reports(expected_of_samples(), reports, default_tolerances());
    int failed = 0;
    for (const auto& entry : check.terms) failed += entry.term == "status" && entry.verdict == Verdict::fail;
    CHECK(failed == 2);
    CHECK_FALSE(check.passed());
}

TEST_CASE("Another device, another clock and a design before placement are pointed out") {
    auto expected = expected_of_samples();
    CHECK(check_of({"top_csynth.xml"}).notes.size() == 2);  // a Zynq-7020 at 10 ns
    expected.part = "XCZU9EG";
    CHECK(check_of({"top_utilization_placed.rpt"}, default_tolerances(), expected).notes.empty());
    auto synthesized = sample("top_utilization_placed.rpt");
    synthesized.report.status = "synthesized";
    CHECK_THAT(check_reports(expected, std::span(&synthesized, 1), default_tolerances()).notes.front(), Contains("synthesized"));
}

TEST_CASE("Tolerances replace defaults term by term, and a broken file is refused with every problem") {
    const auto tolerances = tolerances_of(
        "terms: {latency_max: {relative: 0.1}, lut: {relative: 0.25, absolute: 200}}\nunknown: [latency_min, status]\nregression: "
        "{default: 0.01, lut: 0.05}\n");
    CHECK(tolerances.of("latency_max") == Tolerance{.relative = 0.1});
    CHECK(tolerances.of("lut") == Tolerance{.relative = 0.25, .absolute = 200});
    CHECK(tolerances.of("ff") == default_tolerances().of("ff"));
    CHECK(tolerances.unknown.size() == 2);
    CHECK(tolerances.regression_of("lut") == 0.05);
    CHECK(tolerances.regression_of("ff") == 0.01);
    CHECK(default_tolerances().regression_of("ff") == 0.02);
    const auto text = refusal(
        "terms: {luts: {relative: 0.1}, ff: {relative: -1, absolut: 3}, dsp: 4, status: {relative: 1}}\nunknown: [everything, "
        "[a]]\nregression: {lut: many}\nextra: 1\n");
    for (const auto* part : {"t.yaml:1:9: terms: luts is no term. Did you mean 'lut'?", "terms.ff.relative: got -1",
                             "terms.ff.absolut: unknown key. Did you mean 'absolute'?", "terms.dsp: got 4", "terms: status is no term",
                             "t.yaml:2:11: unknown: everything is no term", "unknown: got a list", "t.yaml:3:19: regression.lut: got many",
                             "extra: unknown key", "9 errors"})
        CHECK_THAT(text, Contains(part));
    CHECK_THAT(refusal("terms: [a]\nunknown: 3\n"), Contains("terms: got a list") && Contains("unknown: got 3"));
    CHECK_THAT(refusal("terms: {lut: {relative: .nan}}\n"), Contains("terms.lut.relative"));
    CHECK_THROWS_AS(read_tolerances("/nowhere/t.yaml"), ConfigError);
}

TEST_CASE("Growth over an earlier build beyond the tolerance fails, and is told in percent") {
    const auto before = baseline({{"cosim.latency_max", 1000}, {"utilization.lut", 500}, {"utilization.ff", 700}, {"power.total_w", 1}});
    const auto now = baseline({{"cosim.latency_max", 1030}, {"utilization.lut", 560}, {"utilization.ff", 600}, {"power.total_w", 1}});
    const auto regression = compare(before, now, default_tolerances());
    CHECK_FALSE(regression.passed());
    CHECK(regression.summary() == "latency +3.0 %, FF -14.3 %, LUT +12.0 %");
    const auto verdict = [&](std::string_view key) { return std::ranges::find(regression.changes, key, &Change::term)->verdict; };
    CHECK(verdict("cosim.latency_max") == Verdict::fail);
    CHECK(verdict("utilization.lut") == Verdict::fail);
    CHECK(verdict("utilization.ff") == Verdict::pass);
    CHECK(verdict("power.total_w") == Verdict::pass);
    CHECK(compare(before, now, tolerances_of("regression: {default: 0.03, lut: 0.12}\n")).passed());
    CHECK_FALSE(compare(before, now, tolerances_of("regression: {default: 0.03, lut: 0.119}\n")).passed());
    CHECK_THAT(print_regression(regression, "  "), Contains("+12.0 %") && Contains("fail"));
    CHECK(compare(before, before, default_tolerances()).summary().empty());
    CHECK_THAT(print_regression(compare(before, before, default_tolerances()), ""), Contains("nothing changed"));
    const auto from_nothing = compare(baseline({{"utilization.uram", 0}}), baseline({{"utilization.uram", 2}}), default_tolerances());
    CHECK_FALSE(from_nothing.passed());
    CHECK(from_nothing.summary() == "URAM: 0 -> 2");
    const auto both = baseline({{"csynth.latency_max", 10}, {"cosim.latency_max", 10}}),
               later = baseline({{"csynth.latency_max", 11}, {"cosim.latency_max", 10}});
    CHECK(compare(both, later, default_tolerances()).summary() == "latency of csynth +10.0 %");
}

TEST_CASE("A term that is no longer known fails, a new one is named") {
    const auto before = baseline({{"utilization.lut", 500}, {"csynth.dsp", 3}}),
               now = baseline({{"utilization.lut", 500}, {"power.total_w", 1}});
    const auto regression = compare(before, now, default_tolerances());
    CHECK_FALSE(regression.passed());
    CHECK(regression.summary() == "DSP: no longer known, power: new");
    CHECK(compare(baseline({{"utilization.lut", 500}}), now, default_tolerances()).passed());
    CHECK(to_json(regression).at("terms").at(0).at("now").is_null());
}

TEST_CASE("A baseline holds what all reports of a build know, and is read back as written") {
    const std::vector reports{sample("top_csynth.rpt"), sample("top_cosim.rpt"), sample("top_utilization_placed.rpt"),
                              sample("top_power_routed.rpt")};
    const auto found = measured(reports, "d");
    CHECK(found.terms.at("utilization.lut") == 1320);
    CHECK(found.terms.at("csynth.lut_csynth") == 2036);
    CHECK(found.terms.at("cosim.latency_max") == 816);
    CHECK(found.terms.count("csynth.latency_max") == 0);
    CHECK(baseline_of(to_json(found).dump(), "b.json") == found);
    CHECK_THROWS_WITH(measured(std::vector{sample("top_csynth.rpt"), sample("top_csynth.xml")}, "d"),
                      Contains("csynth.lut_csynth is 2036 in top_csynth.rpt and 811 in top_csynth.xml"));
    CHECK_THROWS_WITH(
        baseline_of(R"({"format": "prelude.baseline/1", "terms": {"utilization.lut": -1, "utilization.luts": 3, "power.total_w": null}})",
                    "b.json"),
        Contains("b.json: design: missing") && Contains("terms.utilization.lut: got -1") && Contains("terms.utilization.luts: got 3") &&
            Contains("terms.power.total_w: got null"));
    CHECK_THROWS_WITH(baseline_of(R"({"format": "prelude.baseline/1", "design": "d", "terms": [1]})", "b.json"),
                      Contains("terms: got a list"));
    CHECK_THROWS_WITH(baseline_of(R"({"format": "prelude.baseline/1"})", "b.json"), Contains("terms: missing"));
}
