// SPDX-License-Identifier: Apache-2.0
#include "experiments/compare/comparison.hpp"

#include <catch2/catch.hpp>

#include "experiments/sweep/pareto.hpp"
#include "tests/support/program.hpp"

using namespace prelude;
using namespace prelude::experiments;
using Catch::Contains;

namespace {

SweepInfo info_of(std::vector<std::string> swept) {
    SweepInfo info;
    info.swept = std::move(swept);
    return info;
}

/// Bits 4, 6, 8 with 1 and 2 groups: 12 pictures of two prompts, of which fewer bits lose some and groups shuffle a little.
const SweepInfo kInfo = info_of({"quant.weight_bits", "quant.groups"});

std::vector<Row> some_rows() {
    std::vector<Row> rows;
    for (const auto* bits : {"4", "6", "8"})
        for (const auto* groups : {"1", "2"}) {
            const auto point = static_cast<std::int64_t>(rows.size());
            rows.push_back({point, {{"status", "ok"}, {"miou", "0.5"}, {"quant.weight_bits", bits}, {"quant.groups", groups}, {"numeric_hash", std::string(bits) + groups}}, {}});
        }
    return rows;
}

PromptScores scores_of_row(const Row& row) {
    const double bits = *number_in(row, "quant.weight_bits"), groups = *number_in(row, "quant.groups");
    PromptScores scores{{}, "the same"};
    for (int picture = 0; picture < 12; ++picture) {
        const double base = 0.3 + 0.05 * picture + 0.01 * bits, shuffled = groups == 2 ? 0.02 * (picture % 4 - 1.5) : 0;
        scores.iou.push_back({base + shuffled, base - 0.1 + shuffled});
    }
    return scores;
}

const ScoresOf kScores = [](const Row& row) -> std::optional<PromptScores> { return scores_of_row(row); };

}  // namespace

TEST_CASE("Points that differ in one key are compared with their predecessor and with the reference, in every setting of the others") {
    const auto rows = some_rows();
    const auto result = compare(kInfo, rows, kScores, "quant.weight_bits");
    REQUIRE(result.settings.size() == 2);
    CHECK((result.settings[0].name == "groups 1" && result.settings[1].name == "groups 2"));
    const auto& pairs = result.settings[1].pairs;
    REQUIRE(pairs.size() == 3);
    CHECK((pairs[0].a == "4" && pairs[0].b == "6" && pairs[1].a == "6" && pairs[1].b == "8"));
    CHECK((pairs[2].a == "4" && pairs[2].b == "8"));  // against the reference, the first value
    CHECK((pairs[2].point_a == 1 && pairs[2].point_b == 5));
    CHECK(pairs[2].difference.mean == Approx(0.04));
    CHECK(pairs[2].miou_b - pairs[2].miou_a == Approx(0.04));
    CHECK((pairs[2].num_images == 12 && pairs[2].num_prompts == 24));
    CHECK(pairs[2].verdict() == "better");

    const auto reference = compare(kInfo, rows, kScores, "quant.weight_bits", "8");
    REQUIRE(reference.settings[0].pairs.size() == 4);
    CHECK((reference.settings[0].pairs[3].a == "8" && reference.settings[0].pairs[3].b == "6"));
    CHECK(reference.settings[0].pairs[3].verdict() == "worse");

    const auto groups = compare(kInfo, rows, kScores, "quant.groups");
    REQUIRE(groups.settings.size() == 3);
    REQUIRE(groups.settings[0].pairs.size() == 1);
    CHECK(groups.settings[0].pairs[0].verdict() == "undecided");
    CHECK(groups.settings[0].pairs[0].difference.interval.high > 0.005);

    const auto both = compare(kInfo, rows, kScores, "quant.weight_bits,quant.groups", "6,1");
    REQUIRE(both.settings.size() == 1);
    CHECK(both.settings[0].pairs.size() == 5 + 4);
}

