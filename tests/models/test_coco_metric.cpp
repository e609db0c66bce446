// SPDX-License-Identifier: Apache-2.0
// Detection scores against closed forms and against the definition written a second time; against pycocotools: golden kind `coco`.
#include "models/coco_metric.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>

#include "models/data/random.hpp"

using namespace prelude::models;

namespace {

constexpr int kWidth = 199, kHeight = 211;

/// Annotations and detections in pictures of prime sides, made region by region.
struct Scene {
    CocoData data;
    std::vector<CocoDetection> detections;

    explicit Scene(std::vector<std::int64_t> categories = {1}, int num_images = 1) {
        for (const auto id : categories) data.categories.push_back({.id = id, .name = {}});
        for (int i = 0; i < num_images; ++i) data.images.push_back({.id = 100 + i, .file_name = "a.png", .width = kWidth, .height = kHeight});
    }

    static RunLengths runs(const CocoRectangle& box) {
        Mask mask(kWidth, kHeight);
        for (int y = static_cast<int>(box.y); y < box.y + box.height; ++y)
            for (int x = static_cast<int>(box.x); x < box.x + box.width; ++x) mask.values.at(static_cast<std::size_t>(y * kWidth + x)) = 1;
        return run_lengths(mask);
    }

    CocoAnnotation& region(CocoRectangle box, std::int64_t category = 1, std::size_t image = 0, bool crowd = false) {
        CocoAnnotation annotation;
        annotation.id = static_cast<std::int64_t>(data.annotations.size()) + 1;
        annotation.image = image;
        annotation.category = category;
        annotation.is_crowd = crowd;
        annotation.rectangle = box;
        annotation.area = box.width * box.height;
        annotation.runs = runs(box);
        data.annotations.push_back(annotation);
        return data.annotations.back();
    }

    void found(CocoRectangle box, double score, std::int64_t category = 1, std::size_t image = 0) {
        detections.push_back({.image = image, .category = category, .score = score, .rectangle = box, .runs = runs(box)});
    }

    [[nodiscard]] CocoScores scores(CocoMetricOptions options = {}) const { return coco_scores(data, detections, options); }
    /// The same for masks and boxes: regions are rectangles of whole pixels.
    [[nodiscard]] CocoSummary summary(CocoMetricOptions options = {}) const {
        options.task = CocoTask::boxes;
        const auto boxes = scores(options).summary();
        options.task = CocoTask::masks;
        const auto masks = scores(options).summary();
        CHECK(masks.precision == boxes.precision);
        CHECK(masks.precision_small == boxes.precision_small);
        CHECK(masks.precision_large == boxes.precision_large);
        CHECK(masks.recall == boxes.recall);
        return masks;
    }
};

/// Average precision by its definition, over detections (right or wrong) by falling score: for each of 101 recalls the best precision
/// of any prefix that reaches it.
double precision_by_definition(const std::vector<bool>& right, int num_regions) {
    double sum = 0;
    for (int step = 0; step <= 100; ++step) {
        double best = 0;
        int hits = 0;
        for (std::size_t i = 0; i < right.size(); ++i) {
            hits += right[i];
            if (static_cast<double>(hits) / num_regions >= (step == 100 ? 1.0 : step * 0.01)) best = std::max(best, hits / static_cast<double>(i + 1));
        }
        sum += best;
    }
    return sum / 101;
}

const CocoRectangle kUnit{10, 10, 40, 40};  // of medium area

}  // namespace

TEST_CASE("A detector that outlines every region and nothing else scores 1 wherever there are regions") {
    Scene scene({1, 2}, 3);
    for (std::size_t image = 0; image < 3; ++image)
        for (const int category : {1, 2})
            for (const CocoRectangle box : {CocoRectangle{3, 5, 7, 11}, {20, 30, 41, 43}, {50, 80, 101, 103}}) {
                scene.region(box, category, image);
                scene.found(box, 0.5, category, image);
            }
    const auto summary = scene.summary({.limits = {1, 2, 10}});
    CHECK(summary.precision == Approx(1).margin(1e-12));
    for (const double value : {summary.precision_50, summary.precision_75, summary.precision_small, summary.precision_medium, summary.precision_large})
        CHECK(value == Approx(1).margin(1e-12));
    REQUIRE(summary.recall.size() == 3);
    CHECK(summary.recall[0] == Approx(1.0 / 3));
    CHECK(summary.recall[1] == Approx(2.0 / 3));
    CHECK(summary.recall[2] == 1);
    CHECK((summary.recall_small == 1 && summary.recall_medium == 1 && summary.recall_large == 1));
}

