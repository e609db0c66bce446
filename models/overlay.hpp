// SPDX-License-Identifier: Apache-2.0
#pragma once

// Pictures for people: masks drawn over the picture they belong to. Integers only; the same input gives the same bytes.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "models/data/image.hpp"

namespace prelude::models {

using Colour = std::array<std::uint8_t, 3>;

/// Distinguishable in order, also with the common colour-vision deficiencies (Okabe and Ito, 2008); repeats after seven.
[[nodiscard]] Colour overlay_colour(std::size_t index) noexcept;

/// The mask as a translucent fill (40 %) inside a solid contour two pixels wide. The sides are those of the picture.
void draw_mask(Image& image, const Mask& mask, Colour colour);

/// What draw_mask puts on a picture, by itself: a PNG of the mask's sides, transparent outside the mask, to be laid over the picture.
[[nodiscard]] std::vector<std::uint8_t> encode_mask_layer(const Mask& mask, Colour colour);

/// The outline of a box, one pixel wide, clipped to the picture; nothing of a box outside it.
void draw_box(Image& image, const Box& box, Colour colour);

/// A cross of `radius` pixels with a dark rim around the point.
void draw_point(Image& image, const Point& point, Colour colour, int radius = 4);

/// Pictures from left to right with `gap` white columns between them; shorter ones are filled up with white below.
[[nodiscard]] Image side_by_side(std::span<const Image> images, int gap = 4);

}  // namespace prelude::models
