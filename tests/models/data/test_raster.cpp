// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <catch2/catch.hpp>

#include "models/data/coco_rle.hpp"
#include "models/data/random.hpp"
#include "models/data/raster.hpp"

using namespace prelude::models;

TEST_CASE("a rectangle fills the pixels whose centres it contains") {
    Mask mask(6, 5);
    fill_polygon(mask, {{.x = 1, .y = 1}, {.x = 4, .y = 1}, {.x = 4, .y = 3}, {.x = 1, .y = 3}});
    CHECK(area(mask) == 6);
    CHECK(tight_box(mask) == Box{.x0 = 1, .y0 = 1, .x1 = 4, .y1 = 3});
}

TEST_CASE("outlines far beyond the picture are cut at its border") {
    Mask mask(6, 5);
    fill_polygon(mask, {{.x = -1e9, .y = -1e9}, {.x = 1e9, .y = -1e9}, {.x = 1e9, .y = 1e9}, {.x = -1e9, .y = 1e9}});
    CHECK(area(mask) == 30);
}

TEST_CASE("a disc's area is that of the circle") {
    Mask mask(64, 64);
    fill_polygon(mask, ellipse({.x = 32, .y = 32}, 20, 20, 0.3, 64));
    CHECK(double(area(mask)) == Approx(3.14159 * 400).epsilon(0.02));
}

TEST_CASE("the distance to the outside counts the border of the picture as outside") {
    Mask mask(5, 5);
    std::fill(mask.values.begin(), mask.values.end(), std::uint8_t(1));
    const auto distance = distance_to_outside(mask);
    CHECK(distance[0] == 3);
    CHECK(distance[2 * 5 + 2] == 9);
    mask.values[2 * 5 + 2] = 0;
    CHECK(distance_to_outside(mask)[2 * 5 + 2] == 0);
    CHECK(distance_to_outside(mask)[1 * 5 + 1] == 4);
}

TEST_CASE("connected parts come largest first and small ones are dropped") {
    Mask mask(7, 3);
    for (int x : {0, 1, 4, 5, 6}) mask.values[std::size_t(x)] = 1;
    mask.values[2 * 7 + 3] = 1;
    const auto parts = connected_parts(mask, 2);
    REQUIRE(parts.size() == 2);
    CHECK(area(parts[0]) == 3);
    CHECK(parts[0].contains(6, 0));
    CHECK(area(parts[1]) == 2);
    CHECK(connected_parts(mask, 1).size() == 3);
}

TEST_CASE("blurring keeps a constant plane and the sum of an inner spot") {
    Plane plane(8, 8, 2.0F);
    blur(plane);
    for (float value : plane.values) CHECK(value == 2.0F);
    Plane spot(8, 8);
    spot.at(4, 4) = 16;
    blur(spot);
    CHECK(spot.at(4, 4) == 4.0F);
    CHECK(spot.at(3, 4) == 2.0F);
    CHECK(spot.at(3, 3) == 1.0F);
}

TEST_CASE("compressed run lengths are those of pycocotools") {
    Mask mask(4, 3);
    CHECK(to_coco_rle(mask) == "<");
    std::fill(mask.values.begin(), mask.values.end(), std::uint8_t(1));
    CHECK(to_coco_rle(mask) == "0<");
    mask.values = {0, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0};
    CHECK(to_coco_rle(mask) == "11116");  // by columns: runs 1 1 1 2 7; from the fourth on less the one two before
}

TEST_CASE("squared distances are those of the nearest pixel, tried one by one, at prime sides and in single rows and columns") {
    Random random(17);
    for (int round = 0; round < 120; ++round) {
        const int width = round % 6 == 0 ? 1 : random.integer(1, 23), height = round % 5 == 0 ? 1 : random.integer(1, 19);
        Mask mask(width, height);
        const double share = round % 2 == 0 ? 0.03 : random.uniform();
        for (auto& value : mask.values) value = random.uniform() < share;
        mask.values[random.pick(mask.values.size())] = 1;
        const auto squared = squared_distance_to(mask);
        INFO(width << " x " << height << ": " << to_coco_rle(mask));
        for (int y = 0; y < height; ++y)
            for (int x = 0; x < width; ++x) {
                int nearest = 1 << 20;
                for (int v = 0; v < height; ++v)
                    for (int u = 0; u < width; ++u)
                        if (mask.contains(u, v)) nearest = std::min(nearest, (u - x) * (u - x) + (v - y) * (v - y));
                REQUIRE(squared[static_cast<std::size_t>(y * width + x)] == static_cast<std::uint32_t>(nearest));
            }
    }
}

TEST_CASE("squared distances reach across the largest picture") {
    Mask mask(16384, 3);
    mask.values[0] = 1;
    const auto squared = squared_distance_to(mask);
    CHECK(squared.back() == 16383U * 16383U + 4U);
}
