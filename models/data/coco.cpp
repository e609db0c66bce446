// SPDX-License-Identifier: Apache-2.0
#include "models/data/coco.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>
#include <system_error>
#include <unordered_map>
#include <unordered_set>

#include "models/checkpoint/problems.hpp"
#include "models/data/coco_detections.hpp"
#include "models/data/coco_fields.hpp"
#include "models/data/coco_json.hpp"
#include "models/data/raster.hpp"
#include "models/error.hpp"

namespace prelude::models {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxImages = std::size_t{1} << 20, kMaxAnnotations = std::size_t{1} << 22, kMaxCategories = 1 << 16;
constexpr std::size_t kMaxNameBytes = 1024;
constexpr double kBoxSlack = 1;  ///< pixels an annotated box may stand out of its picture: files round coordinates

/// Why a file name is refused; empty if it may be used. It comes from a stranger: it must stay beside the JSON file.
std::string_view fault_of_name(const std::string& name) {
    if (name.empty() || name.size() > kMaxNameBytes) return "allowed 1..1024 bytes";
    if (std::any_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) return "control bytes are not allowed";
    if (name.find('\\') != std::string::npos) return "backslashes are not allowed";
    const fs::path path(name);
    if (path.is_absolute()) return "allowed a path relative to the file";
    if (std::any_of(path.begin(), path.end(), [](const auto& part) { return part == ".."; })) return "'..' is not allowed";
    return {};
}

class Reader {
  public:
    explicit Reader(const fs::path& name) : problems_(name.string()) { data_.file = name; }

    CocoData read(std::string_view json) {
        // Two passes: annotations may stand before the images and categories they mean, and are many.
        pass(json, {{"images", {"id", "file_name", "width", "height"}, kMaxImages, [this](auto& record) { take_image(record); }},
                    {"categories", {"id", "name"}, kMaxCategories, [this](auto& record) { take_category(record); }}});
        has_categories_ = found_.contains("categories");
        pass(json, {{"annotations",
                     {"id", "image_id", "category_id", "iscrowd", "bbox", "area", "segmentation", "segmentation.size", "segmentation.counts"},
                     kMaxAnnotations,
                     [this](auto& record) { take_annotation(record); }}});
        for (const std::string name : {"images", "annotations"})
            if (!found_.contains(name)) problems_.add(fmt::format("{}: missing, allowed a list of objects", name));
        problems_.throw_if_any();
        if (!has_categories_) list_categories();
        return std::move(data_);
    }

  private:
    void pass(std::string_view json, const std::vector<JsonSection>& sections) {
        for (const auto& name : read_records(json, sections, problems_)) found_.insert(name);
    }

    /// Those of the annotations.
    void list_categories() {
        std::set<std::int64_t> ids;
        for (const auto& annotation : data_.annotations) ids.insert(annotation.category);
        for (const auto id : ids) data_.categories.push_back({.id = id, .name = {}});
    }

    void take_image(JsonRecord& record) {
        CocoImage image;
        const auto id = record.id("id");
        if (id) record.name_by_id(image.id = *id);
        if (id && !image_of_id_.emplace(*id, data_.images.size()).second) record.problem("id", fmt::format("got {}, which another image has", *id));
        if (const auto name = record.text("file_name")) {
            if (const auto fault = fault_of_name(*name); !fault.empty()) record.problem("file_name", fmt::format("got {}, {}", in_quotes(*name), fault));
            image.file_name = *name;
        }
        const ImageLimits limits;
        const auto width = record.whole("width", 1, limits.max_side), height = record.whole("height", 1, limits.max_side);
        if (width && height) {
            image.width = static_cast<int>(*width);
            image.height = static_cast<int>(*height);
            if (*width * *height > limits.max_pixels)
                record.problem("width", fmt::format("got {} x {} pixels, allowed {} in all", *width, *height, limits.max_pixels));
        }
        data_.images.push_back(std::move(image));
    }

    void take_category(JsonRecord& record) {
        const auto id = record.id("id");
        if (id && !categories_.insert(*id).second) record.problem("id", fmt::format("got {}, which another category has", *id));
        CocoCategory category{.id = id.value_or(0), .name = {}};
        if (record.find("name") != nullptr) category.name = record.text("name").value_or("");
        data_.categories.push_back(std::move(category));
    }

