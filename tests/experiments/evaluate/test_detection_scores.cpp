// SPDX-License-Identifier: Apache-2.0
// From a detector's boxes to average precision: without a network, whose answers are made here; and with the tiny one.
#include "experiments/evaluate/detection_scores.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "experiments/config/configuration.hpp"
#include "experiments/evaluate/accuracy.hpp"
#include "experiments/evaluate/hardware.hpp"
#include "models/data/coco.hpp"
#include "models/data/random.hpp"
#include "quant/calibration/calibrate.hpp"
#include "quant/quantize.hpp"
#include "tests/support/program.hpp"
#include "tests/support/tiny_configuration.hpp"
#include "tests/paths.hpp"

using namespace prelude;
using namespace prelude::experiments;

namespace {

constexpr int kWidth = 48, kHeight = 36;

models::Mask filled(const models::Box& box, int shrink = 0) {
    models::Mask mask(kWidth, kHeight);
    for (int y = static_cast<int>(box.y0) + shrink; y < box.y1 - shrink; ++y)
        for (int x = static_cast<int>(box.x0) + shrink; x < box.x1 - shrink; ++x) mask.values[static_cast<std::size_t>(y * kWidth + x)] = 1;
    return mask;
}

/// Photographs with rectangles for regions, of two categories, and a detector that finds some of them, misses some and invents others.
/// The last picture has a detection and no region, the one before neither.
struct Photographs {
    testing::TemporaryFolder folder;
    std::string annotations, boxes;

    Photographs() {
        models::Random random(4);
        std::string images;
        int id = 0;
        for (int i = 1; i <= 6; ++i) {
            const auto grey = static_cast<std::uint8_t>(40 * i);
            models::write_png(folder / fmt::format("{}.png", i), {.width = kWidth, .height = kHeight, .rgb = std::vector<std::uint8_t>(3 * kWidth * kHeight, grey)});
            images += fmt::format(R"({}{{"id":{},"file_name":"{}.png","width":{},"height":{}}})", i == 1 ? "" : ",", i, i, kWidth, kHeight);
            for (int r = 0; i <= 4 && r < 4; ++r) {
                const int x = 12 * r, y = static_cast<int>(random.pick(8)), w = 6 + static_cast<int>(random.pick(6)), h = 8 + static_cast<int>(random.pick(20)), category = 1 + r % 2;
                annotations += fmt::format(R"({}{{"id":{},"image_id":{},"category_id":{},"bbox":[{},{},{},{}],"segmentation":[[{},{},{},{},{},{},{},{}]]}})", id == 0 ? "" : ",", id + 1, i,
                                           category, x, y, w, h, x, y, x + w, y, x + w, y + h, x, y + h);
                ++id;
                if (random.uniform() < 0.75) found(i, category, x, y, w, h + static_cast<int>(random.pick(4)), random.uniform());
            }
            if (i != 5) found(i, 1, 3, 3, 20, 20, random.uniform());
        }
        testing::write_file(folder / "instances.json", fmt::format(R"({{"images":[{}],"annotations":[{}]}})", images, annotations));
        testing::write_file(folder / "boxes.json", "[" + boxes + "]");
    }
    void found(int image, int category, int x, int y, int w, int h, double score) {
        boxes += fmt::format(R"({}{{"image_id":{},"category_id":{},"bbox":[{},{},{},{}],"score":{}}})", boxes.empty() ? "" : ",", image, category, x, y, w, h, score);
    }
    [[nodiscard]] Settings settings(const std::string& more = "") const {
        return read_configuration_text(testing::tiny_model() + "data: {kind: coco, num_images: 9, prompts: [box, point], path: " + folder.path().string() +
                                           ", boxes: " + (folder / "boxes.json").string() + more + "}\n",
                                       "f.yaml", {}, PRELUDE_SOURCE_DIR "/arch_configs")
            .base;
    }
};

/// An answer that needs no network: the box, smaller by a pixel, and an estimate that depends on its place.
Answer made_up(const models::Prompt& prompt) { return {.mask = filled(*prompt.box, 1), .iou = 0.3 + prompt.box->x0 / 100}; }

/// What the COCO metric says of the same masks, put together the other way: all detections of the file at once.
models::CocoSummary expected(const Photographs& photographs, const std::function<double(double, double)>& score, std::vector<int> limits) {
    const auto data = models::read_coco(photographs.folder / "instances.json");
    std::vector<models::CocoDetection> detections;
    for (const auto& box : models::read_coco_boxes(photographs.folder / "boxes.json", data)) {
        const auto answer = made_up({.points = {}, .box = box.box, .mask = {}});
        detections.push_back({.image = box.image, .category = box.category, .score = score(box.score, answer.iou), .rectangle = {}, .runs = models::run_lengths(answer.mask)});
    }
    return models::coco_scores(data, detections, {.limits = std::move(limits)}).summary();
}

nlohmann::json scores_without_network(const DataSettings& data, bool remembers) {
    const auto set = evaluation_set(data, models::SamConfig{});
    DetectionScores scores(*set, data);
    std::size_t num_asked = 0, num_detections = 0;
    for (int i = 0; i < set->size(); ++i) {
        const auto item = set->image(i);
        num_detections += item.detections.size();
        if (remembers)
            for (const auto& prompt : item.prompts) scores.remember(item, prompt.prompt, prompt.prompt.box ? made_up(prompt.prompt) : Answer{.mask = models::Mask(kWidth, kHeight)});
        scores.add(item, [&](const models::Prompt& prompt) {
            ++num_asked;
            return made_up(prompt);
        });
    }
    CHECK(num_detections > 10);
    CHECK((remembers ? num_asked < num_detections : num_asked == num_detections));
    nlohmann::json result;
    scores.put_into(result);
    return result;
}

}  // namespace

