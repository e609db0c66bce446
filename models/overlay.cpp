// SPDX-License-Identifier: Apache-2.0
#include "models/overlay.hpp"

#include <algorithm>
#include <cmath>

#include "models/error.hpp"

namespace prelude::models {

namespace {

constexpr Colour kDark{20, 20, 20};
constexpr std::uint8_t kFillOpacity = 102, kOpaque = 255;  ///< 2/5 and 1

std::uint8_t* pixel(Image& image, int x, int y) {
    return image.rgb.data() + (static_cast<std::size_t>(y) * static_cast<std::size_t>(image.width) + static_cast<std::size_t>(x)) * 3;
}

void paint(Image& image, int x, int y, Colour colour) {
    if (x >= 0 && y >= 0 && x < image.width && y < image.height) std::ranges::copy(colour, pixel(image, x, y));
}

/// Inside the mask and within two pixels of the outside; the picture's border is not an outside.
bool on_contour(const Mask& mask, int x, int y) {
    for (int dy = -2; dy <= 2; ++dy) {
        for (int dx = -2; dx <= 2; ++dx) {
            const int column = std::clamp(x + dx, 0, mask.width - 1), row = std::clamp(y + dy, 0, mask.height - 1);
            if (dx * dx + dy * dy <= 4 && !mask.contains(column, row)) return true;
        }
    }
    return false;
}

/// Of a pixel inside the mask.
std::uint8_t opacity_at(const Mask& mask, int x, int y) { return on_contour(mask, x, y) ? kOpaque : kFillOpacity; }

}  // namespace

Colour overlay_colour(std::size_t index) noexcept {
    static constexpr std::array<Colour, 7> kColours{
        {{213, 94, 0}, {0, 114, 178}, {0, 158, 115}, {240, 228, 66}, {204, 121, 167}, {86, 180, 233}, {230, 159, 0}}};
    return kColours[index % kColours.size()];
}

void draw_mask(Image& image, const Mask& mask, Colour colour) {
    check(image.width == mask.width && image.height == mask.height, "overlay: mask and picture have different sides");
    for (int y = 0; y < mask.height; ++y) {
        for (int x = 0; x < mask.width; ++x) {
            if (!mask.contains(x, y)) continue;
            auto* target = pixel(image, x, y);
            const int opacity = opacity_at(mask, x, y);
            for (std::size_t channel = 0; channel < 3; ++channel) {
                target[channel] =
                    static_cast<std::uint8_t>((target[channel] * (kOpaque - opacity) + colour[channel] * opacity + kOpaque / 2) / kOpaque);
            }
        }
    }
}

std::vector<std::uint8_t> encode_mask_layer(const Mask& mask, Colour colour) {
    std::vector<std::uint8_t> rgba(mask.values.size() * 4);
    for (int y = 0; y < mask.height; ++y) {
        for (int x = 0; x < mask.width; ++x) {
            if (!mask.contains(x, y)) continue;
            auto* target = rgba.data() + (static_cast<std::size_t>(y) * static_cast<std::size_t>(mask.width) + static_cast<std::size_t>(x)) * 4;
            std::ranges::copy(colour, target);
            target[3] = opacity_at(mask, x, y);
        }
    }
    return encode_png_rgba(mask.width, mask.height, rgba);
}

void draw_box(Image& image, const Box& box, Colour colour) {
    // far outside is as good as just outside, and fits an int
    const auto column = [&](double x) { return static_cast<int>(std::floor(std::clamp(x, -1.0, image.width + 1.0))); };
    const auto row = [&](double y) { return static_cast<int>(std::floor(std::clamp(y, -1.0, image.height + 1.0))); };
    const int left = column(box.x0), right = column(box.x1 - 1), top = row(box.y0), bottom = row(box.y1 - 1);
    for (int x = left; x <= right; ++x) paint(image, x, top, colour), paint(image, x, bottom, colour);
    for (int y = top; y <= bottom; ++y) paint(image, left, y, colour), paint(image, right, y, colour);
}

void draw_point(Image& image, const Point& point, Colour colour, int radius) {
    const int x = static_cast<int>(std::floor(std::clamp(point.x, -1e6, 1e6))),
              y = static_cast<int>(std::floor(std::clamp(point.y, -1e6, 1e6)));
    for (int along = -radius - 1; along <= radius + 1; ++along) {
        for (int across = -1; across <= 1; ++across) paint(image, x + along, y + across, kDark), paint(image, x + across, y + along, kDark);
    }
    for (int along = -radius; along <= radius; ++along) paint(image, x + along, y, colour), paint(image, x, y + along, colour);
}

Image side_by_side(std::span<const Image> images, int gap) {
    Image result;
    for (const auto& image : images) {
        result.width += image.width + (&image == images.data() ? 0 : gap);
        result.height = std::max(result.height, image.height);
    }
    result.rgb.assign(static_cast<std::size_t>(result.width) * static_cast<std::size_t>(result.height) * 3, 255);
    int left = 0;
    for (const auto& image : images) {
        for (int y = 0; y < image.height; ++y) {
            const auto row_bytes = static_cast<std::size_t>(image.width) * 3;
            std::copy_n(image.rgb.data() + static_cast<std::size_t>(y) * row_bytes, row_bytes, pixel(result, left, y));
        }
        left += image.width + gap;
    }
    return result;
}

}  // namespace prelude::models
