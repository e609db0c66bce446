// SPDX-License-Identifier: Apache-2.0
#pragma once

// What surfaces look like: a base colour, a pattern towards a second colour, brightness noise and a gradient.

#include <array>

#include "models/data/random.hpp"
#include "models/data/raster.hpp"

namespace prelude::models {

using Colour = std::array<float, 3>;  ///< red, green, blue in 0..1

/// Floating-point picture that scenes are painted on.
struct Canvas {
    int width = 0;
    int height = 0;
    std::vector<Colour> pixels;

    Canvas(int w, int h) : width(w), height(h), pixels(std::size_t(w) * std::size_t(h)) {}
    Colour& at(int x, int y) noexcept { return pixels[std::size_t(y) * width + x]; }
};

enum class Pattern { plain, noise, stripes, bricks, spots, cells, speckle };

struct Texture {
    Colour base{};
    Colour second{};
    Pattern pattern = Pattern::plain;
    float sharpness = 1;                   ///< of the step between the two colours
    std::array<float, 4> map{1, 0, 0, 1};  ///< pixels to noise units: rotation, scale, stretch
    std::array<float, 2> offset{};
    float warp = 0;  ///< noise units
    const NoisePlane* plane = nullptr;
    const NoisePlane* relief_plane = nullptr;
    float relief = 0;  ///< brightness noise, relative
    float relief_step = 1;
    std::array<float, 2> gradient{};  ///< brightness per pixel, relative, from `centre`
    std::array<float, 2> centre{};
    float tint = 0;  ///< colour noise

    /// The colour at a pixel.
    [[nodiscard]] Colour at(float x, float y) const noexcept;
};

/// A colour as nature and people make them: mostly from a list of materials, sometimes any.
[[nodiscard]] Colour random_colour(Random& random);

/// `contrast` 0..1 scales how much the surface varies in itself.
[[nodiscard]] Texture random_texture(Random& random, const Colour& base, double contrast, Point centre);

/// Paints over the pixels of `alpha` (0..1) inside `where`.
void paint(Canvas& canvas, const Plane& alpha, const Rect& where, const Texture& texture);

}  // namespace prelude::models
