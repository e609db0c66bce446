// SPDX-License-Identifier: Apache-2.0
#pragma once

// COCO's detection scores of masks and boxes: how many of the annotated regions a detector finds, how well outlined, how few others it
// reports. Images are matched one at a time, in any order and in any process; what stays of an image is which detection was right.

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "models/data/coco_detections.hpp"

namespace prelude::models {

/// Overlaps at which a detection counts as right: 0.50, 0.55, .. 0.95.
inline constexpr int kNumCocoThresholds = 10;

/// Regions by area, both ends included: all, up to 32^2 pixels, 32^2 .. 96^2, from 96^2; none beyond 10^10 pixels.
enum class CocoArea { all, small, medium, large };
inline constexpr int kNumCocoAreas = 4;

/// A score of which there is nothing to take: no annotated region counts.
inline constexpr double kCocoUndefined = -1;

struct CocoMetricOptions {
    CocoTask task = CocoTask::masks;
    std::vector<int> limits{1, 10, 100};  ///< best detections of an image and category that count; ascending, from 1 up
    bool by_category = true;              ///< false: a detection may match a region of any category, all are scored as one
};

/// What one image contributes: its categories (indices into CocoData::categories in order of their ids, 0 alone if not by category).
struct CocoMatches {
    /// One detection; bit t of a word belongs to threshold t.
    struct Detection {
        double score = 0;
        std::array<std::uint16_t, kNumCocoAreas> matched{};  ///< to a region, which may be one that does not count
        std::array<std::uint16_t, kNumCocoAreas> ignored{};  ///< neither right nor wrong
    };
    struct Category {
        std::size_t index = 0;
        std::array<std::int64_t, kNumCocoAreas> num_regions{};  ///< that count
        std::vector<Detection> detections;                      ///< by falling score, at most the last limit
    };
    std::int64_t image_id = 0;
    std::vector<Category> categories;
};

/// What a score is taken over; what is not given is averaged over.
struct CocoSelection {
    std::optional<int> threshold;         ///< [0, kNumCocoThresholds)
    std::optional<std::size_t> category;  ///< index into CocoScores::categories
    CocoArea area = CocoArea::all;
    std::optional<std::size_t> limit;  ///< index into CocoScores::limits; the last if not given
};

/// The numbers that pycocotools prints; kCocoUndefined where there is nothing to measure.
struct CocoSummary {
    double precision = kCocoUndefined;  ///< AP, at 100 detections if that is one of the limits, else at the last limit
    double precision_50 = kCocoUndefined, precision_75 = kCocoUndefined;                                               ///< at the last limit
    double precision_small = kCocoUndefined, precision_medium = kCocoUndefined, precision_large = kCocoUndefined;      ///< at the last limit
    std::vector<double> recall;                                                                                        ///< AR at each limit
    double recall_small = kCocoUndefined, recall_medium = kCocoUndefined, recall_large = kCocoUndefined;               ///< at the last limit
};

class CocoScores final {
  public:
    CocoScores(std::vector<std::int64_t> categories, std::vector<int> limits);

    /// Ids, ascending; none if categories were not told apart.
    [[nodiscard]] const std::vector<std::int64_t>& categories() const noexcept { return categories_; }
    [[nodiscard]] const std::vector<int>& limits() const noexcept { return limits_; }

    /// Mean over the selection of the average precision: the mean over recall 0, 0.01, .. 1 of the best precision at that recall or
    /// beyond (0 where the recall is not reached). Categories without a region that counts are left out; kCocoUndefined if all are.
    [[nodiscard]] double average_precision(const CocoSelection& selection) const { return mean(precisions_, selection); }
    /// Mean over the selection of the share of the regions that is found.
    [[nodiscard]] double average_recall(const CocoSelection& selection) const { return mean(recalls_, selection); }
    [[nodiscard]] CocoSummary summary() const;

  private:
    friend class CocoMetric;
    [[nodiscard]] std::size_t num_groups() const noexcept { return categories_.empty() ? 1 : categories_.size(); }
    [[nodiscard]] std::size_t at(std::size_t group, std::size_t area, std::size_t limit, std::size_t threshold) const noexcept;
    [[nodiscard]] double mean(const std::vector<double>& values, const CocoSelection& selection) const;

    std::vector<std::int64_t> categories_;
    std::vector<int> limits_;
    std::vector<double> precisions_, recalls_;  ///< [group][area][limit][threshold]
};

/// Scores detections against annotations as pycocotools does.
///
/// Meaning   per image and category, detections in order of falling score (file order among equals) take at each threshold the region
///           they overlap most (the last of equals) that no detection has taken. Crowds, and regions outside the area range, do not
///           count: only what overlaps no counted region goes to them, a crowd may be taken many times, and what is taken so is
///           neither right nor wrong; nor is an unmatched detection whose own area is outside the range. Precision and recall follow
///           the detections of all images by falling score (among equals: by image id, then as in the image).
///           A mask's area is its pixels, a detected box's its sides' product, a region's the file's `area`
/// Limits    scores are finite; detections of categories that the data do not list are left out
/// Source    pycocotools (cocodataset/cocoapi), COCOeval; checked against it to 1e-9 (golden/coco)
/// Differs   pycocotools counts a match to the annotation of id 0 as wrong, and takes a detected mask's area from its box where a result
///           file holds both; neither is done here. With limits that do not include 100 it leaves AP undefined (see CocoSummary)
class CocoMetric final {
  public:
    /// Keeps a reference to the data.
    CocoMetric(const CocoData& data, CocoMetricOptions options);
    CocoMetric(const CocoData&&, CocoMetricOptions) = delete;

    /// Compares the detections of one image, in file order, with its annotations.
    /// Contract  a pure function; every detection has the image's index and, for masks, run lengths of its sides
    [[nodiscard]] CocoMatches match(std::size_t image, std::span<const CocoDetection> detections) const;

    /// Counts an image, once (checked). An image that is not added is not part of the evaluation; one without a detection has to be added.
    void add(CocoMatches matches);

    /// The scores of the images added; does not depend on the order in which they were.
    [[nodiscard]] CocoScores scores() const;

  private:
    const CocoData& data_;
    CocoMetricOptions options_;
    std::vector<std::int64_t> categories_;                  ///< ids, ascending
    std::vector<std::vector<std::size_t>> annotations_of_;  ///< by image
    std::map<std::int64_t, CocoMatches> images_;            ///< by id
};

/// The scores of a detector's results for all images, or for those of the given indices.
[[nodiscard]] CocoScores coco_scores(const CocoData& data, std::vector<CocoDetection> detections, const CocoMetricOptions& options = {},
                                     std::optional<std::span<const std::size_t>> images = std::nullopt);

}  // namespace prelude::models
