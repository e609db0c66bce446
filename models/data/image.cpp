// SPDX-License-Identifier: Apache-2.0
#include "models/data/image.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>

#include "models/checkpoint/mapped_file.hpp"
#include "models/error.hpp"

namespace {

/// What the decoder may allocate at once: a file whose data unfold to more than its picture is refused, not stored.
thread_local std::size_t decoder_limit = 0;

void* decoder_allocate(std::size_t size) { return size <= decoder_limit ? std::malloc(size) : nullptr; }
void* decoder_reallocate(void* memory, std::size_t size) { return size <= decoder_limit ? std::realloc(memory, size) : nullptr; }

}  // namespace

#define STBI_MALLOC(size) decoder_allocate(size)
#define STBI_REALLOC(memory, size) decoder_reallocate(memory, size)
#define STBI_FREE(memory) std::free(memory)
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

bool starts_with(std::span<const std::uint8_t> bytes, std::span<const std::uint8_t> magic) {
    return bytes.size() >= magic.size() && std::equal(magic.begin(), magic.end(), bytes.begin());
}

bool is_png(std::span<const std::uint8_t> bytes) {
    static constexpr std::array<std::uint8_t, 8> kPng{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    return starts_with(bytes, kPng);
}

bool is_jpeg(std::span<const std::uint8_t> bytes) {
    static constexpr std::array<std::uint8_t, 3> kJpeg{0xff, 0xd8, 0xff};
    return starts_with(bytes, kJpeg);
}

template <class Sample>
using Samples = std::unique_ptr<Sample, decltype(&stbi_image_free)>;

/// The samples of a picture whose sides have been checked; `load` is one of the decoder's functions.
template <class Sample, class Load>
Samples<Sample> decode(const Load& load, std::span<const std::uint8_t> bytes, std::string_view name, ImageSides sides, int channels, int& num_channels) {
    // Twice the largest samples of the picture (four of 16 bits), since buffers double; the compressed data; tables.
    decoder_limit = std::size_t(sides.width) * std::size_t(sides.height) * 16 + 2 * bytes.size() + (std::size_t{4} << 20);
    auto [width, height] = sides;
    Samples<Sample> samples(load(bytes.data(), static_cast<int>(bytes.size()), &width, &height, &num_channels, channels), &stbi_image_free);
    if (!samples) throw DataError(fmt::format("{}: the picture does not decode (truncated or corrupt)", name));
    return samples;
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
    if (!is_png(bytes) && !is_jpeg(bytes)) throw DataError(fmt::format("{}: neither a PNG nor a JPEG file", name));
    int width = 0, height = 0, channels = 0;
    decoder_limit = 2 * bytes.size() + (std::size_t{1} << 20);
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

std::vector<std::uint8_t> read_bytes(const std::filesystem::path& path, const ImageLimits& limits) {
    std::vector<std::uint8_t> bytes(checked_size(path, limits));
    std::ifstream file(path, std::ios::binary);
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (!file) throw DataError(fmt::format("{}: cannot be read", path.string()));
    return bytes;
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
    const auto sides = sides_of(bytes, name, limits);
    int num_channels = 0;
    const auto samples = decode<stbi_uc>(stbi_load_from_memory, bytes, name, sides, 3, num_channels);
    Image image{.width = sides.width, .height = sides.height, .rgb = {}};
    image.rgb.assign(samples.get(), samples.get() + std::int64_t(sides.width) * sides.height * 3);
    return image;
}

LabelMap decode_labels(std::span<const std::uint8_t> bytes, std::string_view name, const ImageLimits& limits) {
    const auto sides = sides_of(bytes, name, limits);
    if (!is_png(bytes)) throw DataError(fmt::format("{}: not a PNG file: other kinds change the values of a mask", name));
    LabelMap labels{.width = sides.width, .height = sides.height, .values = {}};
    labels.values.resize(std::size_t(sides.width) * std::size_t(sides.height));
    const auto fill = [&](const auto* samples, int num_channels) {
        for (std::size_t i = 0; i < labels.values.size(); ++i) {
            const auto* pixel = samples + i * std::size_t(num_channels);
            labels.values[i] = num_channels < 3 ? pixel[0] : colour_label(std::uint8_t(pixel[0]), std::uint8_t(pixel[1]), std::uint8_t(pixel[2]));
        }
    };
    int num_channels = 0;
    if (stbi_is_16_bit_from_memory(bytes.data(), static_cast<int>(bytes.size())) != 0) {
        const auto samples = decode<stbi_us>(stbi_load_16_from_memory, bytes, name, sides, 0, num_channels);
        if (num_channels > 2) throw DataError(fmt::format("{}: colours of 16 bits a sample, allowed are 8, or grey of 16", name));
        fill(samples.get(), num_channels);
    } else {
        const auto samples = decode<stbi_uc>(stbi_load_from_memory, bytes, name, sides, 0, num_channels);
        fill(samples.get(), num_channels);
    }
    return labels;
}

Image read_image(const std::filesystem::path& path, const ImageLimits& limits) { return decode_image(read_bytes(path, limits), path.string(), limits); }

LabelMap read_labels(const std::filesystem::path& path, const ImageLimits& limits) { return decode_labels(read_bytes(path, limits), path.string(), limits); }

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
