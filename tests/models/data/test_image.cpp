// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "models/data/image.hpp"
#include "models/data/random.hpp"
#include "models/error.hpp"

using namespace prelude::models;

namespace {

Image noise_image(int width, int height) {
    Random random(5);
    Image image{.width = width, .height = height, .rgb = {}};
    for (int i = 0; i < width * height * 3; ++i) image.rgb.push_back(std::uint8_t(random.integer(0, 255)));
    return image;
}

/// The PNG signature and an IHDR chunk that claims these sides.
std::vector<std::uint8_t> claimed(std::uint32_t width, std::uint32_t height) {
    std::vector<std::uint8_t> bytes{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0, 0, 13, 'I', 'H', 'D', 'R'};
    for (auto side : {width, height})
        for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(std::uint8_t(side >> shift));
    bytes.insert(bytes.end(), {8, 2, 0, 0, 0, 0, 0, 0, 0});
    return bytes;
}

}  // namespace

TEST_CASE("a picture written as PNG reads back unchanged") {
    for (auto [width, height] : {std::pair{1, 1}, {17, 5}, {128, 96}}) {
        CAPTURE(width, height);
        const Image image = noise_image(width, height);
        CHECK(decode_image(encode_png(image), "memory") == image);
    }
}

TEST_CASE("a PNG file on disk reads back unchanged") {
    const auto path = std::filesystem::temp_directory_path() / "prelude_image_test.png";
    const Image image = noise_image(31, 7);
    write_png(path, image);
    CHECK(read_image(path) == image);
    std::filesystem::remove(path);
}

TEST_CASE("a mask written as PNG has 255 inside and 0 outside") {
    Mask mask(3, 2);
    mask.values = {0, 1, 0, 1, 0, 0};
    const Image image = decode_image(encode_png(mask), "memory");
    for (std::size_t i = 0; i < 6; ++i) CHECK(int(image.rgb[3 * i]) == (mask.values[i] != 0 ? 255 : 0));
}

TEST_CASE("a picture whose header claims too many pixels is refused before it is decoded") {
    CHECK_THROWS_AS(decode_image(claimed(60000, 60000), "hostile.png"), DataError);
    CHECK_THROWS_WITH(decode_image(claimed(20000, 10), "hostile.png"), Catch::Contains("20000 x 10 pixels"));
    CHECK_THROWS_AS(decode_image(claimed(0, 10), "hostile.png"), DataError);
    CHECK_THROWS_AS(decode_image(claimed(0xffffffffU, 1), "hostile.png"), DataError);
    CHECK_THROWS_AS(decode_image(encode_png(noise_image(9, 9)), "small", {.max_side = 8}), DataError);
}

TEST_CASE("bytes that are no picture are refused") {
    const std::string text = "not a picture at all";
    CHECK_THROWS_WITH(decode_image({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, "x.png"),
                      Catch::Contains("neither a PNG nor a JPEG"));
    CHECK_THROWS_AS(decode_image({}, "empty.png"), DataError);
    CHECK_THROWS_AS(read_image("/nonexistent/x.png"), DataError);
}

TEST_CASE("a picture cut short at any byte is refused or complete, never a crash") {
    const Image image = noise_image(8, 8);
    const auto bytes = encode_png(image);
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        CAPTURE(length);
        std::size_t decoded = image.rgb.size();
        try {
            decoded = decode_image(std::span(bytes).first(length), "cut.png").rgb.size();
        } catch (const DataError&) {
        }
        CHECK(decoded == image.rgb.size());
    }
}

TEST_CASE("the tight box of a mask is half open and touches its outermost pixels") {
    Mask mask(10, 8);
    CHECK(tight_box(mask) == Box{});
    mask.values[3 * 10 + 2] = 1;
    CHECK(tight_box(mask) == Box{.x0 = 2, .y0 = 3, .x1 = 3, .y1 = 4});
    mask.values[7 * 10 + 9] = 1;
    CHECK(tight_box(mask) == Box{.x0 = 2, .y0 = 3, .x1 = 10, .y1 = 8});
    CHECK(area(mask) == 2);
}
