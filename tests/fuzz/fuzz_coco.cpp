// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string_view>

#include "models/coco_metric.hpp"
#include "models/data/raster.hpp"
#include "models/error.hpp"

using namespace prelude::models;

namespace {

constexpr std::int64_t kMaxDrawnPixels = 1 << 18;  // larger masks cost the fuzzer its speed, not the reader its checks

volatile std::int64_t sink = 0;

void use(const CocoData& data) {
    for (const auto& annotation : data.annotations) {
        const auto& image = data.images.at(annotation.image);
        if (std::int64_t{image.width} * image.height > kMaxDrawnPixels) continue;
        const auto mask = mask_of(annotation, image);
        sink = sink + area(mask);
        if (area(mask) > 0 && !mask.contains(static_cast<int>(deepest_point(mask).x), static_cast<int>(deepest_point(mask).y))) __builtin_trap();
        if (decompress(to_coco_rle(mask), std::int64_t{image.width} * image.height) != run_lengths(mask)) __builtin_trap();
    }
    for (const auto& image : data.images) sink = sink + static_cast<std::int64_t>(picture_path(data, image).native().size());
}

}  // namespace

/// An input is tried as instances, as detections for one picture, and as compressed run lengths.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(bytes), size);
    try {
        use(read_coco(text, "input"));
    } catch (const DataError&) {
    }
    CocoData one;
    one.images.push_back({.id = 1, .file_name = "a.png", .width = 8, .height = 6});
    try {
        sink = sink + static_cast<std::int64_t>(read_coco_boxes(text, "input", one).size());
    } catch (const DataError&) {
    }
    try {
        one.categories.push_back({.id = 1, .name = {}});
        const auto found = read_coco_detections(text, "input", one, CocoTask::masks);
        sink = sink + static_cast<std::int64_t>(CocoMetric(one, {}).match(0, found).categories.size());
    } catch (const DataError&) {
    }
    try {
        sink = sink + area(decompress(text, 48));
    } catch (const RunLengthError&) {
    }
    return 0;
}
