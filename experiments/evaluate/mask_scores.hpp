// SPDX-License-Identifier: Apache-2.0
#pragma once

// How well the masks of one model agree with the truth: prompt by prompt, and the means of that.

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "models/data/evaluation_set.hpp"
#include "models/metrics.hpp"

namespace prelude::experiments {

/// Contract  every prompt of a picture is added before the next picture's; the results do not depend on anything but masks and prompts
class MaskScores final {
  public:
    enum class Boundaries { skip, measure };
    explicit MaskScores(Boundaries boundaries) : boundaries_(boundaries) {}

    /// Starts a picture; one without prompts does not count.
    void begin(const models::EvaluationImage& item);
    /// Scores the answer to a prompt of the picture.
    /// Returns   the intersection over union
    double add(const models::PromptedMask& prompt, const models::Mask& mask);

    /// Means and counts under the names of their columns, and what stands behind them.
    ///
    /// Meaning   miou, its interval (pictures drawn with all their prompts), miou_box, miou_point, dice, num_images, num_prompts; where measured
    ///           boundary_px and hd95_px, in which the picture's diagonal stands for a distance from or to an empty mask; iou: lists, one a
    ///           picture; asked: SHA-256 of pictures, prompts and truths (two results of equal `asked` pair up prompt by prompt);
    ///           warnings: sentences
    ///           `suffix`: of the columns that warnings speak of
    [[nodiscard]] nlohmann::json summary(std::string_view suffix = {}) const;

  private:
    Boundaries boundaries_;
    models::Clusters iou_;  ///< by picture
    std::vector<double> box_, point_, dice_, average_, hausdorff_95_;
    std::int64_t num_empty_ = 0;  ///< masks without a pixel
    std::string asked_;
};

}  // namespace prelude::experiments
