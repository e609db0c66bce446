// SPDX-License-Identifier: Apache-2.0
// Kind `coco`: what pycocotools says of detections (precision and recall), and of masks and boxes (run lengths, areas, overlaps).
//
// Scores     a document of `segm` and/or `bbox`, each with `stats`; with it go the annotations and the detections of its folder
//            (masks for segm, boxes for bbox). Beside `stats`: per_category, AP_per_iou, class_agnostic, maxdets_A_B_C (other limits),
//            first_N_images; any other key fails the case
// Masks      a document of masks, polygons, boxes, mask_iou, box_iou, merge

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>

#include "golden.hpp"
#include "models/coco_metric.hpp"

namespace prelude::golden {

namespace {

using namespace prelude::models;

constexpr double kTolerance = 1e-9;

// --- scores ---

/// The numbers in a key such as maxdets_100_300_1000.
std::vector<int> numbers_in(std::string_view key) {
    std::vector<int> numbers;
    while (!key.empty()) {
        const auto digit = key.find_first_of("0123456789");
        if (digit == std::string_view::npos) break;
        int number = 0;
        const auto [end, error] = std::from_chars(key.data() + digit, key.data() + key.size(), number);
        if (error != std::errc{}) throw std::invalid_argument("a number beyond an int");
        numbers.push_back(number);
        key.remove_prefix(static_cast<std::size_t>(end - key.data()));
    }
    return numbers;
}

/// The summary under the names of pycocotools and of tool boxes that add the limit to them.
std::map<std::string, double> names_of(const CocoScores& scores) {
    const auto summary = scores.summary();
    std::map<std::string, double> names{{"AP", summary.precision},
                                        {"AP50", summary.precision_50},
                                        {"AP75", summary.precision_75},
                                        {"AP_small", summary.precision_small},
                                        {"AP_medium", summary.precision_medium},
                                        {"AP_large", summary.precision_large}};
    for (std::size_t i = 0; i < scores.limits().size(); ++i) names[fmt::format("AR{}", scores.limits()[i])] = summary.recall[i];
    for (const auto& [name, value] : {std::pair{"AR_small", summary.recall_small}, {"AR_medium", summary.recall_medium}, {"AR_large", summary.recall_large}}) {
        names[name] = value;
        names[fmt::format("{}_{}", name, scores.limits().back())] = value;
    }
    return names;
}

/// Compares every number of `expected` with the one of that name.
void compare(Report& report, const std::string& where, const Json& expected, const std::map<std::string, double>& actual) {
    for (const auto& [name, value] : expected.items()) {
        const auto found = actual.find(name);
        if (found == actual.end() || !value.is_number()) report.require(false, fmt::format("{}.{}: no such number", where, name));
        else report.deviation(fmt::format("{}.{}", where, name), std::abs(found->second - value.get<double>()));
    }
}

class ScoreCase {
  public:
    ScoreCase(const Json& expected, const Json& annotations, std::map<std::string, const Json*> detections)
        : expected_(expected), annotations_(annotations), detections_(std::move(detections)) {}

    [[nodiscard]] Report run() const {
        Report report(kTolerance);
        const auto data = read_coco(annotations_.dump(), "annotations");
        for (const auto& [name, tests] : expected_.items()) {
            if (name == "counts") compare_counts(report, tests, data);
            else if (name != "segm" && name != "bbox") report.require(false, name + ": neither a task nor counts");
            else run_task(report, name, tests, data);
        }
        return report;
    }

  private:
    void run_task(Report& report, const std::string& task, const Json& tests, const CocoData& data) const {
        CocoMetricOptions options;
        options.task = task == "segm" ? CocoTask::masks : CocoTask::boxes;
        const auto detections = read_coco_detections(detections_.at(task)->dump(), "detections", data, options.task);
        const auto all = coco_scores(data, detections, options);
        for (const auto& [name, expected] : tests.items()) {
            const auto where = task + "." + name;
            if (name == "stats") {
                compare(report, where, expected, names_of(all));
            } else if (name == "per_category") {
                compare_categories(report, where, expected, all);
            } else if (name == "AP_per_iou") {
                std::map<std::string, double> precisions;
                for (int t = 0; t < kNumCocoThresholds; ++t) precisions[fmt::format("{:.2f}", 0.5 + 0.05 * t)] = all.average_precision({.threshold = t});
                compare(report, where, expected, precisions);
            } else if (name == "class_agnostic") {
                auto changed = options;
                changed.by_category = false;
                compare(report, where, expected, names_of(coco_scores(data, detections, changed)));
            } else if (name.starts_with("maxdets_")) {
                auto changed = options;
                changed.limits = numbers_in(name);
                compare(report, where, expected, names_of(coco_scores(data, detections, changed)));
            } else if (name.starts_with("first_") && numbers_in(name).size() == 1) {
                std::vector<std::size_t> images(std::min(static_cast<std::size_t>(numbers_in(name)[0]), data.images.size()));
                for (std::size_t i = 0; i < images.size(); ++i) images[i] = i;
                compare(report, where, expected, names_of(coco_scores(data, detections, options, images)));
            } else {
                report.require(false, where + ": no rule for this test");
            }
        }
    }

