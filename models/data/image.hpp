// SPDX-License-Identifier: Apache-2.0
#pragma once

// Pictures, masks and boxes, and the files they come from (PNG and JPEG are read, PNG is written).
// A file is judged by its header before a byte of it is decoded: its sides and pixel count are bounded, and what decoding may allocate
// follows from them, whatever the compressed data would unfold to.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace prelude::models {

/// 8-bit RGB picture, rows top to bottom, channels interleaved (HWC).
struct Image {
    int width = 0;
    int height = 0;
    std::vector<std::uint8_t> rgb;

    friend bool operator==(const Image&, const Image&) = default;
};

/// Binary picture: 1 belongs to the region, 0 does not.
struct Mask {
    int width = 0;
    int height = 0;
    std::vector<std::uint8_t> values;

    Mask() = default;
    Mask(int w, int h) : width(w), height(h), values(static_cast<std::size_t>(w) * static_cast<std::size_t>(h)) {}
    [[nodiscard]] bool contains(int x, int y) const noexcept {
        return x >= 0 && y >= 0 && x < width && y < height && values[static_cast<std::size_t>(y) * width + x] != 0;
    }
    friend bool operator==(const Mask&, const Mask&) = default;
};

/// Half-open box in pixels: a mask of the one pixel (2, 3) has the box (2, 3, 3, 4).
struct Box {
    double x0 = 0;
    double y0 = 0;
    double x1 = 0;
    double y1 = 0;

    friend bool operator==(const Box&, const Box&) = default;
};

/// Position in pixels. Outlines put the centre of the first pixel at (0.5, 0.5), prompts at (0, 0): as SAM does.
struct Point {
    double x = 0;
    double y = 0;

    friend bool operator==(const Point&, const Point&) = default;
};

[[nodiscard]] std::int64_t area(const Mask& mask) noexcept;

/// The smallest box around the mask; all zero for an empty mask.
[[nodiscard]] Box tight_box(const Mask& mask) noexcept;

/// What a picture file may be; beyond it the file is refused before decoding.
struct ImageLimits {
    std::int64_t max_file_bytes = 256LL << 20;
    int max_side = 16384;
    std::int64_t max_pixels = 1LL << 26;
};

/// Throws DataError when the bytes are neither PNG nor JPEG, exceed the limits or do not decode.
[[nodiscard]] Image decode_image(std::span<const std::uint8_t> bytes, std::string_view name, const ImageLimits& limits = {});
[[nodiscard]] Image read_image(const std::filesystem::path& path, const ImageLimits& limits = {});

/// One whole number a pixel, which says what the pixel belongs to.
struct LabelMap {
    int width = 0, height = 0;
    std::vector<std::uint32_t> values;

    friend bool operator==(const LabelMap&, const LabelMap&) = default;
};

/// What a colour is as a label, so that it differs from every grey.
[[nodiscard]] constexpr std::uint32_t colour_label(std::uint8_t red, std::uint8_t green, std::uint8_t blue) noexcept {
    if (red == green && green == blue) return red;
    return std::uint32_t{1} << 24 | std::uint32_t{red} << 16 | std::uint32_t{green} << 8 | blue;
}

/// Reads a PNG file whose values mean something: grey samples of 8 and 16 bits as they are stored, of 1, 2 and 4 bits spread evenly over
/// 0..255; colours and palette entries as colour_label. Transparency is disregarded.
/// Throws DataError as read_image does, and for other files than PNG (JPEG changes values) and for colours of 16 bits a sample.
[[nodiscard]] LabelMap read_labels(const std::filesystem::path& path, const ImageLimits& limits = {});
[[nodiscard]] LabelMap decode_labels(std::span<const std::uint8_t> bytes, std::string_view name, const ImageLimits& limits = {});

struct ImageSides {
    int width = 0, height = 0;
};

/// The sides of a picture file, from its header alone. Throws DataError as read_image does for what the header tells.
[[nodiscard]] ImageSides image_sides(const std::filesystem::path& path, const ImageLimits& limits = {});

[[nodiscard]] std::vector<std::uint8_t> encode_png(const Image& image);
[[nodiscard]] std::vector<std::uint8_t> encode_png(const Mask& mask);  ///< grey, 0 and 255
/// `rgba`: 4 bytes a pixel, as Image::rgb with the opacity behind each colour.
[[nodiscard]] std::vector<std::uint8_t> encode_png_rgba(int width, int height, std::span<const std::uint8_t> rgba);

/// Throws DataError when the file cannot be written.
void write_png(const std::filesystem::path& path, const Image& image);
void write_png(const std::filesystem::path& path, const Mask& mask);

}  // namespace prelude::models
