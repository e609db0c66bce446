// SPDX-License-Identifier: Apache-2.0
#include "experiments/compare/selection.hpp"

#include <catch2/catch.hpp>

using namespace prelude::experiments;
using Catch::Contains;
using Keys = std::vector<std::string>;

namespace {

const Keys kSwept{"quant.weight_bits", "quant.activation_bits", "quant.groups"};

std::string refusal(std::string_view keys, const Keys& swept = kSwept) {
    try {
        (void)chosen_keys(keys, swept);
    } catch (const SelectionError& error) {
        return error.what();
    }
    return "accepted";
}

}  // namespace

TEST_CASE("Keys are chosen by their names, joined by commas, and every one that cannot be is said at once") {
    CHECK(chosen_keys("quant.groups", kSwept) == Keys{"quant.groups"});
    CHECK(chosen_keys("quant.groups, quant.weight_bits", kSwept) == Keys{"quant.groups", "quant.weight_bits"});
    CHECK(refusal("quant.gruops,hw.device,quant.groups,quant.groups") ==
          "quant.gruops: unknown key. Did you mean 'groups'?; hw.device: not swept; quant.groups: there twice\n"
          "    allowed   swept keys, joined by commas: quant.weight_bits, quant.activation_bits, quant.groups");
    CHECK_THAT(refusal(""), Contains("unknown key"));
    CHECK_THAT(refusal("quant.groups,"), Contains("unknown key"));
    CHECK_THAT(refusal("quant.groups", {}), Contains("not swept") && Contains("this sweep has no axis"));
}

TEST_CASE("A column is one of results.csv") {
    CHECK(chosen_column("latency_ms").unit == "ms");
    CHECK_THROWS_WITH(chosen_column("latency"), Contains("latency: unknown column") && Contains("allowed   a column of results.csv"));
    CHECK_THROWS_WITH(chosen_column("dise"), Contains("Did you mean 'dice'?"));
}

TEST_CASE("Slices hold the points that agree in the other keys, in the order of the points") {
    std::vector<Row> rows;
    for (int i = 0; i < 6; ++i)
        rows.push_back({i, {{"quant.weight_bits", i < 3 ? "4" : "8"}, {"quant.activation_bits", i < 3 ? "4" : "6"}, {"quant.groups", std::to_string(i % 3)}}, {}});
    const auto others = other_keys(kSwept, Keys{"quant.groups"});
    CHECK(others == Keys{"quant.weight_bits", "quant.activation_bits"});
    const auto parts = slices(rows, others);
    REQUIRE(parts.size() == 2);
    CHECK(parts[1].values == Keys{"8", "6"});
    REQUIRE(parts[1].rows.size() == 3);
    CHECK((parts[1].rows[0]->point == 3 && parts[1].rows[2]->point == 5));
    CHECK(setting_text(parts[1], others) == "weight_bits 8, activation_bits 6");
    const auto all = slices(rows, {});
    REQUIRE(all.size() == 1);
    CHECK(all[0].rows.size() == 6);
    CHECK(setting_text(all[0], {}).empty());
    CHECK(values_text(rows[4], kSwept) == "8,6,1");
}