    void take_annotation(JsonRecord& record) {
        CocoAnnotation annotation;
        const auto id = record.id("id");
        if (id) record.name_by_id(annotation.id = *id);
        if (id && !annotation_ids_.insert(*id).second) record.problem("id", fmt::format("got {}, which another annotation has", *id));
        if (const auto category = record.id("category_id")) {
            annotation.category = *category;
            if (has_categories_ && !categories_.contains(*category)) record.problem("category_id", fmt::format("got {}, which no category has", *category));
        }
        if (record.find("iscrowd") != nullptr) annotation.is_crowd = record.whole("iscrowd", 0, 1) == 1;
        const auto image_id = record.id("image_id");
        if (!image_id) return;
        const auto found = image_of_id_.find(*image_id);
        if (found == image_of_id_.end()) return record.problem("image_id", fmt::format("got {}, which no image has", *image_id));
        annotation.image = found->second;
        const auto& image = data_.images[annotation.image];
        if (image.width == 0) return;  // reported there
        if (!take_region(record, image, annotation)) return;
        take_box_and_area(record, image, annotation);
        data_.annotations.push_back(std::move(annotation));
    }

    /// What the file gives, else what the region has.
    static void take_box_and_area(const JsonRecord& record, const CocoImage& image, CocoAnnotation& annotation) {
        const bool has_box = record.find("bbox") != nullptr, has_area = record.find("area") != nullptr;
        RunLengths runs;
        if (!has_box || !has_area) runs = run_lengths_of(annotation, image);
        if (!has_box) annotation.rectangle = to_rectangle(tight_box(runs, image.height));
        else if (const auto box = rectangle_in(record, image, kBoxSlack)) annotation.rectangle = *box;
        annotation.box = clipped(annotation.rectangle, image);
        if (!has_area) annotation.area = static_cast<double>(area(runs));
        else if (const auto given = record.number("area")) annotation.area = *given;
        if (annotation.area < 0) record.problem("area", fmt::format("got {}, allowed 0 and above", annotation.area));
    }

    /// False where the region is reported as broken.
    bool take_region(const JsonRecord& record, const CocoImage& image, CocoAnnotation& annotation) {
        constexpr std::string_view kAllowed = "a list of polygons, or an object of size and counts";
        const auto* region = record.find("segmentation");
        if (region == nullptr) {
            record.problem("segmentation", fmt::format("missing, allowed {}", kAllowed));
            return false;
        }
        if (region->kind == JsonField::Kind::object) {
            auto runs = run_lengths_in(record, image);
            if (runs) annotation.runs = std::move(*runs);
            return runs.has_value();
        }
        if (region->kind == JsonField::Kind::lists) return take_outlines(record, *region, image, annotation);
        const bool empty = region->kind == JsonField::Kind::numbers && region->numbers.empty();
        record.problem("segmentation", fmt::format("got {}, allowed {}", empty ? "an empty list" : region->kind == JsonField::Kind::numbers ? "a list of numbers" : region->found, kAllowed));
        return false;
    }

    static bool take_outlines(const JsonRecord& record, const JsonField& region, const CocoImage& image, CocoAnnotation& annotation) {
        double length = 0;
        for (std::size_t p = 0; p < region.lists.size(); ++p) {
            const auto& outline = region.lists[p];
            const auto name = fmt::format("segmentation[{}]", p);
            if (outline.size() < 6 || outline.size() % 2 != 0) {
                record.problem(name, fmt::format("got {} coordinates, allowed an even number from 6 up", outline.size()));
                return false;
            }
            for (std::size_t i = 0; i < outline.size(); ++i) {
                const double side = i % 2 == 0 ? image.width : image.height;
                if (!(outline[i] >= -side && outline[i] <= 2 * side)) {
                    record.problem(name, fmt::format("coordinate {} is {}, allowed {}..{}", i, outline[i], -side, 2 * side));
                    return false;
                }
                const auto next = (i + 2) % outline.size();
                length += std::abs(outline[next] - outline[i]);
            }
        }
        if (length > kMaxOutlinePixels) {
            record.problem("segmentation", fmt::format("outlines of {:.0f} pixels, allowed {:.0f}", length, kMaxOutlinePixels));
            return false;
        }
        annotation.outlines = region.lists;
        return true;
    }

