// SPDX-License-Identifier: Apache-2.0
// How long detection scores of a whole data set take, and in how much memory:
//   coco_metric_benchmark [IMAGES [DETECTIONS_PER_IMAGE]]          default 5000 and 100, as many as COCO's val2017 has
// Generated images of 640 x 480 with about 7 regions of 80 categories; detections are moved copies of regions, and others. Images are made,
// matched and forgotten one after another, as an evaluation does it.

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>
#include <string_view>

#include "models/coco_metric.hpp"
#include "models/data/random.hpp"

using namespace prelude::models;

namespace {

constexpr int kWidth = 640, kHeight = 480, kCategories = 80;

struct Blob {
    double x = 0, y = 0, radius_x = 0, radius_y = 0;
};

Blob random_blob(Random& random) {
    const double size = std::exp(random.uniform(std::log(5.0), std::log(160.0)));
    return {.x = random.uniform(0, kWidth), .y = random.uniform(0, kHeight), .radius_x = size, .radius_y = size * random.uniform(0.5, 2)};
}

Blob moved(Random& random, const Blob& blob) {
    const double by = 0.15 * blob.radius_x * random.uniform();
    return {.x = blob.x + by, .y = blob.y - by, .radius_x = blob.radius_x * random.uniform(0.85, 1.15), .radius_y = blob.radius_y * random.uniform(0.85, 1.15)};
}

/// An ellipse with a rough border: a run in every column.
RunLengths runs_of(Random& random, const Blob& blob) {
    RunLengths runs;
    std::int64_t written = 0;
    for (int x = std::max(0, static_cast<int>(blob.x - blob.radius_x)); x < std::min<double>(kWidth, blob.x + blob.radius_x); ++x) {
        const double across = (x - blob.x) / blob.radius_x, half = blob.radius_y * std::sqrt(std::max(0.0, 1 - across * across)) + random.uniform(-1, 1);
        const auto row = [](double y) { return static_cast<std::int64_t>(std::clamp<double>(y, 0, kHeight)); };
        const auto from = row(blob.y - half), to = row(blob.y + half), begin = std::int64_t{x} * kHeight + from;
        if (to <= from) continue;
        if (begin == written && !runs.empty()) {
            runs.back() += static_cast<std::uint32_t>(to - from);
        } else {
            runs.push_back(static_cast<std::uint32_t>(begin - written));
            runs.push_back(static_cast<std::uint32_t>(to - from));
        }
        written = begin + to - from;
    }
    runs.push_back(static_cast<std::uint32_t>(std::int64_t{kWidth} * kHeight - written));
    return runs;
}

CocoData annotated(int num_images, std::vector<std::vector<Blob>>& blobs) {
    Random random(1);
    CocoData data;
    for (int c = 0; c < kCategories; ++c) data.categories.push_back({.id = c + 1, .name = {}});
    for (int i = 0; i < num_images; ++i) {
        data.images.push_back({.id = i, .file_name = "a.png", .width = kWidth, .height = kHeight});
        auto& own = blobs.emplace_back();
        for (int r = random.integer(1, 13); r > 0; --r) {
            own.push_back(random_blob(random));
            CocoAnnotation annotation;
            annotation.id = static_cast<std::int64_t>(data.annotations.size()) + 1;
            annotation.image = static_cast<std::size_t>(i);
            annotation.category = random.integer(1, kCategories);
            annotation.is_crowd = random.uniform() < 0.01;
            annotation.runs = runs_of(random, own.back());
            annotation.area = static_cast<double>(area(annotation.runs));
            annotation.rectangle = to_rectangle(tight_box(annotation.runs, kHeight));
            data.annotations.push_back(std::move(annotation));
        }
    }
    return data;
}

int count_of(const char* text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text, text + std::strlen(text), value);
    return error == std::errc{} && *end == 0 && value > 0 ? value : 0;
}

}  // namespace

int main(int argc, char** argv) {
    const int num_images = argc > 1 ? count_of(argv[1]) : 5000, per_image = argc > 2 ? count_of(argv[2]) : 100;
    if (argc > 3 || num_images == 0 || per_image == 0) {
        fmt::print(stderr, "usage: coco_metric_benchmark [IMAGES [DETECTIONS_PER_IMAGE]]\n");
        return 2;
    }
    std::vector<std::vector<Blob>> blobs;
    const auto data = annotated(num_images, blobs);
    std::vector<std::size_t> first_of(data.images.size() + 1, data.annotations.size());
    for (std::size_t i = data.annotations.size(); i-- > 0;) first_of[data.annotations[i].image] = i;

    using Clock = std::chrono::steady_clock;
    for (const bool by_category : {true, false}) {
        Random random(2);
        CocoMetric metric(data, {.by_category = by_category});
        Clock::duration matching{};
        for (std::size_t image = 0; image < data.images.size(); ++image) {
            std::vector<CocoDetection> detections;
            for (int d = 0; d < per_image; ++d) {
                const auto region = random.pick(2 * blobs[image].size());
                const bool is_copy = region < blobs[image].size();
                const auto blob = is_copy ? moved(random, blobs[image][region]) : random_blob(random);
                const auto category = is_copy ? data.annotations[first_of[image] + region].category : random.integer(1, kCategories);
                detections.push_back({.image = image, .category = category, .score = std::round(1000 * random.uniform()) / 1000, .rectangle = {}, .runs = runs_of(random, blob)});
            }
            const auto begin = Clock::now();
            metric.add(metric.match(image, detections));
            matching += Clock::now() - begin;
        }
        const auto begin = Clock::now();
        const auto scores = metric.scores().summary();
        const std::chrono::duration<double> matched = matching, scored = Clock::now() - begin;
        rusage usage{};
        getrusage(RUSAGE_SELF, &usage);
        fmt::print("{}: {} images, {} regions, {} detections: matched in {:.2f} s, scored in {:.2f} s, peak memory {:.0f} MB, AP {:.4f}, AR {:.4f}\n",
                   by_category ? "by category" : "without categories", num_images, data.annotations.size(), std::int64_t{num_images} * per_image, matched.count(),
                   scored.count(), static_cast<double>(usage.ru_maxrss) / 1024, scores.precision, scores.recall.back());
    }
    return 0;
}