    static void compare_categories(Report& report, const std::string& where, const Json& expected, const CocoScores& scores) {
        report.require(expected.size() == scores.categories().size(), where + ": other categories than the annotations list");
        for (std::size_t i = 0; i < scores.categories().size(); ++i) {
            const auto id = std::to_string(scores.categories()[i]);
            const std::map<std::string, double> names{{"AP", scores.average_precision({.category = i})},
                                                      {fmt::format("AR{}", scores.limits().back()), scores.average_recall({.category = i})}};
            compare(report, where + "." + id, expected.at(id), names);
        }
    }

    void compare_counts(Report& report, const Json& expected, const CocoData& data) const {
        std::map<std::string, double> counts{{"images", data.images.size()}, {"annotations", data.annotations.size()}, {"categories", data.categories.size()}};
        counts["crowd"] = static_cast<double>(std::ranges::count_if(data.annotations, &CocoAnnotation::is_crowd));
        if (!detections_.empty()) counts["detections"] = static_cast<double>(detections_.begin()->second->size());
        compare(report, "counts", expected, counts);
    }

    const Json& expected_;
    const Json& annotations_;
    std::map<std::string, const Json*> detections_;
};

bool is_scores(const Json& document) {
    return std::ranges::any_of(std::array{"segm", "bbox"}, [&](auto task) { return has_keys(document, {task}) && has_keys(document[task], {"stats"}); });
}

bool is_annotations(const Json& document) { return has_keys(document, {"images", "annotations"}); }

/// A list of detections whose first has `key`.
bool is_detections(const Json& document, const char* key) {
    return document.is_array() && !document.empty() && has_keys(document[0], {"image_id", "category_id", "score", key});
}

/// The one unclaimed document of the folder that is of this kind. Throws std::invalid_argument if there is none, or several.
template <class IsWanted>
File* only_one(Directory& directory, const File& scores, const char* what, const IsWanted& is_wanted) {
    std::vector<File*> found;
    for (auto* file : directory.unclaimed())
        if (file->document && file->path.parent_path() == scores.path.parent_path() && is_wanted(*file->document)) found.push_back(file);
    if (found.size() == 1) return found[0];
    throw std::invalid_argument(fmt::format("{} files of {} in the folder, needed is one", found.size(), what));
}

Case score_case(Directory& directory, File& scores) {
    const auto path = without_extension(scores.name);
    scores.claimed = true;
    try {
        std::vector<File*> files{only_one(directory, scores, "annotations", is_annotations)};
        std::map<std::string, const Json*> detections;
        for (const auto& [task, key, what] : {std::tuple{"segm", "segmentation", "detected masks"}, {"bbox", "bbox", "detected boxes"}}) {
            if (!scores.document->contains(task)) continue;
            files.push_back(only_one(directory, scores, what, [key = key](const Json& document) { return is_detections(document, key); }));
            detections[task] = &*files.back()->document;
        }
        for (auto* file : files) file->claimed = true;
        return {"coco", path, [expected = &*scores.document, annotations = &*files[0]->document, detections] {
                    return ScoreCase(*expected, *annotations, detections).run();
                }};
    } catch (const std::invalid_argument& error) {
        return {"coco", path, [message = std::string(error.what())]() -> Report { throw std::invalid_argument(message); }};
    }
}

// --- masks and boxes ---

struct Sized {
    int height = 0, width = 0;
};

Sized size_of(const Json& item) { return {.height = item.at("size").at(0), .width = item.at("size").at(1)}; }

RunLengths runs_of(const Json& region) {
    const auto [height, width] = size_of(region);
    return decompress(region.at("counts").get<std::string>(), std::int64_t{height} * width);
}

CocoRectangle rectangle_of(const Json& xywh) { return {.x = xywh.at(0), .y = xywh.at(1), .width = xywh.at(2), .height = xywh.at(3)}; }

/// Text, area and, where given, box.
void compare_runs(Report& report, const std::string& where, const Json& expected, const RunLengths& runs, int height) {
    report.require(compress(runs) == expected.at("compressed_counts").get<std::string>(), where + ": other run lengths");
    report.require(area(runs) == expected.at("area").get<std::int64_t>(), where + ": another area");
    report.require(to_rectangle(tight_box(runs, height)) == rectangle_of(expected.at("bbox_xywh")), where + ": another box");
}

void test_mask(Report& report, const std::string& where, const Json& item) {
    const auto& rows = item.at("mask_rows");
    Mask mask(static_cast<int>(rows.at(0).get<std::string>().size()), static_cast<int>(rows.size()));
    std::size_t at = 0;
    for (const auto& row : rows)
        for (const char pixel : row.get<std::string>()) mask.values.at(at++) = pixel == '1';
    const auto runs = run_lengths(mask);
    report.require(runs == item.at("uncompressed_counts").get<RunLengths>(), where + ": other uncompressed run lengths");
    compare_runs(report, where, item, runs, mask.height);
}

void test_polygons(Report& report, const std::string& where, const Json& item) {
    const auto [height, width] = size_of(item);
    CocoAnnotation annotation;
    annotation.outlines = item.at("polygons").get<std::vector<std::vector<double>>>();
    compare_runs(report, where, item, run_lengths_of(annotation, {.id = 0, .file_name = {}, .width = width, .height = height}), height);
}

void test_box(Report& report, const std::string& where, const Json& item) {
    const auto [height, width] = size_of(item);
    const auto [x, y, w, h] = rectangle_of(item.at("bbox_xywh"));
    const auto runs = rasterise_outline(std::vector{x, y, x, y + h, x + w, y + h, x + w, y}, width, height);
    report.require(compress(runs) == item.at("compressed_counts").get<std::string>(), where + ": other run lengths");
    report.require(area(runs) == item.at("area").get<std::int64_t>(), where + ": another area");
}

template <class Read>
void test_overlaps(Report& report, const std::string& where, const Json& item, const Read& read) {
    const auto &found = item.at("dt"), &truth = item.at("gt");
    for (std::size_t d = 0; d < found.size(); ++d)
        for (std::size_t g = 0; g < truth.size(); ++g) {
            const double overlap = coco_overlap(read(found[d]), read(truth[g]), item.at("iscrowd").at(g) == 1);
            report.require(overlap == item.at("iou").at(d).at(g).template get<double>(), fmt::format("{}: {} and {}: got {}", where, d, g, overlap));
        }
}

void test_merge(Report& report, const std::string& where, const Json& item) {
    for (const auto& [name, how] : {std::pair{"union", Merge::either}, {"intersection", Merge::both}}) {
        auto runs = runs_of(item.at("inputs").at(0));
        for (const auto& input : item.at("inputs")) runs = merge(runs, runs_of(input), how);
        report.require(compress(runs) == item.at(name).get<std::string>(), fmt::format("{}: another {}", where, name));
    }
}

Report test_run_lengths(const Json& document) {
    const std::map<std::string, std::function<void(Report&, const std::string&, const Json&)>> tests{
        {"masks", test_mask},
        {"polygons", test_polygons},
        {"boxes", test_box},
        {"mask_iou", [](Report& report, const std::string& where, const Json& item) { test_overlaps(report, where, item, runs_of); }},
        {"box_iou", [](Report& report, const std::string& where, const Json& item) { test_overlaps(report, where, item, rectangle_of); }},
        {"merge", test_merge}};
    Report report(0);
    for (const auto& [name, items] : document.items()) {
        const auto test = tests.find(name);
        report.require(test != tests.end(), name + ": no rule for this test");
        if (test == tests.end()) continue;
        if (items.is_object()) test->second(report, name, items);
        for (std::size_t i = 0; items.is_array() && i < items.size(); ++i) test->second(report, fmt::format("{}[{}]", name, i), items[i]);
    }
    return report;
}

}  // namespace

std::vector<Case> find_coco(Directory& directory) {
    std::vector<Case> cases;
    for (auto* file : directory.unclaimed()) {
        if (file->claimed || !file->document) continue;
        if (is_scores(*file->document)) {
            cases.push_back(score_case(directory, *file));
        } else if (has_keys(*file->document, {"masks", "polygons"})) {
            file->claimed = true;
            cases.push_back({"coco", without_extension(file->name), [document = &*file->document] { return test_run_lengths(*document); }});
        }
    }
    return cases;
}

}  // namespace prelude::golden
