// SPDX-License-Identifier: Apache-2.0
#pragma once

// From outlines to masks, and what the generators ask about masks: soft edges, distances, connected parts.
// A pixel belongs to an outline when its centre does.

#include <cstdint>
#include <span>
#include <vector>

#include "models/data/image.hpp"
#include "models/data/noise.hpp"

namespace prelude::models {

using Polygon = std::vector<Point>;

/// One real value a pixel.
struct Plane {
    int width = 0;
    int height = 0;
    std::vector<float> values;

    Plane() = default;
    Plane(int w, int h, float value = 0) : width(w), height(h), values(std::size_t(w) * std::size_t(h), value) {}
    float& at(int x, int y) noexcept { return values[std::size_t(y) * width + x]; }
    [[nodiscard]] float at(int x, int y) const noexcept { return values[std::size_t(y) * width + x]; }
};

/// Whole pixels, half open.
struct Rect {
    int x0 = 0;
    int y0 = 0;
    int x1 = 0;
    int y1 = 0;
};

/// The pixels of the mask, grown by `margin` and cut at the picture's border; empty for an empty mask.
[[nodiscard]] Rect bounds(const Mask& mask, int margin = 0) noexcept;

/// Sets the pixels inside the outline (even-odd rule) to `value`.
void fill_polygon(Mask& mask, const Polygon& outline, std::uint8_t value = 1);

/// Fills a path drawn with a round pen whose radius goes evenly from `radius0` to `radius1`.
void fill_stroke(Mask& mask, std::span<const Point> path, double radius0, double radius1, std::uint8_t value = 1);

/// Ellipse with 4 <= corners <= 64.
[[nodiscard]] Polygon ellipse(Point centre, double radius_x, double radius_y, double angle, int corners = 32);

/// The mask as seen through wavy glass: displacement up to about 2 x `amplitude` pixels, `step` noise units a pixel.
[[nodiscard]] Mask warped(const Mask& mask, const NoisePlane& noise, double offset_u, double offset_v, double step, double amplitude);

/// Share of each pixel's neighbourhood inside the mask (3x3 binomial): an edge one pixel wide.
[[nodiscard]] Plane softened(const Mask& mask);

/// 3x3 binomial blur, borders repeated.
void blur(Plane& plane);

/// Distance in thirds of a pixel to the nearest pixel outside the mask (chamfer 3-4; beyond the picture is outside).
[[nodiscard]] std::vector<int> distance_to_outside(const Mask& mask);

/// Exact squared Euclidean distance of every pixel's centre to that of the nearest pixel of the mask; in time linear in the pixels.
///
/// Contract  the mask is not empty (checked); sides up to 16384
/// Source    A. Meijster, J. Roerdink, W. Hesselink, A general algorithm for computing distance transforms in linear time (2000)
[[nodiscard]] std::vector<std::uint32_t> squared_distance_to(const Mask& mask);

/// The pixel deepest inside the mask by distance_to_outside, at its centre; of several the topmost, then leftmost.
/// Contract: the mask is not empty.
[[nodiscard]] Point deepest_point(const Mask& mask);

/// The 4-connected parts of the mask with at least `min_area` pixels, largest first.
[[nodiscard]] std::vector<Mask> connected_parts(const Mask& mask, std::int64_t min_area);

}  // namespace prelude::models
