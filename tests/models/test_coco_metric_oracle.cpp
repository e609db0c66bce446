// SPDX-License-Identifier: Apache-2.0
// Detection scores against their definition, written a second time without regard to time: crowded images of few distinct overlaps and
// scores, so that ties, crowds, area ranges and limits meet.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <tuple>

#include "models/coco_metric.hpp"
#include "models/data/random.hpp"

using namespace prelude::models;

namespace {

/// A detection in the order of scoring, at one threshold and area range.
struct Outcome {
    double score = 0;
    int image = 0, rank = 0;
    bool ignored = false, right = false;
};

struct Range {
    double low = 0, high = 0;
    [[nodiscard]] bool holds(double area) const { return low <= area && area <= high; }
};

constexpr Range kRanges[] = {{0, 1e10}, {0, 1024}, {1024, 9216}, {9216, 1e10}};

struct Question {
    std::int64_t category = 0;
    int limit = 0, most = 0;  ///< of the score, and of the evaluation
    double threshold = 0;
    Range range;
};

/// Of the regions that are free and overlap enough: one that counts before one that does not, then the larger overlap, then the later one.
std::vector<Outcome> outcomes_of_image(const CocoData& data, const std::vector<CocoDetection>& all, int image, const Question& question) {
    std::vector<const CocoDetection*> ranked;
    for (const auto& found : all)
        if (static_cast<int>(found.image) == image && found.category == question.category) ranked.push_back(&found);
    std::ranges::stable_sort(ranked, std::greater{}, [](const auto* found) { return found->score; });
    std::vector<const CocoAnnotation*> regions;
    for (const auto& region : data.annotations)
        if (static_cast<int>(region.image) == image && region.category == question.category) regions.push_back(&region);
    std::vector<bool> taken(regions.size());
    std::vector<Outcome> outcomes;
    for (int rank = 0; rank < std::min(question.most, static_cast<int>(ranked.size())); ++rank) {
        const auto& found = *ranked[static_cast<std::size_t>(rank)];
        std::tuple<bool, double, int> best{false, -1, -1};
        for (int r = 0; r < static_cast<int>(regions.size()); ++r) {
            const auto& region = *regions[static_cast<std::size_t>(r)];
            const double overlap = coco_overlap(found.rectangle, region.rectangle, region.is_crowd);
            const bool counts = !region.is_crowd && question.range.holds(region.area);
            const bool free = region.is_crowd || !taken[static_cast<std::size_t>(r)];
            if (free && overlap >= question.threshold) best = std::max(best, {counts, overlap, r});
        }
        const auto [counts, overlap, index] = best;
        if (index >= 0) taken[static_cast<std::size_t>(index)] = true;
        const bool ignored = index >= 0 ? !counts : !question.range.holds(found.rectangle.width * found.rectangle.height);
        outcomes.push_back({.score = found.score, .image = image, .rank = rank, .ignored = ignored, .right = index >= 0});
    }
    return outcomes;
}

struct Answer {
    double precision = kCocoUndefined, recall = kCocoUndefined;
};

Answer answer(const CocoData& data, const std::vector<CocoDetection>& detections, const Question& question) {
    const auto num_regions = std::ranges::count_if(data.annotations, [&](const auto& region) {
        return region.category == question.category && !region.is_crowd && question.range.holds(region.area);
    });
    if (num_regions == 0) return {};
    std::vector<Outcome> outcomes;
    for (int image = 0; image < static_cast<int>(data.images.size()); ++image)
        for (const auto& outcome : outcomes_of_image(data, detections, image, question))
            if (outcome.rank < question.limit && !outcome.ignored) outcomes.push_back(outcome);
    std::ranges::sort(outcomes, [](const auto& a, const auto& b) { return std::tuple(-a.score, a.image, a.rank) < std::tuple(-b.score, b.image, b.rank); });
    double sum = 0, recall = 0;
    for (int step = 0; step <= 100; ++step) {
        double best = 0, right = 0, seen = 0;
        for (const auto& outcome : outcomes) {
            right += outcome.right;
            ++seen;
            recall = right / static_cast<double>(num_regions);
            if (recall >= (step == 100 ? 1.0 : 0.01 * step)) best = std::max(best, right / seen);
        }
        sum += best;
    }
    return {.precision = sum / 101, .recall = recall};
}

struct Made {
    CocoData data;
    std::vector<CocoDetection> detections;
};

/// Boxes of few sides and places, some of them on the borders of the area ranges.
Made crowded(Random& random, int num_images) {
    constexpr int kSides[] = {16, 32, 48, 64, 96, 128};
    const auto box = [&] {
        const auto pick = [&] { return static_cast<double>(kSides[random.pick(6)]); };
        return CocoRectangle{8.0 * random.integer(0, 3), 8.0 * random.integer(0, 3), pick(), pick()};
    };
    Made made;
    for (const std::int64_t id : {3, 1, 7}) made.data.categories.push_back({.id = id, .name = {}});
    for (int i = 0; i < num_images; ++i) {
        made.data.images.push_back({.id = i, .file_name = "a.png", .width = 211, .height = 199});
        const auto image = static_cast<std::size_t>(i);
        for (int n = random.integer(0, 12); n > 0; --n) {
            CocoAnnotation region;
            region.image = image;
            region.category = random.integer(0, 1) == 0 ? 1 : 3;
            region.is_crowd = random.uniform() < 0.2;
            region.rectangle = box();
            region.area = random.integer(0, 3) == 0 ? 1024 : region.rectangle.width * region.rectangle.height;
            made.data.annotations.push_back(region);
        }
        for (int n = random.integer(0, 25); n > 0; --n)
            made.detections.push_back({.image = image, .category = random.integer(0, 3) == 0 ? 7 : random.integer(0, 1) == 0 ? 1 : 3,
                                       .score = 0.25 * random.integer(0, 4), .rectangle = box(), .runs = {}});
    }
    return made;
}

}  // namespace

TEST_CASE("Every score of every threshold, area range, limit and category is that of the definition") {
    Random random(41);
    const std::vector<int> limits{1, 3, 8};
    for (int round = 0; round < 12; ++round) {
        const auto [data, detections] = crowded(random, random.integer(1, 7));
        const auto scores = coco_scores(data, detections, {.task = CocoTask::boxes, .limits = limits});
        REQUIRE(scores.categories() == std::vector<std::int64_t>{1, 3, 7});
        for (std::size_t category = 0; category < 3; ++category)
            for (int t = 0; t < kNumCocoThresholds; ++t)
                for (std::size_t area = 0; area < kNumCocoAreas; ++area)
                    for (std::size_t limit = 0; limit < limits.size(); ++limit) {
                        INFO("round " << round << ", category " << scores.categories()[category] << ", threshold " << t << ", area range " << area << ", limit " << limits[limit]);
                        const auto expected = answer(data, detections,
                                                     {.category = scores.categories()[category], .limit = limits[limit], .most = limits.back(),
                                                      .threshold = t == 9 ? 0.95 : 0.5 + t * ((0.95 - 0.5) / 9), .range = kRanges[area]});
                        const CocoSelection selection{.threshold = t, .category = category, .area = static_cast<CocoArea>(area), .limit = limit};
                        CHECK(scores.average_precision(selection) == Approx(expected.precision).epsilon(1e-12));
                        CHECK(scores.average_recall(selection) == Approx(expected.recall).epsilon(1e-12));
                    }
    }
}
