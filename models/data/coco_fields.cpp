// SPDX-License-Identifier: Apache-2.0
#include "models/data/coco_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace prelude::models {

std::optional<CocoRectangle> rectangle_in(const JsonRecord& record, const CocoImage& image, double slack) {
    const auto* numbers = record.numbers("bbox", 4);
    if (numbers == nullptr) return std::nullopt;
    const CocoRectangle box{.x = (*numbers)[0], .y = (*numbers)[1], .width = (*numbers)[2], .height = (*numbers)[3]};
    const bool inside = box.x >= -slack && box.y >= -slack && box.width >= 0 && box.height >= 0 && box.x + box.width <= image.width + slack &&
                        box.y + box.height <= image.height + slack;
    if (inside) return box;
    record.problem("bbox", fmt::format("got [{}, {}, {}, {}], allowed a box inside the picture of {} x {} pixels", box.x, box.y, box.width, box.height,
                                       image.width, image.height));
    return std::nullopt;
}

Box clipped(const CocoRectangle& rectangle, const CocoImage& image) noexcept {
    const auto across = [&](double at) { return std::clamp(at, 0.0, static_cast<double>(image.width)); };
    const auto down = [&](double at) { return std::clamp(at, 0.0, static_cast<double>(image.height)); };
    return {.x0 = across(rectangle.x), .y0 = down(rectangle.y), .x1 = across(rectangle.x + rectangle.width), .y1 = down(rectangle.y + rectangle.height)};
}

std::optional<RunLengths> run_lengths_in(const JsonRecord& record, const CocoImage& image) {
    constexpr std::string_view kCounts = "segmentation.counts";
    const auto* size = record.numbers("segmentation.size", 2);
    if (size == nullptr) return std::nullopt;
    if ((*size)[0] != image.height || (*size)[1] != image.width) {
        record.problem("segmentation.size", fmt::format("got [{}, {}], allowed [{}, {}], the height and width of image {}", (*size)[0], (*size)[1],
                                                        image.height, image.width, image.id));
        return std::nullopt;
    }
    const auto num_pixels = std::int64_t{image.width} * image.height;
    const auto* counts = record.find(kCounts);
    try {
        if (counts != nullptr && counts->kind == JsonField::Kind::text) return decompress(counts->text, num_pixels);
        if (counts == nullptr || counts->kind != JsonField::Kind::numbers) {
            record.problem(kCounts, fmt::format("{}, allowed run lengths as a list of numbers or as a string",
                                                counts == nullptr ? "missing" : fmt::format("got {}", counts->found)));
            return std::nullopt;
        }
        RunLengths runs;
        for (std::size_t i = 0; i < counts->numbers.size(); ++i) {
            const double run = counts->numbers[i];
            if (run != std::floor(run) || run < 0 || run > static_cast<double>(num_pixels))
                throw RunLengthError(fmt::format("run {} is {}, allowed 0..{}", i, run, num_pixels));
            runs.push_back(static_cast<std::uint32_t>(run));
        }
        check_run_lengths(runs, num_pixels);
        return runs;
    } catch (const RunLengthError& error) {
        record.problem(kCounts, error.what());
        return std::nullopt;
    }
}

}  // namespace prelude::models
