// SPDX-License-Identifier: Apache-2.0
#include "models/data/sample.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "models/data/layout.hpp"
#include "models/data/random.hpp"
#include "models/data/raster.hpp"
#include "models/error.hpp"

namespace prelude::models {

namespace {

/// A pixel among those at least `share` of the greatest depth inside the mask.
Point deep_point(Random& random, const Mask& mask, const std::vector<int>& depth, double share) {
    const int threshold = std::max(1, int(share * *std::max_element(depth.begin(), depth.end())));
    const auto count = std::count_if(depth.begin(), depth.end(), [&](int d) { return d >= threshold; });
    auto skip = random.integer(0, int(count) - 1);
    for (std::size_t i = 0; i < depth.size(); ++i)
        if (depth[i] >= threshold && skip-- == 0) return {.x = double(int(i) % mask.width), .y = double(int(i) / mask.width)};
    return {};
}

/// A pixel outside the mask: inside the box grown by a quarter if there is one, else anywhere.
Point outside_point(Random& random, const Mask& mask, const Box& box) {
    const double grow_x = 2 + 0.25 * (box.x1 - box.x0);
    const double grow_y = 2 + 0.25 * (box.y1 - box.y0);
    for (int attempt = 0; attempt < 400; ++attempt) {
        const bool near = attempt < 200;
        const int x = int(near ? random.uniform(box.x0 - grow_x, box.x1 + grow_x) : random.uniform(0, mask.width));
        const int y = int(near ? random.uniform(box.y0 - grow_y, box.y1 + grow_y) : random.uniform(0, mask.height));
        if (x < 0 || y < 0 || x >= mask.width || y >= mask.height || mask.contains(x, y)) continue;
        return {.x = double(x), .y = double(y)};
    }
    return {};
}

Box jittered(Random& random, const Box& box, int width, int height) {
    const double dx = 0.04 * (box.x1 - box.x0);
    const double dy = 0.04 * (box.y1 - box.y0);
    const auto moved = [&](double at, double deviation, double limit) {
        return std::clamp(at + deviation * std::clamp(random.normal(), -2.5, 2.5), 0.0, limit);
    };
    const double x0 = moved(box.x0, dx, width);
    const double y0 = moved(box.y0, dy, height);
    const double x1 = moved(box.x1, dx, width);
    const double y1 = moved(box.y1, dy, height);
    return {.x0 = x0, .y0 = y0, .x1 = x1, .y1 = y1};
}

Prompts make_prompts(Random& random, const Mask& mask, const Box& box) {
    const auto depth = distance_to_outside(mask);
    Prompts prompts;
    prompts.box = jittered(random, box, mask.width, mask.height);
    prompts.point = deep_point(random, mask, depth, 0.6);
    prompts.positive = deep_point(random, mask, depth, 0.4);
    prompts.negative = outside_point(random, mask, box);
    return prompts;
}

}  // namespace

const char* to_string(DataKind kind) noexcept {
    return kind == DataKind::phantom ? "phantom" : "scene";
}

const char* to_string(Split split) noexcept {
    return split == Split::train ? "train" : split == Split::dev ? "dev" : "test";
}

void add_regions(std::vector<Region>& regions, const Mask& visible, const std::string& category) {
    const double pixels = double(visible.width) * visible.height;
    const auto fits = [&](double count) { return count >= kMinInstanceShare * pixels && count <= kMaxInstanceShare * pixels; };
    const auto whole = area(visible);
    if (double(whole) < kMinInstanceShare * pixels) return;
    auto parts = connected_parts(visible, std::max<std::int64_t>(1, std::int64_t(kMinInstanceShare * pixels)));
    if (parts.empty()) return;
    if (double(area(parts.front())) >= 0.75 * double(whole)) {
        if (fits(double(whole))) regions.push_back({.mask = visible, .category = category});
        return;
    }
    for (auto& part : parts)
        if (fits(double(area(part)))) regions.push_back({.mask = std::move(part), .category = category});
}

std::uint64_t sample_key(DataKind kind, Split split, std::uint64_t seed, std::int64_t index) noexcept {
    const auto counter = (std::uint64_t(kind) << 62) | (std::uint64_t(split) << 60) | std::uint64_t(index);
    return mix(counter ^ mix(seed));  // for one seed a bijection of the counter
}

Sample generate(DataKind kind, Split split, std::uint64_t seed, std::int64_t index, int size) {
    check(size >= 32 && size <= 1024, "generate: size out of range");
    check(index >= 0 && index < (std::int64_t(1) << 48), "generate: index out of range");
    const Random root(sample_key(kind, split, seed, index));
    Layout layout;
    for (std::uint64_t attempt = 0; layout.regions.empty(); ++attempt) {
        check(attempt < 100, "generate: no picture with an instance");
        Random random = root.split(attempt);
        layout = kind == DataKind::phantom ? make_phantom(random, size) : make_scene(random, size);
    }
    Random random = root.split(1000);
    // Shuffled, so that the first few of a sample are as good a choice as any.
    for (std::size_t i = 0; i + 1 < layout.regions.size(); ++i)
        std::swap(layout.regions[i], layout.regions[i + random.pick(layout.regions.size() - i)]);
    if (layout.regions.size() > std::size_t(kMaxInstances)) layout.regions.resize(std::size_t(kMaxInstances));
    Sample sample;
    sample.image = std::move(layout.image);
    sample.id = index;
    sample.name = fmt::format("{}-{}-{}-{:06}", to_string(kind), to_string(split), seed, index);
    for (auto& region : layout.regions) {
        const Box box = tight_box(region.mask);
        const Prompts prompts = make_prompts(random, region.mask, box);
        sample.instances.push_back(
            {.mask = std::move(region.mask), .box = box, .category = std::move(region.category), .prompts = prompts});
    }
    return sample;
}

}  // namespace prelude::models