TEST_CASE("Every detection of every picture counts, by the score that was asked for, and what was asked before is not asked again") {
    const Photographs photographs;
    const auto detector = [](double score, double) { return score; };
    for (const auto& [name, score] : std::vector<std::pair<std::string, std::function<double(double, double)>>>{
             {"detector", detector}, {"predicted_iou", [](double, double iou) { return iou; }}, {"product", [](double score, double iou) { return score * iou; }}}) {
        const auto truth = expected(photographs, score, {1, 10, 100});
        for (const bool remembers : {false, true}) {
            INFO(name << (remembers ? ", answers remembered" : ""));
            const auto result = scores_without_network(photographs.settings(", score: " + name).data, remembers);
            CHECK(result.at("ap") == truth.precision);
            CHECK(result.at("ap50") == truth.precision_50);
            CHECK(result.at("ap75") == truth.precision_75);
            CHECK(result.at("ap_small") == truth.precision_small);
            CHECK(result.at("ar") == truth.recall.back());
            CHECK_FALSE(result.contains("ap_large"));  // no region is that large
            CHECK((result.at("ap50") > 0.1 && result.at("ap50") < 0.95));
        }
    }
    CHECK(expected(photographs, detector, {1, 10, 100}).precision != expected(photographs, [](double, double iou) { return iou; }, {1, 10, 100}).precision);
}

TEST_CASE("Few detections, none, and the limits of mmdet") {
    const Photographs photographs;
    const auto all = scores_without_network(photographs.settings().data, false);
    CHECK(scores_without_network(photographs.settings(", detection_limits: mmdet").data, false) == all);  // nothing has more than 100
    const auto few = photographs.settings(", max_detections: 1").data;
    const auto set = evaluation_set(few, models::SamConfig{});
    for (int i = 0; i < set->size(); ++i) CHECK(set->image(i).detections.size() <= 1);
    const auto none = photographs.settings(", max_detections: 0").data;
    const auto unscored = evaluation_set(none, models::SamConfig{});
    CHECK(unscored->annotations() == nullptr);
    CHECK(unscored->size() < set->size());
    nlohmann::json result = nlohmann::json::object();
    DetectionScores(*unscored, none).put_into(result);
    CHECK(result.empty());
}

TEST_CASE("The FP32 model and the integer engine are scored on the same boxes, and pictures without prompts change no IoU") {
    const Photographs photographs;
    const auto settings = photographs.settings(), unscored = photographs.settings(", max_detections: 0");
    const auto model = load_model(settings.model);
    const auto set = evaluation_set(settings.data, model.config), plain = evaluation_set(unscored.data, model.config);
    const auto reference = evaluate_reference(model, *set, settings.data), without = evaluate_reference(model, *plain, unscored.data);
    REQUIRE(reference.accuracy.contains("ap"));
    CHECK_FALSE(without.accuracy.contains("ap"));
    for (const auto* name : {"miou", "iou", "dice", "asked", "num_images", "num_prompts"}) CHECK(reference.accuracy.at(name) == without.accuracy.at(name));

    // The same by hand: every detection of the file, asked for by itself.
    models::Predictor predictor(model.config, *model.weights);
    const auto* data = set->annotations();
    std::vector<models::CocoDetection> detections;
    for (const auto& box : models::read_coco_boxes(photographs.folder / "boxes.json", *data)) {
        const auto prediction = predictor.predict(predictor.encode(models::read_image(models::picture_path(*data, data->images[box.image]))), {.points = {}, .box = box.box, .mask = {}});
        detections.push_back({.image = box.image, .category = box.category, .score = box.score * static_cast<double>(prediction.iou[0]), .rectangle = {}, .runs = models::run_lengths(prediction.mask(0))});
    }
    CHECK(reference.accuracy.at("ap") == models::coco_scores(*data, detections).summary().precision);

    const auto quantized = quant::quantize(model.config, models::build_sam(model.config), *model.weights, settings.quant,
                                           quant::calibrate(predictor, *calibration_set(settings, model.config), settings.quant));
    const auto accuracy = quantized_accuracy(model, quantized, *set, reference.answers, settings.data);
    CHECK(accuracy.contains("ap"));
    CHECK(accuracy.at("asked") == reference.accuracy.at("asked"));
    CHECK(accuracy.at("iou").size() == reference.accuracy.at("iou").size());
    Cells cells;
    reference_cells(reference.accuracy, cells);
    accuracy_cells(accuracy, cells);
    for (const auto* name : {"ap", "ap50", "ap75", "ar", "ap_fp32", "dice", "dice_fp32", "miou_fp32"}) CHECK(cells.contains(name));
    CHECK_FALSE(cells.contains("boundary_px"));
}
