// SPDX-License-Identifier: Apache-2.0
#include "models/data/image.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>

#include "models/checkpoint/mapped_file.hpp"
#include "models/error.hpp"

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#define STBI_NO_FAILURE_STRINGS
#define STBI_MAX_DIMENSIONS 65536
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb/stb_image.h>
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

namespace prelude::models {

namespace {

bool known_signature(std::span<const std::uint8_t> bytes) {
    static constexpr std::array<std::uint8_t, 8> kPng{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    static constexpr std::array<std::uint8_t, 3> kJpeg{0xff, 0xd8, 0xff};
    const auto starts = [&](std::span<const std::uint8_t> magic) {
        return bytes.size() >= magic.size() && std::equal(magic.begin(), magic.end(), bytes.begin());
    };
    return starts(kPng) || starts(kJpeg);
}

void append(void* context, void* data, int size) {
    auto& out = *static_cast<std::vector<std::uint8_t>*>(context);
    const auto* bytes = static_cast<const std::uint8_t*>(data);
    out.insert(out.end(), bytes, bytes + size);
}

std::vector<std::uint8_t> encode(int width, int height, int channels, const std::uint8_t* pixels) {
    stbi_write_png_compression_level = 4;  // half the time of the default for 3 % more bytes
    std::vector<std::uint8_t> out;
    const int done = stbi_write_png_to_func(append, &out, width, height, channels, pixels, width * channels);
    check(done != 0, "png encoder failed");
    return out;
}

void write_file(const std::filesystem::path& path, const std::vector<std::uint8_t>& bytes) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (!file) throw DataError(fmt::format("{}: cannot be written", path.string()));
}

/// What the header says, within the limits.
ImageSides sides_of(std::span<const std::uint8_t> bytes, std::string_view name, const ImageLimits& limits) {
    if (std::int64_t(bytes.size()) > limits.max_file_bytes)
        throw DataError(fmt::format("{}: {} bytes, allowed {}", name, bytes.size(), limits.max_file_bytes));
    if (!known_signature(bytes)) throw DataError(fmt::format("{}: neither a PNG nor a JPEG file", name));
    int width = 0, height = 0, channels = 0;
    if (stbi_info_from_memory(bytes.data(), static_cast<int>(bytes.size()), &width, &height, &channels) == 0)
        throw DataError(fmt::format("{}: the picture's header is broken or of an unsupported kind", name));
    if (width < 1 || height < 1 || width > limits.max_side || height > limits.max_side || std::int64_t(width) * height > limits.max_pixels)
        throw DataError(fmt::format("{}: {} x {} pixels, allowed 1..{} a side and {} in all", name, width, height, limits.max_side,
                                    limits.max_pixels));
    return {.width = width, .height = height};
}

std::uintmax_t checked_size(const std::filesystem::path& path, const ImageLimits& limits) {
    std::error_code failure;
    const auto size = std::filesystem::file_size(path, failure);
    if (failure) throw DataError(fmt::format("{}: cannot be read ({})", path.string(), failure.message()));
    if (std::int64_t(size) > limits.max_file_bytes)
        throw DataError(fmt::format("{}: {} bytes, allowed {}", path.string(), size, limits.max_file_bytes));
    return size;
}

}  // namespace

std::int64_t area(const Mask& mask) noexcept {
    return std::count_if(mask.values.begin(), mask.values.end(), [](auto value) { return value != 0; });
}

Box tight_box(const Mask& mask) noexcept {
    int x0 = mask.width, y0 = mask.height, x1 = 0, y1 = 0;
    for (int y = 0; y < mask.height; ++y)
        for (int x = 0; x < mask.width; ++x)
            if (mask.contains(x, y)) {
                x0 = std::min(x0, x);
                x1 = std::max(x1, x + 1);
                y0 = std::min(y0, y);
                y1 = std::max(y1, y + 1);
            }
    if (x1 == 0) return {};
    return {.x0 = double(x0), .y0 = double(y0), .x1 = double(x1), .y1 = double(y1)};
}

Image decode_image(std::span<const std::uint8_t> bytes, std::string_view name, const ImageLimits& limits) {
    auto [width, height] = sides_of(bytes, name, limits);
    int channels = 0;
    const std::unique_ptr<stbi_uc, decltype(&stbi_image_free)> pixels(
        stbi_load_from_memory(bytes.data(), static_cast<int>(bytes.size()), &width, &height, &channels, 3), &stbi_image_free);
    if (!pixels) throw DataError(fmt::format("{}: the picture does not decode (truncated or corrupt)", name));
    Image image{.width = width, .height = height, .rgb = {}};
    image.rgb.assign(pixels.get(), pixels.get() + std::int64_t(width) * height * 3);
    return image;
}

Image read_image(const std::filesystem::path& path, const ImageLimits& limits) {
    std::vector<std::uint8_t> bytes(checked_size(path, limits));
    std::ifstream file(path, std::ios::binary);
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (!file) throw DataError(fmt::format("{}: cannot be read", path.string()));
    return decode_image(bytes, path.string(), limits);
}

ImageSides image_sides(const std::filesystem::path& path, const ImageLimits& limits) {
    (void)checked_size(path, limits);
    try {
        const MappedFile file(path);
        return sides_of({reinterpret_cast<const std::uint8_t*>(file.bytes().data()), file.bytes().size()}, path.string(), limits);
    } catch (const CheckpointError&) {
        throw DataError(fmt::format("{}: cannot be read", path.string()));
    }
}

std::vector<std::uint8_t> encode_png(const Image& image) {
    check(image.rgb.size() == std::size_t(image.width) * image.height * 3, "image: buffer differs from its sides");
    return encode(image.width, image.height, 3, image.rgb.data());
}

std::vector<std::uint8_t> encode_png(const Mask& mask) {
    std::vector<std::uint8_t> grey(mask.values.size());
    std::transform(mask.values.begin(), mask.values.end(), grey.begin(), [](auto value) { return std::uint8_t(value ? 255 : 0); });
    return encode(mask.width, mask.height, 1, grey.data());
}

std::vector<std::uint8_t> encode_png_rgba(int width, int height, std::span<const std::uint8_t> rgba) {
    check(rgba.size() == std::size_t(width) * height * 4, "image: buffer differs from its sides");
    return encode(width, height, 4, rgba.data());
}

void write_png(const std::filesystem::path& path, const Image& image) {
    write_file(path, encode_png(image));
}
void write_png(const std::filesystem::path& path, const Mask& mask) {
    write_file(path, encode_png(mask));
}

}  // namespace prelude::models
