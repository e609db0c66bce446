// SPDX-License-Identifier: Apache-2.0
#pragma once

// Photographs with annotated regions in COCO's `instances` format, and a detector's boxes in COCO's result format: the way real
// pictures enter. A file is checked as a whole before anything is run; what it says is never trusted with an index, an extent or a path.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/data/coco_overlap.hpp"
#include "models/data/coco_rle.hpp"
#include "models/data/evaluation_set.hpp"

namespace prelude::models {

struct CocoImage {
    std::int64_t id = 0;
    std::string file_name;  ///< relative, without "..": checked
    int width = 0, height = 0;
};

/// A region as outlines or as run lengths; one of the two is empty.
struct CocoAnnotation {
    std::int64_t id = 0;
    std::size_t image = 0;  ///< index into CocoData::images
    std::int64_t category = 0;
    bool is_crowd = false;
    Box box;                  ///< clipped to the picture; of the mask where the file gives none
    CocoRectangle rectangle;  ///< the box as in the file, not clipped
    double area = 0;          ///< in pixels, as in the file; of the mask where the file gives none
    std::vector<std::vector<double>> outlines;
    RunLengths runs;
};

struct CocoCategory {
    std::int64_t id = 0;
    std::string name;  ///< as in the file, any bytes; empty if it gives none
};

struct CocoData {
    std::filesystem::path file;
    std::vector<CocoCategory> categories;     ///< in file order; those of the annotations, ascending, where the file has no list
    std::vector<CocoImage> images;            ///< in file order
    std::vector<CocoAnnotation> annotations;  ///< in file order
};

/// Reads an instances file: images, annotations with polygons, compressed or uncompressed run lengths, crowd flags, areas, categories.
///
/// Contract  every id is known and unique where it must be; boxes lie in their picture (one pixel of rounding is clipped); no area is
///           negative; run lengths fill the picture; coordinates stay within one picture's sides of it; an outline is at most
///           kMaxOutlinePixels long
/// Limits    512 MB, 2^20 images, 2^22 annotations, 2^26 coordinates and runs, sides 1..16384, 2^26 pixels a picture
/// Throws    DataError listing the first 50 problems with what was found and what is allowed
[[nodiscard]] CocoData read_coco(const std::filesystem::path& file);
/// The same from memory; `name` stands in the messages.
[[nodiscard]] CocoData read_coco(std::string_view json, const std::filesystem::path& name);

inline constexpr double kMaxOutlinePixels = 1 << 20;

/// One detection; its box is clipped to the picture.
struct CocoBox : DetectedBox {
    std::size_t image = 0;  ///< index into CocoData::images
};

/// Reads a detector's boxes (a list of image_id, category_id, bbox, score) for the images of `data`.
/// Throws    DataError listing the first 50 problems
[[nodiscard]] std::vector<CocoBox> read_coco_boxes(const std::filesystem::path& file, const CocoData& data);
[[nodiscard]] std::vector<CocoBox> read_coco_boxes(std::string_view json, const std::filesystem::path& name, const CocoData& data);

/// The annotated pixels: the union of the outlines, or the runs.
[[nodiscard]] RunLengths run_lengths_of(const CocoAnnotation& annotation, const CocoImage& image);
[[nodiscard]] Mask mask_of(const CocoAnnotation& annotation, const CocoImage& image);

/// Where a picture lies: `file_name` beside the JSON file, else in `images/` beside it; the first of the two if neither exists.
[[nodiscard]] std::filesystem::path picture_path(const CocoData& data, const CocoImage& image);

/// Least intersection over union of a detected box and an annotation's box for the detection to mean it; a box that overlaps
/// less points at no annotated region, so that no truth exists to measure against.
inline constexpr double kMinBoxOverlap = 0.5;

/// What a CocoSet leaves out, of the images up to the last one it shows.
struct CocoSkipped {
    std::int64_t crowds = 0;       ///< annotations of whole crowds: no single region to ask for
    std::int64_t empty = 0;        ///< annotations without a pixel or with an empty box
    std::int64_t false_boxes = 0;  ///< detections that mean no annotation
    friend bool operator==(const CocoSkipped&, const CocoSkipped&) = default;
};

/// Photographs as an EvaluationSet.
///
/// Contract  the first `num_images` images in file order that have something to ask for (all of them, if there are fewer). Prompts by schedule over the annotations in file
///           order: its box; its deepest point. With `boxes`, over the detections by falling score (file order among equals): the
///           detected box, whose truth is the annotation (no crowd, any category) that its box overlaps most; that annotation's deepest
///           point, once.
///           With `boxes` and max_detections > 0 the detections are scored, too: the first max_detections by falling score of every image
///           up to the last one shown (of every image, if fewer than num_images have something to ask for), whether or not they mean an
///           annotation. Images of no prompt join for that, after the others
class CocoSet final : public EvaluationSet {
  public:
    /// Throws    DataError when no image has a region to ask for, or listing every picture among those shown that is missing,
    ///           unreadable or of other sides than the file says
    CocoSet(CocoData data, const std::optional<std::vector<CocoBox>>& boxes, int num_images, PromptSchedule schedule, int max_detections = 0);

    [[nodiscard]] int size() const noexcept override { return static_cast<int>(shown_.size()); }
    [[nodiscard]] EvaluationImage image(int index) const override;
    [[nodiscard]] std::vector<std::string> left_out() const override;
    [[nodiscard]] const CocoData* annotations() const noexcept override { return scored_.empty() ? nullptr : &data_; }
    [[nodiscard]] const CocoSkipped& skipped() const noexcept { return skipped_; }

  private:
    /// A region to ask for and the box to ask with.
    struct Target {
        std::size_t annotation = 0;
        Box box;
        bool first = true;  ///< of this annotation: a point is asked once
    };
    struct Shown {
        std::size_t image = 0;
        std::vector<Target> targets;
    };
    /// Those of an image's annotations that are neither crowds nor empty; counts the others.
    std::vector<std::size_t> regions_of(const std::vector<std::size_t>& annotations);
    [[nodiscard]] std::vector<Target> annotated(const std::vector<std::size_t>& regions) const;
    std::vector<Target> detected(const std::vector<std::size_t>& regions, const std::vector<DetectedBox>& boxes);

    CocoData data_;
    PromptSchedule schedule_;
    std::vector<Shown> shown_;
    std::vector<std::vector<DetectedBox>> scored_;  ///< by image; empty: detections are not scored
    CocoSkipped skipped_;
};

}  // namespace prelude::models