TEST_CASE("A comparison is printed by setting and written as lines of equal columns") {
    const auto rows = some_rows();
    const auto result = compare(kInfo, std::span(rows).first(4), kScores, "quant.weight_bits");
    CHECK(print_comparison(result) ==
          "Compared along quant.weight_bits: mean IoU of B minus that of A, paired by prompt (24 prompts on 12 images), 95 % bootstrap interval over images\n"
          "groups 1\n"
          "  A  B  mIoU A  mIoU B    B - A                95 %  verdict\n"
          "  4  6  0.5650  0.5850  +0.0200  +0.0200 .. +0.0200  better\n"
          "groups 2\n"
          "  A  B  mIoU A  mIoU B    B - A                95 %  verdict\n"
          "  4  6  0.5650  0.5850  +0.0200  +0.0200 .. +0.0200  better\n");
    const auto csv = comparison_csv(result);
    CHECK_THAT(csv, Catch::StartsWith("point_a,point_b,quant.groups,by,a,b,miou_a,miou_b,difference,ci95_low,ci95_high,verdict,num_images,num_prompts\r\n0,2,1,quant.weight_bits,4,6,0.56"));
    CHECK_THAT(csv, Catch::EndsWith(",better,12,24\r\n"));
    const auto json = to_json(result);
    CHECK(json.at("others") == nlohmann::json{"groups"});
    CHECK(json.at("pairs").at(1).at("setting") == nlohmann::json{"2"});
}

TEST_CASE("Points without accuracy are left out and named, and a single picture decides nothing") {
    const auto rows = some_rows();
    const ScoresOf some = [](const Row& row) -> std::optional<PromptScores> {
        if (row.point == 2) return std::nullopt;
        auto scores = scores_of_row(row);
        scores.iou.resize(1);
        return scores;
    };
    const auto result = compare(kInfo, rows, some, "quant.weight_bits");
    CHECK(result.lacking == std::vector<std::string>{"2 (ok)"});
    REQUIRE(result.settings[0].pairs.size() == 1);
    CHECK((result.settings[0].pairs[0].a == "4" && result.settings[0].pairs[0].b == "8"));
    CHECK(result.settings[0].pairs[0].verdict() == "undecided");
    CHECK_THAT(print_comparison(result), Contains("one image") && Contains("left out for lack of accuracy: point 2 (ok)"));
    CHECK(to_json(result).at("pairs").at(0).at("low").is_null());
    const auto nothing = compare(kInfo, rows, [](const Row&) { return std::optional<PromptScores>(); }, "quant.groups");
    CHECK_THAT(print_comparison(nothing), Contains("no two points to compare"));
}

TEST_CASE("Keys that are not swept, values that no point has and other prompts are refused") {
    const auto rows = some_rows();
    CHECK_THROWS_AS(compare(kInfo, rows, kScores, "hw.device"), SelectionError);
    CHECK_THROWS_WITH(compare(kInfo, rows, kScores, "quant.groups", "3"), "quant.groups: no point has the value 3\n    allowed   1  2");
    const ScoresOf others = [](const Row& row) -> std::optional<PromptScores> {
        auto scores = scores_of_row(row);
        scores.asked = std::to_string(row.point);
        return scores;
    };
    CHECK_THROWS_WITH(compare(kInfo, rows, others, "quant.groups"), Contains("quant.groups: points 0 and 1 were not asked the same prompts"));
}

TEST_CASE("Scores come from the task that a row's accuracy is of, and rows without accuracy, failed tasks and older results have none") {
    const testing::TemporaryFolder folder;
    Store store(folder / "results.db");
    auto transaction = store.transaction();
    store.put_task("new", {{true, {}, {{"iou", {{0.25, 0.5}, {1.0}}}, {"asked", "this"}}}, "accuracy", {}, 1});
    store.put_task("old", {{true, {}, {{"miou", 0.5}}}, "accuracy", {}, 1});
    store.put_task("failed", {{false, "no", nullptr}, "accuracy", {}, 1});
    transaction.commit();
    const auto scores_of = scores_in(store);
    const auto row = [](std::string key, std::string miou = "0.5") { return Row{0, {{"miou", std::move(miou)}, {"numeric_hash", std::move(key)}}, {}}; };
    const auto scores = scores_of(row("new"));
    REQUIRE(scores);
    CHECK(scores->iou == models::Clusters{{0.25, 0.5}, {1.0}});
    CHECK(scores->asked == "this");
    CHECK(scores_of(row("new"))->iou == scores->iou);
    for (const auto* key : {"old", "failed", "missing", ""}) CHECK_FALSE(scores_of(row(key)));
    CHECK_FALSE(scores_in(store)(row("new", "")));
}
