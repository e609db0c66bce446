// SPDX-License-Identifier: Apache-2.0
#include "experiments/evaluate/mask_scores.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace prelude;
using namespace prelude::experiments;

namespace {

models::Mask rectangle(int x0, int y0, int x1, int y1) {
    models::Mask mask(30, 40);
    for (int y = y0; y < y1; ++y)
        for (int x = x0; x < x1; ++x) mask.values[static_cast<std::size_t>(y * 30 + x)] = 1;
    return mask;
}

models::PromptedMask asked(models::PromptKind kind, models::Mask truth) {
    models::PromptedMask result{.kind = kind, .prompt = {}, .truth = std::move(truth)};
    if (kind == models::PromptKind::box) result.prompt.box = models::Box{0, 0, 10, 10};
    else result.prompt.points.push_back({.position = {5, 5}, .label = 1});
    return result;
}

models::EvaluationImage picture(std::string name, std::vector<models::PromptedMask> prompts) {
    return {.name = std::move(name), .image = {30, 40, std::vector<std::uint8_t>(3600)}, .prompts = std::move(prompts)};
}

const models::Mask kTruth = rectangle(0, 0, 10, 10), kHalf = rectangle(0, 0, 10, 5), kMoved = rectangle(0, 3, 10, 13), kNothing = rectangle(0, 0, 0, 0);

/// Two pictures and one without a prompt between them.
nlohmann::json summary(MaskScores::Boundaries boundaries, const models::Mask& last = kMoved, double box_side = 10, std::string name = "b") {
    MaskScores scores(boundaries);
    auto second = picture(std::move(name), {asked(models::PromptKind::box, kTruth)});
    second.prompts[0].prompt.box->x1 = box_side;
    const auto first = picture("a", {asked(models::PromptKind::box, kTruth), asked(models::PromptKind::point, kTruth)});
    scores.begin(first);
    CHECK(scores.add(first.prompts[0], kTruth) == 1);
    CHECK(scores.add(first.prompts[1], kHalf) == 0.5);
    scores.begin(picture("without", {}));
    scores.begin(second);
    scores.add(second.prompts[0], last);
    return scores.summary("_fp32");
}

}  // namespace

TEST_CASE("Means are over prompts, by kind too, and what each prompt scored stands by picture") {
    const auto result = summary(MaskScores::Boundaries::skip);
    const double moved = 70.0 / 130;
    CHECK(result.at("iou") == nlohmann::json{{1.0, 0.5}, {moved}});
    CHECK(result.at("miou").get<double>() == Approx((1.5 + moved) / 3));
    CHECK(result.at("miou_box").get<double>() == Approx((1 + moved) / 2));
    CHECK(result.at("miou_point").get<double>() == 0.5);
    CHECK(result.at("dice").get<double>() == Approx((1 + 2.0 / 3 + 0.7) / 3));
    CHECK((result.at("num_images") == 2 && result.at("num_prompts") == 3));
    // Two pictures: a draw has the first twice, the second twice, or both.
    CHECK(result.at("miou_ci95_low").get<double>() == Approx(moved));
    CHECK(result.at("miou_ci95_high").get<double>() == Approx(0.75));
    CHECK_FALSE(result.contains("boundary_px"));
    CHECK(result.at("warnings").empty());
}

TEST_CASE("Distances between boundaries are means over prompts, and an empty mask is the picture's diagonal away, with a warning") {
    const auto near = summary(MaskScores::Boundaries::measure), empty = summary(MaskScores::Boundaries::measure, kNothing);
    const auto half = models::boundary_distance(kHalf, kTruth), moved = models::boundary_distance(kMoved, kTruth);
    CHECK(near.at("boundary_px").get<double>() == Approx((half.average + moved.average) / 3));
    CHECK(near.at("hd95_px").get<double>() == Approx((half.hausdorff_95 + moved.hausdorff_95) / 3));
    CHECK(near.at("warnings").empty());
    CHECK(empty.at("boundary_px").get<double>() == Approx((half.average + 50) / 3));
    CHECK(empty.at("hd95_px").get<double>() == Approx((half.hausdorff_95 + 50) / 3));
    CHECK(empty.at("warnings") == nlohmann::json{"boundary_px_fp32 and hd95_px_fp32: 1 of 3 masks without a pixel count as the picture's diagonal away"});
}

TEST_CASE("Equal questions have equal marks whatever the answers, other pictures and prompts another one") {
    const auto mark = [](const nlohmann::json& result) { return result.at("asked").get<std::string>(); };
    const auto asked = mark(summary(MaskScores::Boundaries::skip));
    CHECK(mark(summary(MaskScores::Boundaries::skip, kHalf)) == asked);
    CHECK(mark(summary(MaskScores::Boundaries::skip, kMoved, 9)) != asked);
    CHECK(mark(summary(MaskScores::Boundaries::skip, kMoved, 10, "c")) != asked);
}