TEST_CASE("An overlap decides at which thresholds a detection is right, its own value included") {
    // Widths w of a strip of 20: overlap w/20, on the thresholds exactly.
    for (int width = 9; width <= 20; ++width) {
        Scene scene;
        scene.region({0, 0, 20, 60});
        scene.found({0, 0, static_cast<double>(width), 60}, 1);
        const auto scores = scene.scores();
        INFO(width);
        for (int t = 0; t < kNumCocoThresholds; ++t) CHECK(scores.average_recall({.threshold = t}) == (width >= 10 + t ? 1 : 0));
        CHECK(scores.summary().precision == Approx(std::clamp(width - 9, 0, 10) / 10.0));
    }
}

TEST_CASE("Right and wrong detections in every order of six have the average precision of the definition") {
    for (unsigned pattern = 0; pattern < 64; ++pattern) {
        Scene scene;
        std::vector<bool> right;
        for (int i = 0; i < 6; ++i) {
            const double x = 30.0 * i;
            const bool hit = (pattern >> i & 1) != 0;
            scene.region({x, 0, 20, 20});
            scene.found({x, hit ? 0.0 : 100.0, 20, 20}, 1 - 0.1 * i);
            right.push_back(hit);
        }
        INFO(pattern);
        CHECK(scene.scores().summary().precision == Approx(precision_by_definition(right, 6)).margin(1e-12));
    }
}

TEST_CASE("Among equal scores the order of the file decides, across images the order of their ids") {
    Scene scene({1}, 2);
    scene.data.images[0].id = 9;
    scene.data.images[1].id = 4;
    scene.region(kUnit);
    scene.region(kUnit, 1, 1);
    scene.found({100, 100, 40, 40}, 0.5, 1, 0);  // wrong, image 9
    scene.found(kUnit, 0.5, 1, 1);               // right, image 4: first all the same
    CHECK(scene.scores().summary().precision == Approx(precision_by_definition({true, false}, 2)));
    std::swap(scene.data.images[0].id, scene.data.images[1].id);
    CHECK(scene.scores().summary().precision == Approx(precision_by_definition({false, true}, 2)));

    Scene one;
    one.region(kUnit);
    one.found({100, 100, 40, 40}, 0.5);
    one.found(kUnit, 0.5);
    CHECK(one.scores().summary().precision == Approx(0.5));
    std::swap(one.detections[0], one.detections[1]);
    CHECK(one.scores().summary().precision == Approx(1));
    CHECK(one.scores({.limits = {1}}).summary().recall == std::vector<double>{1});
}

TEST_CASE("A region is found once, and by the best scored detection that reaches it") {
    Scene scene;
    scene.region(kUnit);
    scene.found(kUnit, 0.4);
    scene.found({10, 10, 40, 30}, 0.9);  // overlap 0.75: takes the region at six thresholds
    const auto scores = scene.scores();
    CHECK(scores.average_precision({.threshold = 5}) == Approx(1));
    CHECK(scores.average_precision({.threshold = 6}) == Approx(0.5));
    CHECK(scores.average_recall({}) == 1);
}

TEST_CASE("Of equal overlaps the last region is taken") {
    Scene scene;
    scene.region(kUnit).area = 100;  // small
    scene.region(kUnit).area = 2000;
    scene.found(kUnit, 1);
    const auto scores = scene.scores();
    CHECK(scores.average_recall({.area = CocoArea::all}) == 0.5);
    // Within a range the region that counts goes first, whatever its place.
    CHECK(scores.average_recall({.area = CocoArea::small}) == 1);
    CHECK(scores.average_recall({.area = CocoArea::medium}) == 1);
}

