// SPDX-License-Identifier: Apache-2.0
#pragma once

// What both generators hand over before prompts are drawn: a picture and the visible masks that are worth asking for.

#include <string>
#include <vector>

#include "models/data/image.hpp"
#include "models/data/random.hpp"

namespace prelude::models {

struct Region {
    Mask mask;
    std::string category;
};

struct Layout {
    Image image;
    std::vector<Region> regions;
};

/// CT-like axial abdominal slice (phantom.cpp).
[[nodiscard]] Layout make_phantom(Random& random, int size);

/// Natural-like picture (scene.cpp).
[[nodiscard]] Layout make_scene(Random& random, int size);

/// Adds the parts of a visible mask that qualify as instances: the whole if one part dominates, else each large part.
void add_regions(std::vector<Region>& regions, const Mask& visible, const std::string& category);

}  // namespace prelude::models
