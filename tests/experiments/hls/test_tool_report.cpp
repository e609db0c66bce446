// SPDX-License-Identifier: Apache-2.0
// Reports of synthesis tools: real ones against what they say, read by hand, small ones of every layout, broken ones.
#include "experiments/hls/tool_report.hpp"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>

#include "models/error.hpp"
#include "tests/paths.hpp"
#include "tests/support/csv_rows.hpp"

using namespace prelude::experiments;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

fs::path report_folder() {
    const char* given = std::getenv("PRELUDE_HLS_REPORTS");
    return given ? fs::path(given) : fs::path(PRELUDE_SOURCE_DIR).parent_path() / "shared" / "hls_reports";
}

ToolReport read(const std::string& text) { return read_tool_report(text, "r.rpt"); }

const std::string kHead = "================================================================\n== Vitis HLS Report for 'top'\n================================================================\n"
                          "* Version:        2023.1 (Build 1)\n* Target device:  xczu9eg-ffvb1156-2-e\n";

std::string csynth(const std::string& latency = "|  7|  9|  70 ns|  90 ns|  8|  10|  no|", const std::string& total = "|Total            |  902|  1452|  172584|  270827|  0|") {
    return kHead +
           "+ Timing: \n    * Summary: \n    +--------+---------+----------+------------+\n    |  Clock |  Target | Estimated| Uncertainty|\n    +--------+---------+----------+------------+\n"
           "    |ap_clk  |  10.00 ns|  7.674 ns|     2.70 ns|\n    +--------+---------+----------+------------+\n\n"
           "+ Latency: \n    * Summary: \n    +---+---+\n    |  Latency (cycles) |  Latency (absolute) |  Interval | Pipeline|\n    |   min   |   max   |    min   |    max   | min | max |   Type  |\n    +---+---+\n    " +
           latency +
           "\n    +---+---+\n\n== Utilization Estimates\n* Summary: \n+---+\n|       Name      | BRAM_18K| DSP |   FF   |  LUT  | URAM|\n+---+\n|DSP              |        -|    -|       -|      -|    -|\n+---+\n" +
           total + "\n+---+\n|Available        |      288|  1248|  234240|  117120|   64|\n+---+\n|Utilization (%)  |      313|   116|      73|    231|    0|\n+---+\n";
}

}  // namespace

TEST_CASE("Every real report says what was read from it by hand") {
    const auto folder = report_folder();
    const auto expected = prelude::testing::csv_rows(PRELUDE_SOURCE_DIR "/tests/data/hls_reports.csv");
    CHECK(expected.size() == 38);
    if (!fs::is_directory(folder)) {
        WARN("no reports at " << folder << ": skipped");
        return;
    }
    for (const auto& row : expected) {
        INFO(row.at("file"));
        const auto json = to_json(read_tool_report(folder / row.at("file")));
        for (const auto& [key, text] : row) {
            if (key == "file") continue;
            INFO(key);
            const auto& value = json.at(key);
            if (text.empty()) CHECK(value.is_null());
            else if (value.is_string()) CHECK(value.get<std::string>() == text);
            else CHECK((value.is_number() && value.get<double>() == Approx(std::stod(text))));
        }
    }
    CHECK_THROWS_WITH(read_tool_report(folder / "vitis2024.1_z7020_matmul_hls_csynth_design_size.rpt"), Contains("design_size.rpt:2: a report of design sizes"));
    CHECK_THROWS_AS(read_tool_report(folder / "vitis2022.2_cosim_cdatafile_autotvin_attn.dat"), prelude::models::InputError);
    CHECK_THROWS_AS(read_tool_report(folder / "index.md"), prelude::models::InputError);
}

TEST_CASE("A sample of every layout is read") {
    const auto sample = [](const char* name) { return read_tool_report(fs::path(PRELUDE_SOURCE_DIR "/tests/data/reports") / name); };
    const PrimitiveCounts synthesized{.bram18 = 4, .dsp = 36, .ff = 2520, .lut = 2036, .uram = 0}, placed{.bram18 = 5, .dsp = 36, .ff = 2104, .lut = 1320, .uram = 0};
    const auto csynth = sample("top_csynth.rpt"), summary = sample("csynth.rpt"), xml = sample("top_csynth.xml"), cosim = sample("top_cosim.rpt"), exported = sample("top_export.rpt"),
               utilization = sample("top_utilization_placed.rpt"), power = sample("top_power_routed.rpt"), timing = sample("top_timing_summary_routed.rpt");
    CHECK(csynth.used == synthesized);
    CHECK((csynth.latency_min == 812 && !csynth.latency_max && csynth.clock_estimated_ns == 3.65));
    CHECK((summary.used.lut == synthesized.lut && !summary.used.uram && summary.interval_max == 813));
    CHECK((xml.tool == "Vivado HLS" && xml.used.dsp == 5 && !xml.used.uram && !xml.latency_max && xml.interval_min == 64 && xml.pipeline == "dataflow"));
    CHECK((cosim.status == "pass" && cosim.latency_max == 816 && cosim.interval_min == 817));
    CHECK((exported.used.lut == 1320 && exported.clock_estimated_ns == 4.811 && exported.status == "met"));
    CHECK(utilization.used == placed);
    CHECK((utilization.available.bram18 == 1824 && utilization.status == "placed"));
    CHECK((power.total_w == 0.912 && power.static_w == 0.628 && power.status == "routed"));
    CHECK((timing.status == "met" && timing.clock_target_ns == 5.0));
    for (const auto& report : {csynth, summary, xml, exported, utilization, power, timing}) CHECK(report.part.starts_with("xc"));
}

