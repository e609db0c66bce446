// SPDX-License-Identifier: Apache-2.0
#pragma once

// Average precision of the masks that a model makes of a detector's boxes: image by image, so that nothing but matches is kept.

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "experiments/config/settings.hpp"
#include "models/coco_metric.hpp"
#include "models/data/evaluation_set.hpp"

namespace prelude::experiments {

/// A model's answer to a prompt.
struct Answer {
    models::Mask mask;
    double iou = 0;  ///< its own estimate
};

/// Contract  the set outlives it; every image of the set is added once
class DetectionScores final {
  public:
    /// A set whose detections are not scored gives no scores.
    DetectionScores(const models::EvaluationSet& set, const DataSettings& data);

    /// Whether a score needs the model's own estimate.
    [[nodiscard]] static bool needs_estimate(const DataSettings& data) noexcept { return data.score != MaskScore::detector; }

    /// Keeps an answer that is also one to a detection of the image: its box was asked for by itself.
    void remember(const models::EvaluationImage& item, const models::Prompt& prompt, const Answer& answer);

    /// Scores the detections of an image; asks for the boxes whose answer is not remembered.
    void add(const models::EvaluationImage& item, const std::function<Answer(const models::Prompt&)>& ask);

    /// Adds ap, ap50, ap75, ap_small, ap_medium, ap_large and ar to a result; those of which there is nothing to measure are left out.
    void put_into(nlohmann::json& result) const;

  private:
    struct Known {
        models::Box box;
        models::RunLengths runs;
        double iou = 0;
    };
    [[nodiscard]] static Known known(const models::Box& box, const Answer& answer);
    [[nodiscard]] double score(double detector, double iou) const noexcept;

    MaskScore score_;
    std::optional<models::CocoMetric> metric_;
    std::vector<Known> known_;  ///< of the image under way
};

}  // namespace prelude::experiments
