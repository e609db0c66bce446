// SPDX-License-Identifier: Apache-2.0
#pragma once

// The fields that annotations and detections share, checked against the picture they belong to.

#include <optional>

#include "models/data/coco.hpp"
#include "models/data/coco_json.hpp"

namespace prelude::models {

/// `bbox`; reports and gives nothing where it stands out of the picture by more than `slack` pixels or has a negative side.
[[nodiscard]] std::optional<CocoRectangle> rectangle_in(const JsonRecord& record, const CocoImage& image, double slack);

/// The part of it in the picture.
[[nodiscard]] Box clipped(const CocoRectangle& rectangle, const CocoImage& image) noexcept;

/// `segmentation` as an object of size and counts (a list, or a compressed string); reports and gives nothing where that is broken.
/// Contract  the field is an object (JsonField::Kind::object)
[[nodiscard]] std::optional<RunLengths> run_lengths_in(const JsonRecord& record, const CocoImage& image);

}  // namespace prelude::models
