// SPDX-License-Identifier: Apache-2.0
#include "models/data/coco_overlap.hpp"

#include <algorithm>

#include "models/data/coco_rle.hpp"

namespace prelude::models {

CocoRectangle to_rectangle(const Box& box) noexcept { return {.x = box.x0, .y = box.y0, .width = box.x1 - box.x0, .height = box.y1 - box.y0}; }

double coco_overlap(std::span<const std::uint32_t> found, std::span<const std::uint32_t> truth, bool truth_is_crowd) {
    const auto shared = shared_area(found, truth);
    if (shared == 0) return 0;
    const auto whole = truth_is_crowd ? area(found) : area(found) + area(truth) - shared;
    return static_cast<double>(shared) / static_cast<double>(whole);
}

double coco_overlap(const CocoRectangle& found, const CocoRectangle& truth, bool truth_is_crowd) noexcept {
    const double width = std::min(found.width + found.x, truth.width + truth.x) - std::max(found.x, truth.x);
    const double height = std::min(found.height + found.y, truth.height + truth.y) - std::max(found.y, truth.y);
    if (width <= 0 || height <= 0) return 0;
    const double shared = width * height, found_area = found.width * found.height, truth_area = truth.width * truth.height;
    return shared / (truth_is_crowd ? found_area : found_area + truth_area - shared);
}

}  // namespace prelude::models
