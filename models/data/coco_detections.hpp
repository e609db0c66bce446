// SPDX-License-Identifier: Apache-2.0
#pragma once

// A detector's results in COCO's result format: a list of image_id, category_id, score and a box or a mask.

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

#include "models/data/coco.hpp"

namespace prelude::models {

/// What a detection is compared by.
enum class CocoTask { masks, boxes };

struct CocoDetection {
    std::size_t image = 0;  ///< index into CocoData::images
    std::int64_t category = 0;
    double score = 0;
    CocoRectangle rectangle;  ///< as in the file; zero for masks
    RunLengths runs;          ///< of a picture of the image's sides; empty for boxes
};

/// Reads the boxes or the masks (compressed or listed run lengths) for the images of `data`, in file order.
///
/// Contract  a box has no negative side and stands out of its picture by at most the picture's longer side; run lengths fill the
///           picture. What the task does not need is not read: masks may come with boxes
/// Limits    512 MB, 2^22 detections, 2^26 numbers in all
/// Throws    DataError listing the first 50 problems with what was found and what is allowed
[[nodiscard]] std::vector<CocoDetection> read_coco_detections(const std::filesystem::path& file, const CocoData& data, CocoTask task);
/// The same from memory; `name` stands in the messages.
[[nodiscard]] std::vector<CocoDetection> read_coco_detections(std::string_view json, const std::filesystem::path& name, const CocoData& data,
                                                              CocoTask task);

}  // namespace prelude::models
