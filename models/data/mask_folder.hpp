// SPDX-License-Identifier: Apache-2.0
#pragma once

// Pictures with the masks of what is in them beside them, as medical data sets are given:
//
//   FOLDER/images/NAME.png (.jpg, .jpeg)   a picture
//   FOLDER/masks/NAME.png, NAME_*.png      its masks (the longest NAME that is a picture's), and
//   FOLDER/masks/NAME/*.png                more of them
//
// A mask file is either the mask of one object, or a map of labels each of which is an object (MaskForm says how they are told apart).
// Hidden files are passed over; whatever else is no picture or belongs to none is reported.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "models/data/evaluation_set.hpp"

namespace prelude::models {

/// How a mask file is read. 0 (black) is never an object. Values: read_labels.
enum class MaskForm {
    automatic,  ///< one value besides 0: one object; several: labels. 255 beside others is refused: a soft edge, or a void label?
    binary,     ///< one object: the pixels above half the largest value
    labels      ///< every value is an object
};

struct MaskReading {
    MaskForm form = MaskForm::automatic;
    std::vector<std::uint32_t> void_labels{};  ///< values that are no object, such as the border of objects; not for `binary`
    friend bool operator==(const MaskReading&, const MaskReading&) = default;
};

/// What is in a mask file.
struct MaskObjects {
    LabelMap map;                       ///< 0: no object
    std::vector<std::uint32_t> labels;  ///< those that occur, ascending

    [[nodiscard]] Mask mask_of(std::uint32_t label) const;
};

/// Labels of one file.
inline constexpr std::size_t kMaxLabels = 4096;

/// Throws    DataError, with `name`, when the values are not what the reading says or more than kMaxLabels
[[nodiscard]] MaskObjects objects_in(LabelMap map, const MaskReading& reading, const std::string& name);

struct MaskedPicture {
    std::string name;
    std::filesystem::path picture;
    std::vector<std::filesystem::path> masks;  ///< by name, those of NAME/ last; may be none
};

struct MaskFolder {
    std::filesystem::path folder;
    std::vector<MaskedPicture> pictures;  ///< by name
};

/// Lists a folder; no file is opened.
///
/// Limits    2^20 files
/// Throws    DataError listing the first 50 problems: folders that are missing, files of other kinds, pictures of equal names, masks of
///           no picture
[[nodiscard]] MaskFolder read_mask_folder(const std::filesystem::path& folder);

/// What a MaskFolderSet leaves out, of the pictures up to the last one it shows.
struct MaskFolderSkipped {
    std::int64_t without_mask = 0;  ///< pictures without a mask file
    std::int64_t empty = 0;         ///< pictures whose masks hold no object
    friend bool operator==(const MaskFolderSkipped&, const MaskFolderSkipped&) = default;
};

/// The pictures of a folder as an EvaluationSet.
///
/// Contract  the first `num_images` pictures by name that have an object (all of them, if there are fewer). Prompts by schedule over the
///           objects, files in order, labels ascending: the tight box of the mask; the pixel deepest inside it
class MaskFolderSet final : public EvaluationSet {
  public:
    /// Reads every mask of the pictures shown, one at a time.
    /// Throws    DataError when no picture has an object, or listing every picture and mask among those shown that does not decode, is not
    ///           read as `reading` says, or differs from its picture in its sides
    MaskFolderSet(MaskFolder folder, MaskReading reading, int num_images, PromptSchedule schedule);

    [[nodiscard]] int size() const noexcept override { return static_cast<int>(shown_.size()); }
    [[nodiscard]] EvaluationImage image(int index) const override;
    [[nodiscard]] std::vector<std::string> left_out() const override;
    [[nodiscard]] const MaskFolderSkipped& skipped() const noexcept { return skipped_; }

  private:
    MaskFolder folder_;
    MaskReading reading_;
    PromptSchedule schedule_;
    std::vector<std::size_t> shown_;  ///< indices into folder_.pictures
    MaskFolderSkipped skipped_;
};

}  // namespace prelude::models