    DataProblems problems_;
    CocoData data_;
    std::set<std::string> found_;  ///< sections
    std::unordered_map<std::int64_t, std::size_t> image_of_id_;
    std::unordered_set<std::int64_t> annotation_ids_, categories_;
    bool has_categories_ = false;
};

bool is_empty(const Box& box) { return box.x1 <= box.x0 || box.y1 <= box.y0; }

/// Annotations by image.
std::vector<std::vector<std::size_t>> by_image(const CocoData& data) {
    std::vector<std::vector<std::size_t>> lists(data.images.size());
    for (std::size_t i = 0; i < data.annotations.size(); ++i) lists[data.annotations[i].image].push_back(i);
    return lists;
}

/// Which of the candidates a detected box means: the one whose box it overlaps most, the first of equals; none below kMinBoxOverlap.
std::optional<std::size_t> annotation_of(const DetectedBox& box, const CocoData& data, const std::vector<std::size_t>& candidates) {
    std::optional<std::size_t> best;
    double most = kMinBoxOverlap;
    for (const auto i : candidates) {
        const double shared = coco_overlap(to_rectangle(box.box), to_rectangle(data.annotations[i].box), false);
        if (best ? shared <= most : shared < most) continue;
        best = i;
        most = shared;
    }
    return best;
}

/// What is wrong with a picture file, judged by its header; empty if it is as the data say.
std::string fault_of_picture(const CocoData& data, const CocoImage& image) {
    try {
        const auto [width, height] = image_sides(picture_path(data, image));
        if (width == image.width && height == image.height) return {};
        return fmt::format("image {}: {} has {} x {} pixels, the file says {} x {}", image.id, in_quotes(image.file_name), width, height, image.width, image.height);
    } catch (const DataError& error) {
        return fmt::format("image {}: {}", image.id, error.what());
    }
}

}  // namespace

CocoData read_coco(std::string_view json, const fs::path& name) { return Reader(name).read(json); }

CocoData read_coco(const fs::path& file) { return read_coco(read_text_file(file, JsonLimits{}.max_file_bytes), file); }

std::vector<CocoBox> read_coco_boxes(std::string_view json, const fs::path& name, const CocoData& data) {
    std::vector<CocoBox> boxes;
    for (const auto& found : read_coco_detections(json, name, data, CocoTask::boxes))
        boxes.push_back({{.box = clipped(found.rectangle, data.images[found.image]), .category = found.category, .score = found.score}, found.image});
    return boxes;
}

std::vector<CocoBox> read_coco_boxes(const fs::path& file, const CocoData& data) {
    return read_coco_boxes(read_text_file(file, JsonLimits{}.max_file_bytes), file, data);
}

RunLengths run_lengths_of(const CocoAnnotation& annotation, const CocoImage& image) {
    if (!annotation.runs.empty()) return annotation.runs;
    // Neighbours are merged first, then pairs, then fours: many outlines cost their runs times the logarithm of their number.
    std::vector<RunLengths> waiting;
    const auto merge_last = [&] {
        const auto last = std::move(waiting.back());
        waiting.pop_back();
        waiting.back() = merge(waiting.back(), last, Merge::either);
    };
    for (std::size_t i = 0; i < annotation.outlines.size(); ++i) {
        waiting.push_back(rasterise_outline(annotation.outlines[i], image.width, image.height));
        for (auto count = i + 1; count % 2 == 0; count /= 2) merge_last();
    }
    if (waiting.empty()) return {static_cast<std::uint32_t>(image.width) * static_cast<std::uint32_t>(image.height)};
    while (waiting.size() > 1) merge_last();
    return std::move(waiting[0]);
}

Mask mask_of(const CocoAnnotation& annotation, const CocoImage& image) {
    Mask mask(image.width, image.height);
    draw_run_lengths(mask, run_lengths_of(annotation, image));
    return mask;
}

fs::path picture_path(const CocoData& data, const CocoImage& image) {
    const auto folder = data.file.parent_path();
    const auto beside = folder / image.file_name, below = folder / "images" / image.file_name;
    std::error_code ignored;
    return !fs::exists(beside, ignored) && fs::exists(below, ignored) ? below : beside;
}

