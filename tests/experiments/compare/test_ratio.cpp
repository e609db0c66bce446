// SPDX-License-Identifier: Apache-2.0
#include "experiments/compare/ratio.hpp"

#include <catch2/catch.hpp>

using namespace prelude::experiments;
using Catch::Contains;

namespace {

SweepInfo some_info() {
    SweepInfo info;
    info.swept = {"workload.parts", "quant.datatype", "hw.pe.depth"};
    return info;
}

Row row(std::int64_t point, const std::string& parts, const std::string& datatype, const std::string& depth, const std::string& latency, const std::string& efficiency) {
    Row row{point, {{"workload.parts", parts}, {"quant.datatype", datatype}, {"hw.pe.depth", depth}, {"status", "ok"}}, {}};
    if (latency.empty()) {
        row.cells["status"] = "infeasible";
        row.cells["reason"] = "dsp 3000 of 2520";
        return row;
    }
    row.cells.insert({{"latency_ms", latency}, {"gops_per_w", efficiency}, {"gops", "90"}, {"power_w", "9"}, {"dsp", "1000"}, {"lut", "50000"},
                      {"latency_status", "published"}, {"power_status", "assumed"}, {"resource_status", "published"}});
    return row;
}

const std::vector<Row> kRows{row(0, "encoder", "int", "4", "12", "60"), row(1, "encoder", "int", "8", "10", "50"), row(2, "encoder", "fp32", "4", "70", "8"),
                             row(3, "encoder", "fp32", "8", "90", "9"), row(4, "all", "int", "4", "20", "40"),     row(5, "all", "int", "8", "", ""),
                             row(6, "all", "fp32", "4", "", ""),       row(7, "all", "fp32", "8", "", "")};

}  // namespace

TEST_CASE("Every side of a ratio stands at its fastest feasible point, whatever its efficiency") {
    const auto result = ratios(some_info(), kRows, {.by = "quant.datatype", .subject = {}, .search = "hw.pe.depth"});
    REQUIRE(result.settings.size() == 2);
    const auto& sides = result.settings[0].sides;
    CHECK(result.subject == "int");
    CHECK(sides[0].best->point == 1);
    CHECK(sides[0].speed_up == 1);
    CHECK(sides[1].best->point == 2);
    CHECK(sides[1].choice == "4");
    CHECK(sides[1].speed_up == Approx(7));
    CHECK(sides[1].efficiency == Approx(50.0 / 8));
    CHECK(result.power_status == "assumed");
    CHECK(result.latency_status == "published");
}

TEST_CASE("A side without a feasible point says why and has no ratio") {
    const auto result = ratios(some_info(), kRows, {.by = "quant.datatype", .subject = {}, .search = "hw.pe.depth"});
    const auto& none = result.settings[1].sides[1];
    CHECK(none.best == nullptr);
    CHECK(none.speed_up == 0);
    CHECK_THAT(print_ratios(result, false), Contains("fp32: no feasible point (dsp 3000 of 2520)") && Contains("7.00") && Contains("6.25") && Contains("speed-up of int"));
}

TEST_CASE("Ratios without a search compare point by point, and refuse keys and values that a sweep does not have") {
    const auto result = ratios(some_info(), kRows, {.by = "quant.datatype", .subject = "fp32", .search = {}});
    REQUIRE(result.settings.size() == 4);
    CHECK(result.settings[0].sides[0].speed_up == Approx(12.0 / 70));
    CHECK_THROWS_AS(ratios(some_info(), kRows, {.by = "quant.groups", .subject = {}, .search = {}}), SelectionError);
    CHECK_THROWS_AS(ratios(some_info(), kRows, {.by = "quant.datatype", .subject = "fp8", .search = {}}), SelectionError);
    CHECK_THROWS_AS(ratios(some_info(), kRows, {.by = "quant.datatype", .subject = {}, .search = "quant.datatype"}), SelectionError);
}
