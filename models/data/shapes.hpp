// SPDX-License-Identifier: Apache-2.0
#pragma once

// Outlines of things: smooth blobs, angular solids, limbed animals, trees, rings, ribbons. Each is drawn around a centre
// with a given mean radius; the size may differ by a factor of two from it.

#include "models/data/random.hpp"
#include "models/data/raster.hpp"

namespace prelude::models {

enum class ShapeKind { blob, superellipse, angular, limbed, tree, building, ring, ribbon, branching, cluster, kCount };

/// A closed smooth curve: radius 1 + sum of `harmonics` sines of falling amplitude, total relative amplitude `roughness`.
[[nodiscard]] Polygon blob(Random& random, Point centre, double radius_x, double radius_y, double angle, int harmonics, double roughness);

[[nodiscard]] Mask draw_shape(Random& random, ShapeKind kind, int width, int height, Point centre, double radius);

}  // namespace prelude::models
