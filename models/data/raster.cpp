// SPDX-License-Identifier: Apache-2.0
#include "models/data/raster.hpp"

#include <algorithm>
#include <cmath>

#include "models/data/random.hpp"
#include "models/error.hpp"

namespace prelude::models {

namespace {

constexpr double kTwoPi = 6.28318530717958647692;

}  // namespace

Rect bounds(const Mask& mask, int margin) noexcept {
    int x0 = mask.width, y0 = mask.height, x1 = 0, y1 = 0;
    for (int y = 0; y < mask.height; ++y) {
        const auto* row = &mask.values[std::size_t(y) * mask.width];
        const auto* first = std::find_if(row, row + mask.width, [](auto v) { return v != 0; });
        if (first == row + mask.width) continue;
        int last = mask.width - 1;
        while (row[last] == 0) --last;
        x0 = std::min(x0, int(first - row));
        x1 = std::max(x1, last + 1);
        y0 = std::min(y0, y);
        y1 = y + 1;
    }
    if (x1 == 0) return {};
    return {.x0 = std::max(0, x0 - margin),
            .y0 = std::max(0, y0 - margin),
            .x1 = std::min(mask.width, x1 + margin),
            .y1 = std::min(mask.height, y1 + margin)};
}

void fill_polygon(Mask& mask, const Polygon& outline, std::uint8_t value) {
    if (outline.size() < 3) return;
    double low = 1e300, high = -1e300;
    for (const auto& p : outline) {
        low = std::min(low, p.y);
        high = std::max(high, p.y);
    }
    const int first = std::max(0, int(std::floor(std::max(low, -1.0))));
    const int last = std::min(mask.height - 1, int(std::ceil(std::min(high, mask.height + 1.0))));
    std::vector<double> crossings;
    for (int y = first; y <= last; ++y) {
        const double centre = y + 0.5;
        crossings.clear();
        for (std::size_t i = 0, j = outline.size() - 1; i < outline.size(); j = i++) {
            const Point& a = outline[j];
            const Point& b = outline[i];
            if ((a.y <= centre) == (b.y <= centre)) continue;
            crossings.push_back(a.x + (centre - a.y) * (b.x - a.x) / (b.y - a.y));
        }
        std::sort(crossings.begin(), crossings.end());
        for (std::size_t i = 0; i + 1 < crossings.size(); i += 2) {
            const int x0 = int(std::ceil(std::clamp(crossings[i] - 0.5, 0.0, double(mask.width))));
            const int x1 = int(std::ceil(std::clamp(crossings[i + 1] - 0.5, 0.0, double(mask.width))));
            std::fill(mask.values.begin() + std::ptrdiff_t(y) * mask.width + x0, mask.values.begin() + std::ptrdiff_t(y) * mask.width + x1,
                      value);
        }
    }
}

void fill_stroke(Mask& mask, std::span<const Point> path, double radius0, double radius1, std::uint8_t value) {
    const auto count = double(path.size() - 1);
    for (std::size_t i = 0; i < path.size(); ++i) {
        const double radius = radius0 + (radius1 - radius0) * double(i) / count;
        fill_polygon(mask, ellipse(path[i], radius, radius, 0, 12), value);
        if (i + 1 == path.size()) break;
        const double next = radius0 + (radius1 - radius0) * double(i + 1) / count;
        const Point a = path[i];
        const Point b = path[i + 1];
        const double length = std::sqrt((b.x - a.x) * (b.x - a.x) + (b.y - a.y) * (b.y - a.y));
        if (length < 1e-9) continue;
        const double nx = -(b.y - a.y) / length;
        const double ny = (b.x - a.x) / length;
        fill_polygon(mask,
                     {{.x = a.x + nx * radius, .y = a.y + ny * radius},
                      {.x = b.x + nx * next, .y = b.y + ny * next},
                      {.x = b.x - nx * next, .y = b.y - ny * next},
                      {.x = a.x - nx * radius, .y = a.y - ny * radius}},
                     value);
    }
}

Polygon ellipse(Point centre, double radius_x, double radius_y, double angle, int corners) {
    Polygon outline(static_cast<std::size_t>(corners));
    const double c = cosine(angle);
    const double s = sine(angle);
    for (int i = 0; i < corners; ++i) {
        const double u = radius_x * cosine(kTwoPi * i / corners);
        const double v = radius_y * sine(kTwoPi * i / corners);
        outline[std::size_t(i)] = {.x = centre.x + u * c - v * s, .y = centre.y + u * s + v * c};
    }
    return outline;
}

Mask warped(const Mask& mask, const NoisePlane& noise, double offset_u, double offset_v, double step, double amplitude) {
    Mask out(mask.width, mask.height);
    const Rect around = bounds(mask, int(std::ceil(3 * amplitude)) + 1);
    for (int y = around.y0; y < around.y1; ++y)
        for (int x = around.x0; x < around.x1; ++x) {
            const auto u = float(offset_u + x * step);
            const auto v = float(offset_v + y * step);
            const int sx = int(std::floor(float(x) + 0.5F + float(amplitude) * noise.at(u, v)));
            const int sy = int(std::floor(float(y) + 0.5F + float(amplitude) * noise.at(v + 91.0F, u + 37.0F)));
            // What lies beyond the border continues the border, so that regions that touch it still do.
            out.values[std::size_t(y) * mask.width + x] =
                mask.contains(std::clamp(sx, 0, mask.width - 1), std::clamp(sy, 0, mask.height - 1));
        }
    return out;
}

Plane softened(const Mask& mask) {
    Plane plane(mask.width, mask.height);
    std::transform(mask.values.begin(), mask.values.end(), plane.values.begin(), [](auto v) { return float(v); });
    blur(plane);
    return plane;
}

void blur(Plane& plane) {
    const int w = plane.width;
    const int h = plane.height;
    std::vector<float> row(std::size_t(w) + 2);
    for (int y = 0; y < h; ++y) {
        float* line = &plane.values[std::size_t(y) * w];
        std::copy(line, line + w, row.begin() + 1);
        row.front() = line[0];
        row.back() = line[w - 1];
        for (int x = 0; x < w; ++x) line[x] = 0.25F * (row[x] + row[x + 2]) + 0.5F * row[x + 1];
    }
    std::vector<float> above(plane.values.begin(), plane.values.begin() + w);
    std::vector<float> here(static_cast<std::size_t>(w));
    for (int y = 0; y < h; ++y) {
        float* line = &plane.values[std::size_t(y) * w];
        const float* below = y + 1 < h ? line + w : line;
        std::copy(line, line + w, here.begin());
        for (int x = 0; x < w; ++x) line[x] = 0.25F * (above[x] + below[x]) + 0.5F * here[x];
        std::swap(above, here);
    }
}

std::vector<int> distance_to_outside(const Mask& mask) {
    const Rect box = bounds(mask);
    const int w = box.x1 - box.x0 + 2;  // the mask's box in a frame of outside pixels
    const int h = box.y1 - box.y0 + 2;
    std::vector<int> framed(std::size_t(w) * h, 0);
    for (int y = 1; y + 1 < h; ++y)
        for (int x = 1; x + 1 < w; ++x) {
            int* p = &framed[std::size_t(y) * w + x];
            if (mask.values[std::size_t(box.y0 + y - 1) * mask.width + box.x0 + x - 1] != 0)
                *p = std::min({p[-1] + 3, p[-w] + 3, p[-w - 1] + 4, p[-w + 1] + 4});
        }
    for (int y = h - 2; y >= 1; --y)
        for (int x = w - 2; x >= 1; --x) {
            int* p = &framed[std::size_t(y) * w + x];
            if (*p != 0) *p = std::min({*p, p[1] + 3, p[w] + 3, p[w + 1] + 4, p[w - 1] + 4});
        }
    std::vector<int> distance(mask.values.size());
    for (int y = 1; y + 1 < h; ++y)
        std::copy_n(framed.begin() + std::ptrdiff_t(y) * w + 1, w - 2,
                    distance.begin() + std::ptrdiff_t(box.y0 + y - 1) * mask.width + box.x0);
    return distance;
}

std::vector<std::uint32_t> squared_distance_to(const Mask& mask) {
    const std::int64_t w = mask.width, h = mask.height, far = w + h;  // farther than any two pixels of a column or row
    check(std::ranges::any_of(mask.values, [](auto value) { return value != 0; }), "squared_distance_to: an empty mask");
    std::vector<std::int32_t> in_column(mask.values.size());
    for (std::int64_t y = 0; y < h; ++y)
        for (std::int64_t x = 0; x < w; ++x) {
            const auto at = std::size_t(y * w + x);
            const auto above = y == 0 ? far : in_column[at - std::size_t(w)] + 1;
            in_column[at] = mask.values[at] != 0 ? 0 : std::int32_t(std::min<std::int64_t>(above, far));
        }
    for (std::int64_t y = h - 2; y >= 0; --y)
        for (std::int64_t x = 0; x < w; ++x) {
            const auto at = std::size_t(y * w + x);
            in_column[at] = std::min(in_column[at], in_column[at + std::size_t(w)] + 1);
        }

    // Along a row every column is a parabola of squared distances; the lower envelope of all is a list of columns and where each begins.
    struct Piece {
        std::int64_t column = 0, begin = 0;
    };
    std::vector<std::uint32_t> squared(mask.values.size());
    std::vector<Piece> envelope;
    for (std::int64_t y = 0; y < h; ++y) {
        const auto* row = &in_column[std::size_t(y * w)];
        const auto height_at = [&](std::int64_t x, std::int64_t column) { return (x - column) * (x - column) + std::int64_t(row[column]) * row[column]; };
        envelope.assign(1, {});
        for (std::int64_t x = 1; x < w; ++x) {
            while (!envelope.empty() && height_at(envelope.back().begin, envelope.back().column) > height_at(envelope.back().begin, x)) envelope.pop_back();
            if (envelope.empty()) {
                envelope.push_back({.column = x, .begin = 0});
                continue;
            }
            // From where on x is nearer than the last: not negative, since the last is no farther at its own beginning.
            const auto last = envelope.back().column;
            const auto begin = (x * x - last * last + std::int64_t(row[x]) * row[x] - std::int64_t(row[last]) * row[last]) / (2 * (x - last)) + 1;
            if (begin < w) envelope.push_back({.column = x, .begin = begin});
        }
        for (std::int64_t x = w - 1; x >= 0; --x) {
            squared[std::size_t(y * w + x)] = std::uint32_t(height_at(x, envelope.back().column));
            if (x == envelope.back().begin) envelope.pop_back();
        }
    }
    return squared;
}

Point deepest_point(const Mask& mask) {
    const auto depth = distance_to_outside(mask);
    const auto at = static_cast<int>(std::max_element(depth.begin(), depth.end()) - depth.begin());
    return {.x = at % mask.width + 0.5, .y = at / mask.width + 0.5};
}

std::vector<Mask> connected_parts(const Mask& mask, std::int64_t min_area) {
    std::vector<Mask> parts;
    std::vector<std::int64_t> areas;
    std::vector<std::uint8_t> open = mask.values;
    std::vector<int> queue;
    const int w = mask.width;
    for (int start = 0; start < int(open.size()); ++start) {
        if (open[std::size_t(start)] == 0) continue;
        queue.assign(1, start);
        open[std::size_t(start)] = 0;
        for (std::size_t head = 0; head < queue.size(); ++head) {
            const int at = queue[head];
            const int x = at % w;
            const auto visit = [&](bool exists, int next) {
                if (exists && open[std::size_t(next)] != 0) {
                    open[std::size_t(next)] = 0;
                    queue.push_back(next);
                }
            };
            visit(x > 0, at - 1);
            visit(x + 1 < w, at + 1);
            visit(at >= w, at - w);
            visit(at + w < int(open.size()), at + w);
        }
        if (std::int64_t(queue.size()) < min_area) continue;
        Mask part(mask.width, mask.height);
        for (int at : queue) part.values[std::size_t(at)] = 1;
        const auto place = std::upper_bound(areas.begin(), areas.end(), std::int64_t(queue.size()), std::greater<>{});
        parts.insert(parts.begin() + (place - areas.begin()), std::move(part));
        areas.insert(place, std::int64_t(queue.size()));
    }
    return parts;
}

}  // namespace prelude::models