TEST_CASE("A csynth report has clock, cycles and primitives, and may have more than its device") {
    const auto report = read(csynth());
    CHECK(report.tool == "Vitis HLS");
    CHECK(report.version == "2023.1");
    CHECK(report.top == "top");
    CHECK(report.part == "xczu9eg-ffvb1156-2-e");
    CHECK(report.clock_target_ns == 10.0);
    CHECK(report.clock_estimated_ns == 7.674);
    CHECK(report.latency_min == 7);
    CHECK(report.latency_max == 9);
    CHECK(report.interval_max == 10);
    CHECK(report.used.bram18 == 902);
    CHECK(report.available.bram18 == 288);
    CHECK(report.available.uram == 64);
}

TEST_CASE("Words for unknown are unknown and never 0") {
    for (const std::string word : {"?", "undef", "-", "NA", "N/A", ""}) {
        const auto report = read(csynth(fmt::format("|  {0}|  {0}|  {0}|  {0}|  {0}|  {0}|  dataflow|", word), fmt::format("|Total | {0}| {0}| {0}| {0}| {0}|", word)));
        CHECK(!report.latency_min);
        CHECK(!report.latency_max);
        CHECK(!report.interval_min);
        CHECK(!report.used.lut);
        CHECK(report.pipeline == "dataflow");
        CHECK(to_json(report).at("latency_max").is_null());
        CHECK(to_json(report).at("uram").is_null());
    }
    CHECK(read(csynth("|  0|  0|  0 ns|  0 ns|  1|  1|  none|")).latency_min == 0);
}

TEST_CASE("What a report lacks or says in words that are not known is named with its line") {
    const auto refused = [](std::string text, const std::string& what) { CHECK_THROWS_WITH(read(text), Contains(what)); };
    refused("", "r.rpt:1: the file is empty");
    refused("hello\n", "r.rpt:1: no report of Vivado HLS");
    refused(csynth("|  many|  9|  70 ns|  90 ns|  8|  10|  no|"), "r.rpt:20: \"many\" where a number is expected");
    refused(csynth("|  1.5|  9|  70 ns|  90 ns|  8|  10|  no|"), "r.rpt:20: \"1.5\" where a whole number is expected");
    refused(csynth("|  -7|  9|  70 ns|  90 ns|  8|  10|  no|"), "r.rpt:20: \"-7\"");
    refused(csynth("|  nan|  9|  70 ns|  90 ns|  8|  10|  no|"), "\"nan\"");
    refused(csynth("|  7|  9|  8|"), "r.rpt:20: a latency table of 3 columns; 5 or 7 are known");
    refused(csynth("|  7|  9|  70 ns|  90 ns|  8|  10|  no|", "|Sum | 1| 2| 3| 4| 5|"), "the table has no row \"Total\"");
    refused("| Command : report_utilization\n+---+---+\n| Site Type | Used |\n+---+---+\n| CLB LUTs | 2.74e+82 |\n+---+---+\n", "r.rpt:5: \"2.74e+82\" where a whole number is expected");
    refused("| Command : report_utilization\n+---+---+\n| Site Type | Used |\n+---+---+\n| CLB LUTs | 4 |\n| Block RAM Tile | 2.25 |\n+---+---+\n", "r.rpt:6: \"2.25\"");
    refused("Implementation tool: Xilinx Vivado v.2023.1\n#=== Resource usage ===\nLUT: many\n#=== Final timing ===\n", "r.rpt:3: \"many\"");
    refused(kHead, "the report ends without \"+ Timing\"");
    refused("<profile>\n<a>\n</profile>", "r.rpt:3: no well-formed XML");
    refused("<html></html>", "<html> where <profile>");
    refused("<profile><UserAssignments><TopModelName>t</TopModelName></UserAssignments></profile>", "the report has no profile/PerformanceEstimates/SummaryOfOverallLatency");
    refused("== Design Size Report\n", "r.rpt:1: a report of design sizes");
    CHECK_THROWS_WITH(read_tool_report(fs::path("no/such.rpt")), Contains("no/such.rpt: no such file"));
}

