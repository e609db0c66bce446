// SPDX-License-Identifier: Apache-2.0
#include "experiments/evaluate/mask_scores.hpp"

#include <fmt/format.h>

#include <cmath>

#include "experiments/hash.hpp"

namespace prelude::experiments {

namespace {

constexpr std::uint64_t kBootstrapSeed = 1;

/// What a prompt asks and what would be right.
std::string text_of(const models::PromptedMask& prompt) {
    std::string text;
    if (const auto& box = prompt.prompt.box) text += fmt::format("box {} {} {} {} ", box->x0, box->y0, box->x1, box->y1);
    for (const auto& point : prompt.prompt.points) text += fmt::format("point {} {} {} ", point.position.x, point.position.y, point.label);
    return text + fmt::format("truth {}\n", models::area(prompt.truth));
}

}  // namespace

void MaskScores::begin(const models::EvaluationImage& item) {
    if (item.prompts.empty()) return;
    iou_.emplace_back();
    asked_ += fmt::format("{} {} {}\n", item.name, item.image.width, item.image.height);
}

double MaskScores::add(const models::PromptedMask& prompt, const models::Mask& mask) {
    asked_ += text_of(prompt);
    const double iou = models::intersection_over_union(mask, prompt.truth);
    iou_.back().push_back(iou);
    (prompt.kind == models::PromptKind::box ? box_ : point_).push_back(iou);
    dice_.push_back(models::dice(mask, prompt.truth));
    if (boundaries_ == Boundaries::skip) return iou;
    auto distance = models::boundary_distance(mask, prompt.truth);
    if (std::isinf(distance.average)) {
        ++num_empty_;
        const double diagonal = std::hypot(mask.width, mask.height);
        distance = {.hausdorff_95 = diagonal, .average = diagonal};
    }
    average_.push_back(distance.average);
    hausdorff_95_.push_back(distance.hausdorff_95);
    return iou;
}

nlohmann::json MaskScores::summary(std::string_view suffix) const {
    const auto interval = models::bootstrap_mean(iou_, kBootstrapSeed);
    nlohmann::json result{{"miou", models::mean(iou_)},
                          {"miou_ci95_low", interval.low},
                          {"miou_ci95_high", interval.high},
                          {"dice", models::mean(dice_)},
                          {"num_images", iou_.size()},
                          {"num_prompts", dice_.size()},
                          {"iou", iou_},
                          {"asked", sha256(asked_)},
                          {"warnings", nlohmann::json::array()}};
    if (!box_.empty()) result["miou_box"] = models::mean(box_);
    if (!point_.empty()) result["miou_point"] = models::mean(point_);
    if (average_.empty()) return result;
    result["boundary_px"] = models::mean(average_);
    result["hd95_px"] = models::mean(hausdorff_95_);
    if (num_empty_ > 0)
        result["warnings"].push_back(fmt::format("boundary_px{0} and hd95_px{0}: {1} of {2} masks without a pixel count as the picture's diagonal away", suffix, num_empty_, dice_.size()));
    return result;
}

}  // namespace prelude::experiments
