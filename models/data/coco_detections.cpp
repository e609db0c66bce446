// SPDX-License-Identifier: Apache-2.0
#include "models/data/coco_detections.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "models/data/coco_fields.hpp"
#include "models/data/coco_json.hpp"

namespace prelude::models {

namespace {

constexpr std::size_t kMaxDetections = std::size_t{1} << 22;

/// Fills the part that the task needs; false where it is reported as broken.
bool take_region(const JsonRecord& record, const CocoImage& image, CocoTask task, CocoDetection& detection) {
    if (task == CocoTask::boxes) {
        // Detectors draw beyond the border; a box farther out than a picture's side is no box of this picture.
        const auto box = rectangle_in(record, image, std::max(image.width, image.height));
        if (box) detection.rectangle = *box;
        return box.has_value();
    }
    const auto* region = record.find("segmentation");
    if (region == nullptr || region->kind != JsonField::Kind::object) {
        const auto found = region == nullptr ? "missing" : fmt::format("got {}", region->found);
        record.problem("segmentation", found + ", allowed an object of size and counts");
        return false;
    }
    auto runs = run_lengths_in(record, image);
    if (runs) detection.runs = std::move(*runs);
    return runs.has_value();
}

}  // namespace

std::vector<CocoDetection> read_coco_detections(std::string_view json, const std::filesystem::path& name, const CocoData& data, CocoTask task) {
    DataProblems problems(name.string());
    std::unordered_map<std::int64_t, std::size_t> image_of_id;
    for (std::size_t i = 0; i < data.images.size(); ++i) image_of_id.emplace(data.images[i].id, i);
    std::vector<CocoDetection> detections;
    const auto take = [&](JsonRecord& record) {
        const auto image_id = record.id("image_id"), category = record.id("category_id");
        const auto score = record.number("score");
        if (!image_id || !category || !score) return;
        const auto image = image_of_id.find(*image_id);
        if (image == image_of_id.end()) return record.problem("image_id", fmt::format("got {}, which no image of {} has", *image_id, data.file.string()));
        CocoDetection detection{.image = image->second, .category = *category, .score = *score, .rectangle = {}, .runs = {}};
        if (take_region(record, data.images[image->second], task, detection)) detections.push_back(std::move(detection));
    };
    std::vector<std::string_view> fields{"image_id", "category_id", "score"};
    if (task == CocoTask::boxes) fields.insert(fields.end(), {"bbox"});
    else fields.insert(fields.end(), {"segmentation", "segmentation.size", "segmentation.counts"});
    (void)read_records(json, {{"", fields, kMaxDetections, take}}, problems);
    problems.throw_if_any();
    return detections;
}

std::vector<CocoDetection> read_coco_detections(const std::filesystem::path& file, const CocoData& data, CocoTask task) {
    return read_coco_detections(read_text_file(file, JsonLimits{}.max_file_bytes), file, data, task);
}

}  // namespace prelude::models