CocoSet::CocoSet(CocoData data, const std::optional<std::vector<CocoBox>>& boxes, int num_images, PromptSchedule schedule, int max_detections)
    : data_(std::move(data)), schedule_(std::move(schedule)) {
    check(num_images >= 1 && !schedule_.kinds.empty(), "CocoSet: no images or no kinds of prompts");
    const auto annotations = by_image(data_);
    std::vector<std::vector<DetectedBox>> detections(data_.images.size());
    if (boxes)
        for (const auto& box : *boxes) detections[box.image].push_back(box);
    for (auto& found : detections) std::ranges::stable_sort(found, std::greater{}, &DetectedBox::score);
    const bool scores = boxes && max_detections > 0;
    DataProblems problems(data_.file.string());
    std::vector<Shown> without_prompt;
    for (std::size_t i = 0; i < data_.images.size() && size() < num_images; ++i) {
        const auto regions = regions_of(annotations[i]);
        auto targets = boxes ? detected(regions, detections[i]) : annotated(regions);
        if (targets.empty() && !scores) continue;
        auto& list = targets.empty() ? without_prompt : shown_;
        list.push_back({.image = i, .targets = std::move(targets)});
        if (auto fault = fault_of_picture(data_, data_.images[i]); !fault.empty()) problems.add(std::move(fault));
    }
    if (shown_.empty())
        problems.add(fmt::format("no region to ask for: {} images, {} crowds, {} empty regions, {} detections that mean no region", data_.images.size(), skipped_.crowds,
                                 skipped_.empty, skipped_.false_boxes));
    problems.throw_if_any();
    if (!scores) return;
    std::ranges::move(without_prompt, std::back_inserter(shown_));
    for (auto& found : detections) found.resize(std::min(found.size(), static_cast<std::size_t>(max_detections)));
    scored_ = std::move(detections);
}

std::vector<std::size_t> CocoSet::regions_of(const std::vector<std::size_t>& annotations) {
    std::vector<std::size_t> regions;
    for (const auto i : annotations) {
        const auto& annotation = data_.annotations[i];
        if (annotation.is_crowd) ++skipped_.crowds;
        else if (is_empty(annotation.box) || area(mask_of(annotation, data_.images[annotation.image])) == 0) ++skipped_.empty;
        else regions.push_back(i);
    }
    return regions;
}

std::vector<CocoSet::Target> CocoSet::annotated(const std::vector<std::size_t>& regions) const {
    std::vector<Target> targets;
    for (const auto i : regions) targets.push_back({.annotation = i, .box = data_.annotations[i].box});
    return targets;
}

std::vector<CocoSet::Target> CocoSet::detected(const std::vector<std::size_t>& regions, const std::vector<DetectedBox>& boxes) {
    std::vector<Target> targets;
    std::set<std::size_t> seen;
    for (const auto& box : boxes) {
        const auto annotation = annotation_of(box, data_, regions);
        if (!annotation) ++skipped_.false_boxes;
        else targets.push_back({.annotation = *annotation, .box = box.box, .first = seen.insert(*annotation).second});
    }
    return targets;
}

std::vector<std::string> CocoSet::left_out() const {
    std::vector<std::string> parts;
    const auto add = [&](std::int64_t count, std::string_view one, std::string_view several) {
        if (count > 0) parts.push_back(fmt::format("{} {}", count, count == 1 ? one : several));
    };
    add(skipped_.crowds, "annotation of a crowd", "annotations of crowds");
    add(skipped_.empty, "annotation without a pixel", "annotations without a pixel");
    add(skipped_.false_boxes, "detected box that means no annotation", "detected boxes that mean no annotation");
    if (parts.empty()) return {};
    const auto* what = scored_.empty() ? "left out" : "left out of the prompts with a truth";  // average precision counts them
    return {fmt::format("{} {}: {}", data_.file.filename().string(), what, fmt::join(parts, ", "))};
}

EvaluationImage CocoSet::image(int index) const {
    const auto& [number, targets] = shown_[static_cast<std::size_t>(index)];
    const auto& entry = data_.images[number];
    EvaluationImage result{.name = entry.file_name, .image = read_image(picture_path(data_, entry)), .prompts = {}};
    if (result.image.width != entry.width || result.image.height != entry.height) throw DataError(data_.file.string(), {fault_of_picture(data_, entry)});
    for (const auto& target : targets) {
        const auto truth = mask_of(data_.annotations[target.annotation], entry);
        if (!ask(result, schedule_, target.box, truth, target.first)) break;
    }
    if (!scored_.empty()) {
        result.annotated = number;
        result.detections = scored_[number];
    }
    return result;
}

}  // namespace prelude::models
