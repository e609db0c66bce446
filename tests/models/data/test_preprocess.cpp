// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <fstream>
#include <string>

#include "models/data/preprocess.hpp"
#include "models/error.hpp"
#include "tests/paths.hpp"

using namespace prelude::models;

namespace {

/// The pictures of tests/data/resize/make.py.
Image pattern(const std::string& kind, int width, int height) {
    Image image{width, height, {}};
    for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
            for (int c = 0; c < 3; ++c) {
                const auto noise = static_cast<std::uint32_t>(x * 3 + c) * 2654435761U ^ static_cast<std::uint32_t>(y) * 2246822519U;
                const int value = kind == "noise"     ? static_cast<int>((noise * 3266489917U) >> 24)
                                  : kind == "checker" ? (x + y) % 2 * 255
                                                      : (x * 7 + y * 3 + c * 50) % 256;
                image.rgb.push_back(static_cast<std::uint8_t>(value));
            }
        }
    }
    return image;
}

std::uint64_t fnv1a(std::span<const std::uint8_t> bytes) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const auto byte : bytes) hash = (hash ^ byte) * 0x100000001b3ULL;
    return hash;
}

}  // namespace

TEST_CASE("a resize gives Pillow's pixels, byte by byte, for adversarial sizes") {
    std::ifstream table(PRELUDE_SOURCE_DIR "/tests/data/resize/pillow.txt");
    std::string kind, hash;
    int in_width = 0, in_height = 0, out_width = 0, out_height = 0, num_cases = 0;
    while (table >> kind >> in_width >> in_height >> out_width >> out_height >> hash) {
        INFO(kind << ' ' << in_width << 'x' << in_height << " -> " << out_width << 'x' << out_height);
        const auto resized = resize_bilinear(pattern(kind, in_width, in_height), out_width, out_height);
        CHECK(resized.width == out_width);
        CHECK(resized.height == out_height);
        CHECK(fnv1a(resized.rgb) == std::stoull(hash, nullptr, 16));
        ++num_cases;
    }
    CHECK(num_cases >= 60);
}

TEST_CASE("the longest side becomes the model's and the other is rounded half up") {
    CHECK(frame_of(150, 90, 128) == Frame{150, 90, 128, 77, 128});
    CHECK(frame_of(90, 150, 128) == Frame{90, 150, 77, 128, 128});
    CHECK(frame_of(1024, 1024, 1024) == Frame{1024, 1024, 1024, 1024, 1024});
    CHECK(frame_of(1, 1, 128) == Frame{1, 1, 128, 128, 128});
    CHECK(frame_of(256, 5, 128).input_height == 3);  // 2.5
    CHECK(frame_of(255, 1, 128).input_height == 1);  // 0.502
    CHECK_THROWS_WITH(frame_of(1, 257, 128),
                      "a picture of 1 x 257 pixels is too thin: resized to a longest side of 128, nothing is left of the other");
    CHECK_THROWS_AS(frame_of(0, 10, 128), DataError);
}

TEST_CASE("a picture is normalised per channel and padded with zeros to the right and below") {
    const Image image{2, 4, std::vector<std::uint8_t>(24, 100)};
    const auto [input, frame] = preprocess(image, 8);
    REQUIRE(input.shape() == Shape{1, 3, 8, 8});
    for (std::int64_t index = 0; index < input.num_elements(); ++index) {
        const auto channel = index / 64, column = index % 8;
        const float mean[] = {123.675F, 116.28F, 103.53F}, deviation[] = {58.395F, 57.12F, 57.375F};
        CHECK(input[std::size_t(index)] == (column < 4 ? (100.0F - mean[channel]) / deviation[channel] : 0.0F));
    }
}

TEST_CASE("positions move with the picture") {
    Prompt prompt{.points = {{{75, 45}, 1}}, .box = Box{0, 0, 150, 90}, .mask = {}};
    prompt = to_input_frame(prompt, frame_of(150, 90, 128));
    CHECK(prompt.points[0].position == Point{64, 38.5});
    CHECK(prompt.box == Box{0, 0, 128, 77});
}

TEST_CASE("points are followed by the corners of the box, or by a padding point if there is none") {
    const Prompt points{.points = {{{1, 2}, 1}, {{3, 4}, 0}}, .box = {}, .mask = {}};
    CHECK(prompt_tokens(points).labels == Tensor(Shape{3}, {1, 0, -1}));
    CHECK(prompt_tokens(points).coordinates == Tensor(Shape{3, 2}, {1, 2, 3, 4, 0, 0}));
    const Prompt both{.points = {{{1, 2}, 1}}, .box = Box{5, 6, 7, 8}, .mask = {}};
    CHECK(prompt_tokens(both).labels == Tensor(Shape{3}, {1, 2, 3}));
    CHECK(prompt_tokens(both).coordinates == Tensor(Shape{3, 2}, {1, 2, 5, 6, 7, 8}));
    CHECK(prompt_tokens({.points = {}, .box = Box{5, 6, 7, 8}, .mask = {}}).labels == Tensor(Shape{2}, {2, 3}));
    CHECK(prompt_tokens({}).labels.num_elements() == 0);
}