TEST_CASE("A crowd takes any number of detections, which are neither right nor wrong") {
    Scene scene;
    scene.region(kUnit);
    scene.region({60, 60, 100, 100}, 1, 0, true);
    for (int i = 0; i < 5; ++i) scene.found({60.0 + 10 * i, 60, 10, 10}, 0.9);  // within the crowd: overlap 1
    scene.found({100, 150, 10, 20}, 0.8);                                      // half of it: overlap 0.5, wrong from 0.55 on
    scene.found(kUnit, 0.5);
    const auto scores = scene.scores();
    CHECK(scores.average_precision({.threshold = 0}) == Approx(1));
    CHECK(scores.average_precision({.threshold = 1}) == Approx(0.5));
    CHECK(scores.average_recall({}) == 1);

    scene.data.annotations.erase(scene.data.annotations.begin());
    CHECK(scene.summary().precision == kCocoUndefined);
    CHECK(scene.summary().recall == std::vector<double>(3, kCocoUndefined));
}

TEST_CASE("Areas of 32 and 96 squared belong to both neighbouring ranges") {
    for (const auto& [side, small, medium, large] : {std::tuple{31.0, 1, -1, -1}, {32.0, 1, 1, -1}, {33.0, -1, 1, -1}, {95.0, -1, 1, -1}, {96.0, -1, 1, 1}, {97.0, -1, -1, 1}}) {
        Scene scene;
        scene.region({1, 2, side, side});
        scene.found({1, 2, side, side}, 1);
        INFO(side);
        const auto summary = scene.summary();
        CHECK(summary.precision_small == Approx(small));
        CHECK(summary.precision_medium == Approx(medium));
        CHECK(summary.precision_large == Approx(large));
        CHECK((summary.recall_small == small && summary.recall_medium == medium && summary.recall_large == large));
    }
}

TEST_CASE("An unmatched detection counts as wrong only in the range of its own area") {
    Scene scene;
    scene.region({0, 0, 10, 10});     // small
    scene.region({20, 20, 50, 50});   // medium
    scene.found({100, 0, 20, 20}, 0.9);  // small, of nothing
    scene.found({0, 0, 10, 10}, 0.5);
    scene.found({20, 20, 50, 50}, 0.5);
    const auto summary = scene.summary();
    CHECK(summary.precision_small == Approx(0.5));
    CHECK(summary.precision_medium == Approx(1));
    CHECK(summary.precision_large == kCocoUndefined);
    CHECK(summary.precision == Approx(precision_by_definition({false, true, true}, 2)));
}

TEST_CASE("Categories without a region do not enter the mean, those without a detection enter as zero") {
    Scene scene({1, 2, 3, 70});
    scene.region(kUnit, 1);
    scene.region(kUnit, 70);
    scene.found(kUnit, 0.5, 1);
    scene.found(kUnit, 0.5, 2);   // no region
    scene.found(kUnit, 0.5, 99);  // no category
    CHECK(scene.summary().precision == Approx(0.5));
    const auto scores = scene.scores();
    CHECK(scores.categories() == std::vector<std::int64_t>{1, 2, 3, 70});
    CHECK(scores.average_precision({.category = 0}) == Approx(1));
    CHECK(scores.average_precision({.category = 1}) == kCocoUndefined);
    CHECK(scores.average_recall({.category = 2}) == kCocoUndefined);
    CHECK(scores.average_precision({.category = 3}) == 0);
    CHECK(scores.average_recall({.category = 3}) == 0);
}

TEST_CASE("Without categories a detection of one finds a region of another") {
    Scene scene({1, 2});
    scene.region(kUnit, 1);
    scene.found(kUnit, 0.5, 2);
    CHECK(scene.summary().precision == 0);
    CHECK(scene.summary({.by_category = false}).precision == Approx(1));
    // Among equal scores lower category ids go first, as the results are gathered by category.
    scene.found({100, 100, 30, 30}, 0.5, 1);
    CHECK(scene.summary({.by_category = false}).precision == Approx(0.5));
}

TEST_CASE("No annotation, no detection, no category: every score is undefined or zero, none fails") {
    Scene nothing;
    CHECK(nothing.summary().precision == kCocoUndefined);
    nothing.found(kUnit, 1);
    CHECK(nothing.summary().precision == kCocoUndefined);
    CHECK(nothing.summary({.by_category = false}).recall == std::vector<double>(3, kCocoUndefined));

    Scene unfound;
    unfound.region(kUnit);
    CHECK(unfound.summary().precision == 0);
    CHECK(unfound.summary().recall == std::vector<double>(3, 0));

    Scene no_category(std::vector<std::int64_t>{});
    no_category.region(kUnit);
    no_category.found(kUnit, 1);
    CHECK(no_category.summary().precision == kCocoUndefined);
    CHECK(CocoMetric(no_category.data, {}).scores().summary().precision == kCocoUndefined);
}

