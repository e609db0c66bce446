// SPDX-License-Identifier: Apache-2.0
#pragma once

// COCO's run lengths: columns first, runs of zeros and ones in turn, zeros first. As text each run, from the fourth on as the
// difference to the run two before it, is stored in 5-bit pieces (least first, sixth bit = more follow) offset by 48 into ASCII.
// Outlines become run lengths as in pycocotools, pixel by pixel: on a grid five times as fine, boundaries rounded to pixel centres.

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "models/data/image.hpp"

namespace prelude::models {

using RunLengths = std::vector<std::uint32_t>;

/// Run lengths that are none; the message says what was found and what is allowed. Readers add the place.
class RunLengthError final : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

[[nodiscard]] RunLengths run_lengths(const Mask& mask);

/// The outline x0, y0, x1, y1, ... of a region, closed by itself, as the pixels of a picture of these sides.
///
/// Contract  outline.size() is even and at least 6; every coordinate finite and within [-2^24, 2^24]
/// Source    pycocotools (cocodataset/cocoapi), rasterisation of polygons; checked against it (golden/coco)
[[nodiscard]] RunLengths rasterise_outline(std::span<const double> outline, int width, int height);

[[nodiscard]] std::string compress(std::span<const std::uint32_t> runs);

/// Throws    RunLengthError for bytes outside the alphabet, a text that ends within a number, a run that is negative or beyond
///           `num_pixels`, or a sum that is not `num_pixels`
[[nodiscard]] RunLengths decompress(std::string_view text, std::int64_t num_pixels);

/// Throws    RunLengthError unless the runs sum to `num_pixels`
void check_run_lengths(std::span<const std::uint32_t> runs, std::int64_t num_pixels);

/// Pixels of the runs of ones.
[[nodiscard]] std::int64_t area(std::span<const std::uint32_t> runs) noexcept;

/// Pixels that are one in both. Contract: both describe pictures of the same sides, so that they sum to the same (checked).
[[nodiscard]] std::int64_t shared_area(std::span<const std::uint32_t> a, std::span<const std::uint32_t> b);

enum class Merge { either, both };

/// The pixels that are one in either or in both, as run lengths without a run of no pixels after the first.
/// Contract  as shared_area
[[nodiscard]] RunLengths merge(std::span<const std::uint32_t> a, std::span<const std::uint32_t> b, Merge how);

/// The smallest box around the runs of ones in a picture of this height; all zero if there are none.
[[nodiscard]] Box tight_box(std::span<const std::uint32_t> runs, int height) noexcept;

/// Adds the ones of the runs to the mask. Contract: the runs sum to the pixels of the mask.
void draw_run_lengths(Mask& mask, std::span<const std::uint32_t> runs);

/// compress(run_lengths(mask)).
[[nodiscard]] std::string to_coco_rle(const Mask& mask);

}  // namespace prelude::models
