// SPDX-License-Identifier: Apache-2.0
// Estimates of resources against what Yosys made of the RTL units, and the bands against published reports; nothing is synthesized here.
#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "tables.hpp"
#include "tests/paths.hpp"

using namespace prelude;
using namespace prelude::calibration;

namespace {

const std::filesystem::path kCosts = PRELUDE_SOURCE_DIR "/arch_configs/costs";
constexpr double kLargestError = 0.12;

std::string text_of(const std::filesystem::path& file) {
    std::stringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
}

}  // namespace

TEST_CASE("Units that a fit did not see are estimated within 12 % of their synthesis, and their slices and memory blocks are counted exactly") {
    const auto all = read_synthesis(kCosts / "synthesis.csv");
    const auto calibration = calibrate(all);
    for (const auto& group : groups()) {
        const auto rows = rows_of(all, group);
        for (const auto& unit : group.units) {
            INFO(unit);
            CHECK(std::count_if(rows.begin(), rows.end(), [&](const Synthesis& row) { return row.unit == unit; }) >= 12);
            for (const auto resource : {Resource::lut, Resource::ff}) {
                INFO((resource == Resource::lut ? "LUT" : "FF"));
                CHECK(smape_of(rows, calibration.judged.at({group.name, resource}), resource, unit) <= kLargestError);
            }
        }
        for (const auto& row : rows) {
            INFO(row.unit << " " << row.parameters);
            CHECK(row.form.dsp == row.dsp);
            CHECK(row.form.bram18 == row.bram18);
        }
    }
}

TEST_CASE("An array of four times the outputs of any in the study is estimated as well") {
    const sim::CostTable costs{.name = "fitted", .terms = calibrate(read_synthesis(kCosts / "synthesis.csv")).figures};
    const auto form = sim::array_form({.rows = 8, .cols = 8, .depth = 4, .left_bits = 4, .right_bits = 4, .max_shift = 0, .drain_rows = 2, .sum_bits = 24});
    CHECK(sim::lut_of(form, costs).value == Approx(23808).epsilon(0.05));  // Yosys 0.23, the study's flow
    CHECK(sim::ff_of(form, costs).value == Approx(10693).epsilon(0.05));
    CHECK(form.dsp == 10);
}

TEST_CASE("The cost table holds what the study gives, line by line") {
    const auto table = text_of(kCosts / "default.yaml");
    auto figures = calibrate(read_synthesis(kCosts / "synthesis.csv")).figures;
    figures.merge(band_figures(read_reports(kCosts / "reports.csv")));
    CHECK(updated(table, figures) == table);
    // And every other term is not called calibrated.
    for (const auto& term : sim::cost_terms()) {
        const auto at = table.find(fmt::format("\n  {}: ", term.name));
        REQUIRE(at != std::string::npos);
        const bool calibrated = table.substr(at + 1, table.find('\n', at + 1) - at).find("status: calibrated") != std::string::npos;
        INFO(term.name);
        CHECK(calibrated == figures.contains(term.name));
    }
}

TEST_CASE("The page about resources holds the tables that the study prints") {
    const auto all = read_synthesis(kCosts / "synthesis.csv");
    const auto page = text_of(PRELUDE_SOURCE_DIR "/docs/resources.md");
    CHECK(with_tables(page, tables(all, calibrate(all), read_reports(kCosts / "reports.csv"))) == page);
}

TEST_CASE("A term the table does not have is an error that names it") {
    CHECK_THROWS_WITH(updated("name: short\n", {{"dma.lut", sim::Figure{}}}), "the cost table has no term dma.lut");
}

TEST_CASE("Of designs left out, the bands of placed over synthesized resources hold three quarters or more") {
    const auto reports = read_reports(kCosts / "reports.csv");
    for (const auto& ratios : {placed_lut_ratios(reports), placed_ff_ratios(reports)}) {
        CHECK(ratios.size() >= 10);
        const auto left_out = leave_one_out(ratios);
        CHECK(left_out.coverage >= 0.75);
        CHECK(left_out.median_half_width <= 0.35);
    }
}

TEST_CASE("A band takes the order statistics that cover 80 %") {
    std::vector<double> ratios;
    for (int i = 1; i <= 19; ++i) ratios.push_back(i);  // 0.1 * 20 = 2nd, 0.9 * 20 = 18th
    const auto band = band_of(ratios);
    CHECK(band.median == 10);
    CHECK(band.low == 2);
    CHECK(band.high == 18);
    CHECK(leave_one_out(ratios).coverage == Approx(17.0 / 19));
}