TEST_CASE("Empty masks and boxes without area overlap nothing") {
    Scene scene;
    scene.region({0, 0, 0, 0});
    scene.found({0, 0, 0, 0}, 1);
    CHECK(scene.summary().precision == 0);
    scene.region({0, 0, 0, 0}, 1, 0, true);
    CHECK(scene.summary().precision == 0);
}

TEST_CASE("Only the best detections of an image and category count") {
    Scene scene({1}, 2);
    for (std::size_t image = 0; image < 2; ++image) {
        scene.region(kUnit, 1, image);
        for (int i = 0; i < 7; ++i) scene.found({100, 100, 20, 20}, 0.9, 1, image);
        scene.found(kUnit, 0.1, 1, image);
    }
    const auto scores = scene.scores({.limits = {1, 7, 8}});
    CHECK(scores.average_recall({.limit = 0}) == 0);
    CHECK(scores.average_recall({.limit = 1}) == 0);
    CHECK(scores.average_recall({.limit = 2}) == 1);
    CHECK(scores.average_precision({}) == Approx(precision_by_definition(std::vector<bool>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1}, 2)));
}

TEST_CASE("AP is taken at 100 detections where that is a limit, the other scores at the last") {
    Scene scene;
    scene.region(kUnit);
    for (int i = 0; i < 100; ++i) scene.found({100, 100, 40, 40}, 0.9);
    scene.found(kUnit, 0.1);
    const auto summary = scene.scores({.limits = {100, 300, 1000}}).summary();
    CHECK(summary.precision == 0);
    CHECK(summary.precision_50 == Approx(1.0 / 101));
    CHECK(summary.recall == std::vector<double>{0, 1, 1});
    CHECK(scene.scores({.limits = {5, 200}}).summary().precision == Approx(1.0 / 101));
}

TEST_CASE("Scores do not depend on the order in which images are matched and added") {
    Scene scene({1, 2}, 7);
    Random random(11);
    const auto box = [&] {
        const double x = random.integer(0, 120), y = random.integer(0, 130);
        return CocoRectangle{x, y, static_cast<double>(random.integer(5, 70)), static_cast<double>(random.integer(5, 70))};
    };
    for (int i = 0; i < 60; ++i) {
        const auto at = box();
        const auto image = static_cast<std::size_t>(random.integer(0, 6));
        const auto category = random.integer(1, 2);
        scene.region(at, category, image, random.uniform() < 0.1);
        auto near = at;
        near.x += random.integer(-3, 3) + (at.x < 3 ? 3 : 0);
        scene.found(near, 0.1 * random.integer(0, 4), category, image);
        scene.found(box(), 0.1 * random.integer(0, 4), category, image);
    }
    const auto expected = scene.scores();
    CocoMetric metric(scene.data, {});
    for (const std::size_t image : {3, 0, 6, 2, 5, 1, 4}) {
        std::vector<CocoDetection> own;
        std::ranges::copy_if(scene.detections, std::back_inserter(own), [&](const auto& found) { return found.image == image; });
        metric.add(metric.match(image, own));
    }
    const auto scores = metric.scores();
    CHECK(expected.average_precision({}) > 0.05);
    for (int t = 0; t < kNumCocoThresholds; ++t)
        for (const auto area : {CocoArea::all, CocoArea::small, CocoArea::medium, CocoArea::large}) {
            CHECK(scores.average_precision({.threshold = t, .area = area}) == expected.average_precision({.threshold = t, .area = area}));
            CHECK(scores.average_recall({.threshold = t, .area = area}) == expected.average_recall({.threshold = t, .area = area}));
        }
}

TEST_CASE("Images that are not asked for are no part of the scores") {
    Scene scene({1}, 2);
    scene.region(kUnit, 1, 0);
    scene.region(kUnit, 1, 1);
    scene.found(kUnit, 1, 1, 0);
    CHECK(scene.scores().summary().recall.back() == 0.5);
    const std::vector<std::size_t> first{0}, second{1}, none;
    CHECK(coco_scores(scene.data, scene.detections, {}, first).summary().recall.back() == 1);
    CHECK(coco_scores(scene.data, scene.detections, {}, second).summary().recall.back() == 0);
    CHECK(coco_scores(scene.data, scene.detections, {}, none).summary().recall.back() == kCocoUndefined);
}
