// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "models/data/image.hpp"
#include "models/data/random.hpp"
#include "models/error.hpp"
#include "tests/support/png.hpp"

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

TEST_CASE("labels are grey samples as stored, in 8 and 16 bits, with transparency or without") {
    using namespace test;
    CHECK(decode_labels(png_of({.width = 3, .height = 2}, stored({{0, 1, 255}, {7, 0, 254}})), "grey") == LabelMap{3, 2, {0, 1, 255, 7, 0, 254}});
    CHECK(decode_labels(png_of({.width = 3, .bits = 16}, stored({{0x00, 0x01, 0x01, 0x00, 0xff, 0xfe}})), "grey of 16 bits") == LabelMap{3, 1, {1, 256, 0xfffe}});
    CHECK(decode_labels(png_of({.width = 2, .kind = PngKind::grey_alpha}, stored({{5, 0, 6, 255}})), "grey and alpha") == LabelMap{2, 1, {5, 6}});
    CHECK(decode_labels(png_of({.width = 3, .bits = 1}, stored({{0b10100000}})), "1 bit") == LabelMap{3, 1, {255, 0, 255}});
    CHECK(decode_labels(png_of({.width = 4, .bits = 2}, stored({{0b00011011}})), "2 bits") == LabelMap{4, 1, {0, 85, 170, 255}});
}

TEST_CASE("labels of colours and palettes differ from those of greys, equal greys do not") {
    using namespace test;
    const std::uint32_t blue = colour_label(0, 0, 7), green = colour_label(0, 7, 0);
    CHECK(blue == 0x1000007);
    CHECK(blue != green);
    CHECK(decode_labels(png_of({.width = 3, .kind = PngKind::rgb}, stored({{0, 0, 7, 7, 7, 7, 0, 7, 0}})), "colours") == LabelMap{3, 1, {blue, 7, green}});
    CHECK(decode_labels(png_of({.width = 2, .kind = PngKind::rgba}, stored({{0, 0, 7, 0, 7, 7, 7, 255}})), "colours and alpha") == LabelMap{2, 1, {blue, 7}});
    CHECK(decode_labels(png_of({.width = 4, .kind = PngKind::palette}, stored({{0, 1, 2, 1}}), {0, 0, 0, 0, 0, 7, 0, 7, 0}), "palette") == LabelMap{4, 1, {0, blue, green, blue}});
}

TEST_CASE("a picture whose data unfold to more than its sides is refused before they are stored") {
    const auto small = test::png_of({}, test::bomb(1));
    CHECK(decode_labels(small, "small").values == std::vector<std::uint32_t>{0});
    const auto large = test::png_of({}, test::bomb(2'000'000));  // 3 MB: 516 MB unfolded
    CHECK_THROWS_AS(decode_labels(large, "large"), DataError);
    CHECK_THROWS_AS(decode_image(large, "large"), DataError);
}

TEST_CASE("a picture of the longest sides decodes in any kind") {
    using namespace test;
    for (const auto& [width, height] : {std::pair{16384U, 1U}, {1U, 16384U}}) {
        const std::vector<Bytes> rows(height, Bytes(width * 1, 3));
        CHECK(decode_labels(png_of({.width = width, .height = height}, stored(rows)), "long").values == std::vector<std::uint32_t>(16384, 3));
        CHECK(decode_image(png_of({.width = width, .height = height}, stored(rows)), "long").rgb == std::vector<std::uint8_t>(3 * 16384, 3));
    }
}
