// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <catch2/catch.hpp>

#include "models/overlay.hpp"

using namespace prelude::models;

namespace {

Image grey(int width, int height) {
    return {width, height, std::vector<std::uint8_t>(std::size_t(width * height * 3), 100)};
}
Colour at(const Image& image, int x, int y) {
    const auto* pixel = image.rgb.data() + (y * image.width + x) * 3;
    return {pixel[0], pixel[1], pixel[2]};
}
constexpr Colour kRed{200, 0, 0}, kGrey{100, 100, 100};

}  // namespace

TEST_CASE("a mask is drawn as a translucent fill inside a solid contour, and nothing outside it changes") {
    auto image = grey(20, 20);
    Mask mask(20, 20);
    for (int y = 4; y < 16; ++y) {
        for (int x = 4; x < 16; ++x) mask.values[std::size_t(y * 20 + x)] = 1;
    }
    draw_mask(image, mask, kRed);
    CHECK(at(image, 10, 10) == Colour{140, 60, 60});
    CHECK(at(image, 4, 10) == kRed);
    CHECK(at(image, 5, 10) == kRed);
    CHECK(at(image, 6, 10) == Colour{140, 60, 60});
    CHECK(at(image, 3, 10) == kGrey);
}

TEST_CASE("a mask that fills the picture has no contour along the picture's border") {
    auto image = grey(8, 8);
    Mask mask(8, 8);
    mask.values.assign(64, 1);
    draw_mask(image, mask, kRed);
    CHECK(at(image, 0, 0) == Colour{140, 60, 60});
}

TEST_CASE("a mask's layer is transparent outside the mask, 40 % opaque inside and solid along the contour") {
    Mask mask(12, 10);
    for (int y = 2; y < 9; ++y) {
        for (int x = 1; x < 11; ++x) mask.values[std::size_t(y * 12 + x)] = 1;
    }
    std::vector<std::uint8_t> rgba(12 * 10 * 4);
    for (int y = 2; y < 9; ++y) {
        for (int x = 1; x < 11; ++x) {
            const bool inside = x >= 3 && x < 9 && y >= 4 && y < 7;  // two pixels or more from the outside
            const std::uint8_t pixel[]{200, 0, 0, static_cast<std::uint8_t>(inside ? 102 : 255)};
            std::copy_n(pixel, 4, rgba.begin() + (y * 12 + x) * 4);
        }
    }
    CHECK(encode_mask_layer(mask, kRed) == encode_png_rgba(12, 10, rgba));
}

TEST_CASE("boxes and points outside the picture are clipped") {
    auto image = grey(10, 10);
    draw_box(image, {-1e9, -5, 1e9, 5}, kRed);
    CHECK(at(image, 3, 4) == kRed);
    CHECK(at(image, 0, 2) == kGrey);
    draw_point(image, {-100, 1e12}, kRed);
    draw_box(image, {20, 20, 30, 30}, kRed);
    CHECK(at(image, 9, 9) == kGrey);
    draw_point(image, {9, 9}, kRed);
    CHECK(at(image, 9, 9) == kRed);
}

TEST_CASE("pictures of different height stand side by side on white") {
    const auto both = side_by_side(std::vector{grey(3, 2), grey(4, 5)}, 2);
    CHECK(both.width == 9);
    CHECK(both.height == 5);
    CHECK(at(both, 2, 1) == kGrey);
    CHECK(at(both, 3, 1) == Colour{255, 255, 255});
    CHECK(at(both, 5, 4) == kGrey);
    CHECK(at(both, 0, 4) == Colour{255, 255, 255});
    CHECK(side_by_side({}).width == 0);
}
