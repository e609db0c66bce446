// SPDX-License-Identifier: Apache-2.0
#pragma once

// How much two regions overlap, as COCO measures it: a crowd is many things under one outline, so what is inside it is inside.

#include <cstdint>
#include <span>

#include "models/data/image.hpp"

namespace prelude::models {

/// A box as COCO writes it: [x, y, width, height], in pixels.
struct CocoRectangle {
    double x = 0, y = 0, width = 0, height = 0;

    friend bool operator==(const CocoRectangle&, const CocoRectangle&) = default;
};

[[nodiscard]] CocoRectangle to_rectangle(const Box& box) noexcept;

/// Intersection over union of a found and a true region; over the found region's area alone where the true one is a crowd.
///
/// Meaning   i / (found + truth - i), or i / found for a crowd; 0 where i is 0, empty regions included (unlike the Mask version in
///           metrics.hpp, which calls two empty masks equal)
/// Contract  run lengths of pictures of the same sides
/// Source    pycocotools (cocodataset/cocoapi), mask.iou; checked against it (golden/coco)
[[nodiscard]] double coco_overlap(std::span<const std::uint32_t> found, std::span<const std::uint32_t> truth, bool truth_is_crowd);
/// The same of boxes, term by term as pycocotools forms it, so that the last bit agrees. No size: no overlap.
[[nodiscard]] double coco_overlap(const CocoRectangle& found, const CocoRectangle& truth, bool truth_is_crowd) noexcept;

}  // namespace prelude::models