TEST_CASE("Entities of XML are not expanded, elements of modules are not the design's") {
    std::string laughs = "<?xml version=\"1.0\"?>\n<!DOCTYPE lolz [\n<!ENTITY a \"lol\">\n";
    for (char c = 'b'; c < 'n'; ++c) laughs += fmt::format("<!ENTITY {0} \"&{1};&{1};&{1};&{1};&{1};&{1};&{1};&{1};&{1};&{1};\">\n", c, static_cast<char>(c - 1));
    const std::string body = "<profile><ReportVersion><Version>2022.1</Version></ReportVersion><UserAssignments><TopModelName>{}</TopModelName></UserAssignments><PerformanceEstimates>"
                             "<SummaryOfOverallLatency><Best-caseLatency>5</Best-caseLatency></SummaryOfOverallLatency></PerformanceEstimates><AreaEstimates><Resources><DSP48E>3</DSP48E></Resources></AreaEstimates>"
                             "<ModuleInformation><Module><PerformanceEstimates><SummaryOfOverallLatency><Best-caseLatency>99</Best-caseLatency></SummaryOfOverallLatency></PerformanceEstimates></Module></ModuleInformation></profile>";
    const auto report = read(laughs + "]>\n" + fmt::format(fmt::runtime(body), "&m;"));
    CHECK(report.top.size() < 10);
    CHECK(report.latency_min == 5);
    CHECK(report.used.dsp == 3);
    CHECK(!report.used.uram);
    CHECK(!report.latency_max);
}

TEST_CASE("Timing summaries and both languages of a co-simulation") {
    const std::string timing = "| Tool Version : Vivado v.2023.2 (lin64) Build 1\n| Command      : report_timing_summary -file t.rpt\n| Design       : top\n| Device       : xczu9eg\n| Design State : Routed\n\n"
                               "| Design Timing Summary\n| ---------------------\n\n    WNS(ns)      TNS(ns)  TNS Failing Endpoints\n    -------      -------  ---------------------\n      {}        0.000                      0\n\n"
                               "| Clock Summary\n| -------------\n\nClock  Waveform(ns)  Period(ns)  Frequency(MHz)\n-----  ------------  ----------  --------------\nclk    {{0.000 2.500}}  5.000       200.000\n";
    const auto met = read(fmt::format(fmt::runtime(timing), "0.125")), late = read(fmt::format(fmt::runtime(timing), "-0.250"));
    CHECK(met.kind == ReportKind::timing);
    CHECK(met.status == "met");
    CHECK(met.clock_target_ns == 5.0);
    CHECK(*met.clock_estimated_ns == Approx(4.875));
    CHECK(late.status == "not met");
    CHECK(*late.clock_estimated_ns == Approx(5.25));

    const auto cosim = [](const std::string& vhdl, const std::string& verilog) {
        return read("Simulation tool   : xsim.\n\n+--+--+\n|  |  |  Latency |  Interval |\n+  RTL  +  Status  +--+\n|  |  | min | avg | max | min | avg | max |\n+--+--+\n|   VHDL|" + vhdl + "\n|Verilog|" + verilog + "\n+--+--+\n");
    };
    CHECK(cosim("Pass| 10| 11| 12| NA| NA| NA|", "Fail| 20| 21| 22| NA| NA| NA|").status == "fail");
    CHECK(cosim("Fail| 10| 11| 12| NA| NA| NA|", "Pass| 20| 21| 22| NA| NA| NA|").status == "fail");
    CHECK(cosim("NA| NA| NA| NA| NA| NA| NA|", "Pass| 20| 21| 22| 23| 24| 25|").interval_max == 25);
    CHECK_THROWS_WITH(cosim("NA| NA| NA| NA| NA| NA| NA|", "NA| NA| NA| NA| NA| NA| NA|"), Contains("Pass or Fail"));
    CHECK_THROWS_WITH(cosim("NA| NA| NA| NA| NA| NA| NA|", "Perhaps| NA| NA| NA| NA| NA| NA|"), Contains("status \"Perhaps\""));
}

TEST_CASE("A report that is cut or spoiled anywhere is read or refused, nothing else") {
    const auto whole = csynth();
    std::mt19937 random(5);
    const auto survives = [](const std::string& text) {
        try {
            (void)read(text);
        } catch (const prelude::models::InputError&) {
        }
    };
    for (std::size_t n = 0; n < whole.size(); n += 3) survives(whole.substr(0, n));
    for (int i = 0; i < 2000; ++i) {
        auto spoiled = whole;
        for (int k = 0; k < 4; ++k) spoiled[random() % spoiled.size()] = "|+- \n0~?'<:"[random() % 11];
        survives(spoiled);
    }
    survives(std::string(1'000'000, '|'));
    survives("+-\n" + std::string(2'000'000, '|'));
    survives("== Vitis HLS Report for 'x'\n+ Timing\n+-\n" + std::string(5'000'000, '|'));
}
