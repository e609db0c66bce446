// SPDX-License-Identifier: Apache-2.0
#include "experiments/compare/pivot.hpp"

#include <catch2/catch.hpp>

using namespace prelude::experiments;
using Catch::Contains;

namespace {

SweepInfo some_info() {
    SweepInfo info;
    info.swept = {"quant.method", "quant.weight_bits", "quant.activation_bits", "quant.groups"};
    return info;
}

std::vector<Row> some_rows() {
    std::vector<Row> rows;
    for (const auto* method : {"rtn", "ours"})
        for (const auto* bits : {"4", "6"})
            for (const auto* groups : {"1", "2"}) {
                const auto point = static_cast<std::int64_t>(rows.size());
                rows.push_back({point,
                                {{"quant.method", method},
                                 {"quant.weight_bits", bits},
                                 {"quant.activation_bits", bits},
                                 {"quant.groups", groups},
                                 {"miou", "0.7" + std::to_string(point) + "123"},
                                 {"miou_fp32", "0.83666"},
                                 {"latency_ms", "12." + std::to_string(point) + "3456"},
                                 {"bound", "compute"}},
                                {}});
            }
    rows.back().cells.erase("miou");
    return rows;
}

}  // namespace

TEST_CASE("A table has one key down, others across, FP32 above and a block for every setting of the rest") {
    const auto rows = some_rows();
    const auto table = pivot(some_info(), rows, {"quant.method", "quant.weight_bits,quant.activation_bits", "miou"});
    CHECK(print_pivot(table, PivotForm::text) ==
          "miou: groups 1\n"
          "  method \\ weight_bits,activation_bits     4,4     6,6\n"
          "  FP32                                  0.8367  0.8367\n"
          "  rtn                                   0.7012  0.7212\n"
          "  ours                                  0.7412  0.7612\n"
          "miou: groups 2\n"
          "  method \\ weight_bits,activation_bits     4,4     6,6\n"
          "  FP32                                  0.8367  0.8367\n"
          "  rtn                                   0.7112  0.7312\n"
          "  ours                                  0.7512       -\n");
    CHECK_THAT(print_pivot(table, PivotForm::markdown), Catch::StartsWith("**miou: groups 1**\n\n| method \\ weight_bits,activation_bits |    4,4 |    6,6 |\n| :---") &&
                                                            Contains("| rtn                                  | 0.7012 | 0.7212 |\n") && Contains("\n\n**miou: groups 2**\n"));
}

TEST_CASE("Cells are any column, and FP32 stands only above what FP32 has") {
    const auto rows = some_rows();
    const auto latency = print_pivot(pivot(some_info(), rows, {"quant.method", "quant.groups", "latency_ms"}), PivotForm::text);
    CHECK_THAT(latency, Contains("latency_ms: weight_bits 4, activation_bits 4\n") && Contains("12.03") && !Contains("FP32"));
    CHECK_THAT(print_pivot(pivot(some_info(), rows, {"quant.method", "quant.groups", "bound"}), PivotForm::text), Contains("compute"));
    SweepInfo two;
    two.swept = {"quant.method", "quant.groups"};
    CHECK_THAT(print_pivot(pivot(two, rows, {"quant.method", "quant.groups", "miou"}), PivotForm::text), Catch::StartsWith("miou\n"));
}

TEST_CASE("A table of keys that are not swept, of one key both ways or of no column is refused") {
    const auto rows = some_rows();
    CHECK_THROWS_WITH(pivot(some_info(), rows, {"quant.method", "hw.device", "miou"}), Contains("hw.device: not swept"));
    CHECK_THROWS_WITH(pivot(some_info(), rows, {"quant.method", "quant.groups,quant.method", "miou"}), Contains("quant.method: both of the rows and of the columns"));
    CHECK_THROWS_WITH(pivot(some_info(), rows, {"quant.method", "quant.groups", "mioU"}), Contains("Did you mean 'miou'?"));
}
