// SPDX-License-Identifier: Apache-2.0
#include "experiments/evaluate/detection_scores.hpp"

#include <algorithm>
#include <string_view>

namespace prelude::experiments {

namespace {

std::vector<int> limits_of(DetectionLimits limits) { return limits == DetectionLimits::mmdet ? std::vector{100, 300, 1000} : std::vector{1, 10, 100}; }

}  // namespace

DetectionScores::DetectionScores(const models::EvaluationSet& set, const DataSettings& data) : score_(data.score) {
    if (const auto* annotations = set.annotations())
        metric_.emplace(*annotations, models::CocoMetricOptions{.task = models::CocoTask::masks, .limits = limits_of(data.detection_limits)});
}

DetectionScores::Known DetectionScores::known(const models::Box& box, const Answer& answer) {
    return {.box = box, .runs = models::run_lengths(answer.mask), .iou = answer.iou};
}

double DetectionScores::score(double detector, double iou) const noexcept {
    switch (score_) {
        case MaskScore::detector: return detector;
        case MaskScore::predicted_iou: return iou;
        case MaskScore::product: break;
    }
    return detector * iou;
}

void DetectionScores::remember(const models::EvaluationImage& item, const models::Prompt& prompt, const Answer& answer) {
    if (!item.annotated || !prompt.box || !prompt.points.empty()) return;
    if (std::ranges::find(item.detections, *prompt.box, &models::DetectedBox::box) != item.detections.end()) known_.push_back(known(*prompt.box, answer));
}

void DetectionScores::add(const models::EvaluationImage& item, const std::function<Answer(const models::Prompt&)>& ask) {
    if (!metric_ || !item.annotated) return;
    std::vector<models::CocoDetection> detections;
    for (const auto& detection : item.detections) {
        auto found = std::ranges::find(known_, detection.box, &Known::box);
        if (found == known_.end()) found = known_.insert(found, known(detection.box, ask({.points = {}, .box = detection.box, .mask = {}})));
        detections.push_back({.image = *item.annotated, .category = detection.category, .score = score(detection.score, found->iou), .rectangle = {}, .runs = found->runs});
    }
    known_.clear();
    metric_->add(metric_->match(*item.annotated, detections));
}

void DetectionScores::put_into(nlohmann::json& result) const {
    if (!metric_) return;
    const auto summary = metric_->scores().summary();
    const auto put = [&](std::string_view name, double value) {
        if (value != models::kCocoUndefined) result[std::string(name)] = value;
    };
    put("ap", summary.precision);
    put("ap50", summary.precision_50);
    put("ap75", summary.precision_75);
    put("ap_small", summary.precision_small);
    put("ap_medium", summary.precision_medium);
    put("ap_large", summary.precision_large);
    put("ar", summary.recall.back());
}

}  // namespace prelude::experiments
