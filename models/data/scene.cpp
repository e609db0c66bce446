// SPDX-License-Identifier: Apache-2.0
// Natural-like scenes. A background is partitioned into textured regions (horizon bands, cells, level sets of noise,
// straight cuts); objects of many shapes are laid over it, front ones hiding back ones; then light, lens and sensor.
// Limits: no perspective and no physics: only what decides where one region ends and the next begins.
#include <algorithm>
#include <cmath>
#include <span>

#include "models/data/layout.hpp"
#include "models/data/noise.hpp"
#include "models/data/raster.hpp"
#include "models/data/shapes.hpp"
#include "models/data/texture.hpp"

namespace prelude::models {

namespace {

constexpr double kTwoPi = 6.28318530717958647692;
constexpr int kClutter = -1;  ///< label of pixels that belong to nothing worth asking for

const NoisePlane& any_plane(Random& random, NoiseKind kind) {
    return noise_plane(kind, random.integer(0, kNumNoiseVariants - 1));
}

/// A picture in the making: colours, and for every pixel the label of the front-most thing.
struct Painting {
    Random& random;
    int width;
    int height;
    double unit;  ///< pixels that lengths chosen for a 128-pixel picture are multiplied by
    Canvas canvas;
    std::vector<int> labels;
    int num_labels = 0;
    std::vector<bool> is_object;
    double contrast;

    Painting(Random& r, int w, int h, double u)
        : random(r), width(w), height(h), unit(u), canvas(w, h), labels(std::size_t(w) * h, kClutter), contrast(r.log_uniform(0.25, 0.9)) {}

    int new_label(bool object) {
        is_object.push_back(object);
        return num_labels++;
    }
    void assign(const Mask& mask, int label) {
        for (std::size_t i = 0; i < labels.size(); ++i)
            if (mask.values[i] != 0) labels[i] = label;
    }
    [[nodiscard]] Mask mask_of(int label) const {
        Mask mask(width, height);
        for (std::size_t i = 0; i < labels.size(); ++i) mask.values[i] = labels[i] == label;
        return mask;
    }
};

void darken(Canvas& canvas, const Plane& alpha, const Rect& where, float strength) {
    for (int y = where.y0; y < where.y1; ++y)
        for (int x = where.x0; x < where.x1; ++x)
            for (auto& c : canvas.at(x, y)) c *= 1.0F - strength * alpha.at(x, y);
}

/// A colour that the eye tells apart from those beside it, if a few draws find one.
Colour distinct_colour(Random& random, std::span<const Colour> beside) {
    constexpr float kTellable = 0.3F;  // sum of the channels' distances
    Colour colour{};
    for (int attempt = 0; attempt < 6; ++attempt) {
        colour = random_colour(random);
        const bool alike = std::ranges::any_of(beside, [&](const Colour& other) {
            return std::abs(colour[0] - other[0]) + std::abs(colour[1] - other[1]) + std::abs(colour[2] - other[2]) < kTellable;
        });
        if (!alike) break;
    }
    return colour;
}

/// Light and shade inside one region: patches that no border of the region follows.
void mottle(Painting& p, const Mask& mask, const Rect& where) {
    Random& random = p.random;
    const NoisePlane& noise = any_plane(random, random.chance(0.5) ? NoiseKind::pink : NoiseKind::smooth);
    const auto u = float(random.uniform(0, 256));
    const auto v = float(random.uniform(0, 256));
    const auto step = float(random.log_uniform(0.6, 3.0) / p.unit);
    const auto threshold = float(random.uniform(-0.5, 1.0));
    const auto sharpness = float(random.log_uniform(0.5, 4.0));
    Plane alpha = softened(mask);
    for (int y = where.y0; y < where.y1; ++y)
        for (int x = where.x0; x < where.x1; ++x)
            alpha.at(x, y) *= std::clamp(0.5F + sharpness * (noise.at(u + step * float(x), v + step * float(y)) - threshold), 0.0F, 1.0F);
    darken(p.canvas, alpha, where, float(random.uniform(0.15, 0.6)));
}

/// Leaves, pebbles, flowers: small spots of other brightness or colour that belong to the region.
void scatter(Painting& p, const Mask& mask, const Rect& where, const Colour& base) {
    Random& random = p.random;
    const double size = p.unit * random.log_uniform(0.7, 2.5);
    const Colour other = random_colour(random);
    const auto hue = float(random.uniform(0, 0.8));
    Mask spots[2] = {Mask(p.width, p.height), Mask(p.width, p.height)};
    const int count = int(random.log_uniform(0.05, 0.4) * (where.x1 - where.x0) * (where.y1 - where.y0) / (6 * size * size + 4));
    for (int i = 0; i < count; ++i) {
        const Point at{.x = random.uniform(where.x0, where.x1), .y = random.uniform(where.y0, where.y1)};
        const double long_side = size * random.uniform(0.5, 1.5);
        const double angle = random.uniform(0, kTwoPi);
        fill_polygon(spots[i % 2], ellipse(at, long_side, size * random.uniform(0.4, 1.0), angle, 10));
    }
    for (auto& spot : spots) {
        for (std::size_t i = 0; i < spot.values.size(); ++i) spot.values[i] &= mask.values[i];
        Texture texture;
        const auto factor = float(exponential(random.normal() * 0.4));
        for (std::size_t c = 0; c < 3; ++c) texture.base[c] = factor * (base[c] + (other[c] - base[c]) * hue);
        paint(p.canvas, softened(spot), where, texture);
    }
}

// ---- background ------------------------------------------------------------------------------------------------------

std::vector<int> bands(Random& random, int w, int h) {
    const int count = random.integer(2, 4);
    const bool upright = random.chance(0.12);
    std::vector<double> base(std::size_t(count) - 1);
    for (auto& b : base) b = random.uniform(0.12, 0.88);
    std::sort(base.begin(), base.end());
    std::vector<int> cell(std::size_t(w) * h, 0);
    const int along = upright ? h : w;
    const int across = upright ? w : h;
    for (double b : base) {
        const NoisePlane& noise = any_plane(random, random.chance(0.5) ? NoiseKind::smooth : NoiseKind::pink);
        const double slope = random.normal() * 0.12;
        const double amplitude = random.chance(0.3) ? 0.0 : across * random.log_uniform(0.01, 0.14);
        const double step = random.log_uniform(0.5, 3.0) * 128 / along;
        const auto row = float(random.uniform(0, 256));
        for (int i = 0; i < along; ++i) {
            const double edge = across * b + slope * (i - along / 2) + amplitude * noise.at(float(i * step), row);
            for (int j = std::clamp(int(edge), 0, across); j < across; ++j)
                ++cell[upright ? std::size_t(i) * w + j : std::size_t(j) * w + i];
        }
    }
    return cell;
}

std::vector<int> warped_cells(Random& random, int w, int h) {
    const int count = random.integer(3, 9);
    std::vector<Point> sites(static_cast<std::size_t>(count));
    for (auto& s : sites) s = {.x = random.uniform(0, w), .y = random.uniform(0, h)};
    const NoisePlane& noise = any_plane(random, random.chance(0.5) ? NoiseKind::smooth : NoiseKind::pink);
    const double amplitude = random.chance(0.2) ? 0.0 : w * random.log_uniform(0.01, 0.15);
    const double step = random.log_uniform(0.4, 2.0) * 128 / w;
    const double stretch = random.log_uniform(0.5, 2.0);
    const double at = random.uniform(0, 256);
    std::vector<int> cell(std::size_t(w) * h, 0);
    for (int y = 0; y < h; ++y)
        for (int x = 0; x < w; ++x) {
            const double px = x + amplitude * noise.at(float(at + x * step), float(y * step));
            const double py = y + amplitude * noise.at(float(y * step + 99), float(at + x * step));
            double nearest = 1e18;
            for (int i = 0; i < count; ++i) {
                const double dx = px - sites[std::size_t(i)].x;
                const double dy = (py - sites[std::size_t(i)].y) * stretch;
                if (dx * dx + dy * dy < nearest) {
                    nearest = dx * dx + dy * dy;
                    cell[std::size_t(y) * w + x] = i;
                }
            }
        }
    return cell;
}

std::vector<int> level_sets(Random& random, int w, int h) {
    const NoisePlane& noise = any_plane(random, random.chance(0.6) ? NoiseKind::smooth : NoiseKind::pink);
    const double step = random.log_uniform(0.4, 1.6) * 128 / w;
    const double stretch = random.log_uniform(0.5, 2.5);
    const double u = random.uniform(0, 256);
    const double v = random.uniform(0, 256);
    std::vector<float> field(std::size_t(w) * h);
    for (int y = 0; y < h; ++y)
        for (int x = 0; x < w; ++x) field[std::size_t(y) * w + x] = noise.at(float(u + x * step), float(v + y * step * stretch));
    std::vector<float> sorted = field;
    std::sort(sorted.begin(), sorted.end());
    const int count = random.integer(2, 4);
    std::vector<int> cell(field.size(), 0);
    for (int i = 1; i < count; ++i) {
        const float threshold = sorted[std::size_t(double(sorted.size() - 1) * random.uniform(0.12, 0.88))];
        for (std::size_t p = 0; p < field.size(); ++p) cell[p] += field[p] > threshold;
    }
    return cell;
}

std::vector<int> straight_cuts(Random& random, int w, int h) {
    std::vector<int> cell(std::size_t(w) * h, 0);
    const int cuts = random.integer(2, 7);
    const bool aligned = random.chance(0.6);
    for (int i = 1; i <= cuts; ++i) {
        const int px = random.integer(0, w - 1);
        const int py = random.integer(0, h - 1);
        const int target = cell[std::size_t(py) * w + px];
        double angle = random.uniform(0, kTwoPi);
        if (aligned) {
            angle = random.normal() * 0.08;
            if (random.chance(0.5)) angle += kTwoPi / 4;
        }
        const double nx = cosine(angle);
        const double ny = sine(angle);
        for (int y = 0; y < h; ++y)
            for (int x = 0; x < w; ++x) {
                int& at = cell[std::size_t(y) * w + x];
                if (at == target && nx * (x - px) + ny * (y - py) > 0) at = i;
            }
    }
    return cell;
}

void paint_background(Painting& p) {
    Random& random = p.random;
    const double choice = random.uniform();
    std::vector<int> cell;
    if (choice < 0.10)
        cell.assign(p.labels.size(), 0);
    else if (choice < 0.36)
        cell = bands(random, p.width, p.height);
    else if (choice < 0.58)
        cell = warped_cells(random, p.width, p.height);
    else if (choice < 0.84)
        cell = level_sets(random, p.width, p.height);
    else
        cell = straight_cuts(random, p.width, p.height);
    const int count = *std::max_element(cell.begin(), cell.end()) + 1;
    const Colour mood = random_colour(random);
    const double unity = random.chance(0.4) ? random.uniform(0.1, 0.5) : 0.0;  // how alike the regions are
    const int first = p.num_labels;
    for (int i = 0; i < count; ++i) p.new_label(false);
    std::vector<Colour> colours;
    for (int i = 0; i < count; ++i) {
        Mask mask(p.width, p.height);
        for (std::size_t at = 0; at < cell.size(); ++at) mask.values[at] = cell[at] == i;
        colours.push_back(distinct_colour(random, colours));
        Colour colour = colours.back();
        for (std::size_t c = 0; c < 3; ++c) colour[c] += (mood[c] - colour[c]) * float(unity);
        const Rect where = bounds(mask, 2);
        if (where.x1 == 0) continue;
        const Point centre{.x = 0.5 * (where.x0 + where.x1), .y = 0.5 * (where.y0 + where.y1)};
        const Texture texture = random_texture(random, colour, p.contrast, centre);
        if (i == 0)
            paint(p.canvas, Plane(p.width, p.height, 1.0F), {.x0 = 0, .y0 = 0, .x1 = p.width, .y1 = p.height}, texture);
        else
            paint(p.canvas, softened(mask), where, texture);
        p.assign(mask, first + i);
        if (random.chance(0.2)) mottle(p, mask, where);
        if (random.chance(0.1)) scatter(p, mask, where, colour);
    }
}

// ---- objects ---------------------------------------------------------------------------------------------------------

ShapeKind random_shape(Random& random) {
    static constexpr ShapeKind kOften[] = {ShapeKind::blob,         ShapeKind::blob,     ShapeKind::blob,      ShapeKind::superellipse,
                                           ShapeKind::superellipse, ShapeKind::angular,  ShapeKind::angular,   ShapeKind::limbed,
                                           ShapeKind::limbed,       ShapeKind::limbed,   ShapeKind::limbed,    ShapeKind::tree,
                                           ShapeKind::tree,         ShapeKind::building, ShapeKind::building,  ShapeKind::ring,
                                           ShapeKind::ribbon,       ShapeKind::ribbon,   ShapeKind::branching, ShapeKind::cluster,
                                           ShapeKind::cluster};
    return kOften[random.pick(std::size(kOften))];
}

void cast_shadow(Painting& p, const Mask& mask, double radius) {
    const int dx = int(p.random.normal() * radius * 0.35);
    const int dy = int(p.random.uniform(0, radius * 0.5));
    Mask moved(p.width, p.height);
    for (int y = 0; y < p.height; ++y)
        for (int x = 0; x < p.width; ++x) moved.values[std::size_t(y) * p.width + x] = mask.contains(x - dx, y - dy);
    Plane alpha = softened(moved);
    for (int i = p.random.integer(0, 3); i > 0; --i) blur(alpha);
    darken(p.canvas, alpha, bounds(moved, 5), float(p.random.uniform(0.2, 0.6)));
}

/// Markings, clothes, windows: parts of other colour inside the object, which stays one instance.
void paint_parts(Painting& p, const Mask& mask, const Texture& body, const Rect& where, double radius) {
    Random& random = p.random;
    for (int i = random.integer(1, 3); i > 0; --i) {
        const Point centre{.x = random.uniform(where.x0, where.x1), .y = random.uniform(where.y0, where.y1)};
        const ShapeKind kind = random.chance(0.5) ? ShapeKind::blob : ShapeKind::superellipse;
        Mask part = draw_shape(random, kind, p.width, p.height, centre, radius * random.uniform(0.15, 0.5));
        for (std::size_t at = 0; at < part.values.size(); ++at) part.values[at] &= mask.values[at];
        Colour colour = random_colour(random);
        const auto share = float(random.uniform(0.15, 0.9));
        for (std::size_t c = 0; c < 3; ++c) colour[c] = body.base[c] + (colour[c] - body.base[c]) * share;
        const Rect inside = bounds(part, 2);
        if (inside.x1 > 0) paint(p.canvas, softened(part), inside, random_texture(random, colour, p.contrast, centre));
    }
}

void paint_object(Painting& p, Point centre, double radius, bool annotated) {
    Random& random = p.random;
    Mask mask = draw_shape(random, random_shape(random), p.width, p.height, centre, radius);
    if (random.chance(0.5)) {
        const NoisePlane& noise = any_plane(random, random.chance(0.5) ? NoiseKind::rough : NoiseKind::pink);
        const double u = random.uniform(0, 256);
        const double v = random.uniform(0, 256);
        const double step = random.log_uniform(0.3, 2.0) / p.unit;
        mask = warped(mask, noise, u, v, step, std::min(radius * 0.12, p.unit * random.log_uniform(0.5, 5.0)));
    }
    const Rect where = bounds(mask, 2);
    if (where.x1 == 0) return;
    if (random.chance(0.35)) cast_shadow(p, mask, radius);
    const int cx = std::clamp(int(centre.x), 0, p.width - 1);
    const int cy = std::clamp(int(centre.y), 0, p.height - 1);
    Colour colour = distinct_colour(random, {&p.canvas.at(cx, cy), 1});
    if (random.chance(0.1)) {  // camouflage
        const double shift = random.log_uniform(0.06, 0.25);
        colour = p.canvas.at(cx, cy);
        for (auto& c : colour) c = float(std::clamp(c + random.normal() * shift * 0.5 + (c > 0.5F ? -shift : shift), 0.0, 1.0));
    }
    Texture texture = random_texture(random, colour, p.contrast, centre);
    if (random.chance(0.6)) {  // round: one side in the light
        const double strength = random.uniform(0.1, 0.5) / radius;
        const double direction = random.uniform(0, kTwoPi);
        texture.gradient = {float(strength * cosine(direction)), float(strength * sine(direction))};
    }
    const Plane alpha = softened(mask);
    paint(p.canvas, alpha, where, texture);
    if (random.chance(0.35)) paint_parts(p, mask, texture, where, radius);
    if (random.chance(0.3)) mottle(p, mask, where);
    if (random.chance(0.1)) scatter(p, mask, where, colour);
    if (random.chance(0.2)) {  // highlight
        Mask glint(p.width, p.height);
        const Point spot{.x = centre.x + random.normal() * radius * 0.3, .y = centre.y - random.uniform(0, radius * 0.5)};
        const double rx = radius * random.uniform(0.08, 0.35);
        const double ry = rx * random.uniform(0.5, 1.0);
        fill_polygon(glint, ellipse(spot, rx, ry, random.uniform(0, kTwoPi)));
        for (std::size_t at = 0; at < glint.values.size(); ++at) glint.values[at] &= mask.values[at];
        Plane shine = softened(glint);
        blur(shine);
        darken(p.canvas, shine, bounds(glint, 4), -float(random.uniform(0.2, 0.7)));
    }
    p.assign(mask, annotated ? p.new_label(true) : kClutter);
}

void paint_objects(Painting& p) {
    Random& random = p.random;
    const double side = std::min(p.width, p.height);
    const auto place = [&] {
        const double x = random.uniform(-0.05, 1.05) * p.width;
        return Point{.x = x, .y = random.uniform(-0.05, 1.05) * p.height};
    };
    for (int i = random.chance(0.25) ? random.integer(2, 10) : 0; i > 0; --i) {
        const Point at = place();
        paint_object(p, at, side * random.log_uniform(0.015, 0.04), false);
    }
    const int count = std::array{0, 1, 1, 2, 2, 2, 3, 3, 4, 5, 6, 8}[random.pick(12)];
    const bool subject = random.chance(0.5);
    const double largest = count > 4 ? 0.25 : 0.36;
    for (int i = 0; i < count; ++i) {
        Point at = place();
        double radius = side * random.log_uniform(0.07, largest);
        if (subject && i + 1 == count) {
            at.x = p.width * (0.5 + 0.13 * random.normal());
            at.y = p.height * (0.5 + 0.13 * random.normal());
            radius = side * random.uniform(0.2, 0.42);
        }
        paint_object(p, at, radius, true);
    }
    if (random.chance(0.15)) {  // wires and twigs in front of everything
        for (int i = random.integer(1, 4); i > 0; --i) {
            const Point a = place();
            const Point b = place();
            const Point middle{.x = 0.5 * (a.x + b.x) + random.normal() * side * 0.08,
                               .y = 0.5 * (a.y + b.y) + random.normal() * side * 0.08};
            const Point path[] = {a, middle, b};
            Mask line(p.width, p.height);
            const double thick = p.unit * random.uniform(0.5, 1.3);
            fill_stroke(line, path, thick, thick);
            const Colour colour = random_colour(random);
            paint(p.canvas, softened(line), bounds(line, 2), random_texture(random, colour, 0.3, a));
            p.assign(line, kClutter);
        }
    }
}

// ---- light, lens, sensor ---------------------------------------------------------------------------------------------

void blur(Canvas& canvas, int passes) {
    for (std::size_t c = 0; c < 3 && passes > 0; ++c) {
        Plane plane(canvas.width, canvas.height);
        for (std::size_t i = 0; i < plane.values.size(); ++i) plane.values[i] = canvas.pixels[i][c];
        for (int i = 0; i < passes; ++i) blur(plane);
        for (std::size_t i = 0; i < plane.values.size(); ++i) canvas.pixels[i][c] = plane.values[i];
    }
}

void light(Painting& p) {
    Random& random = p.random;
    const bool uneven = random.chance(0.5);
    const bool dappled = random.chance(0.12);
    if (!uneven && !dappled) return;
    const NoisePlane& slow = any_plane(random, NoiseKind::smooth);
    const NoisePlane& leaves = any_plane(random, random.chance(0.5) ? NoiseKind::smooth : NoiseKind::band);
    const auto u = float(random.uniform(0, 256));
    const auto v = float(random.uniform(0, 256));
    const auto strength = float(random.uniform(0.03, 0.2));
    const auto depth = float(random.uniform(0.2, 0.5));
    const auto threshold = float(random.uniform(-0.3, 0.8));
    const auto step = float(random.uniform(0.3, 1.0) / p.unit);
    for (int y = 0; y < p.height; ++y)
        for (int x = 0; x < p.width; ++x) {
            float factor = 1;
            if (uneven) factor += strength * slow.at(u + 0.5F * step * float(x), v + 0.5F * step * float(y));
            if (dappled)
                factor *= 1 - depth * std::clamp(0.5F + 3 * (leaves.at(v + step * float(x), u + step * float(y)) - threshold), 0.0F, 1.0F);
            for (auto& c : p.canvas.at(x, y)) c *= factor;
        }
}

Image develop(Painting& p) {
    Random& random = p.random;
    blur(p.canvas, std::array{0, 0, 0, 0, 1, 1, 1, 1, 2, 3}[random.pick(10)]);
    const double exposure = exponential(random.normal() * 0.2);
    std::array<float, 3> gain{};
    for (auto& g : gain) g = float(exposure * (random.chance(0.4) ? exponential(random.normal() * 0.1) : 1.0));
    const float contrast = random.chance(0.15) ? float(random.uniform(0.5, 0.8)) : float(random.uniform(0.85, 1.2));
    const auto pivot = float(random.uniform(0.35, 0.6));
    const bool grey = random.chance(0.08);
    const auto saturation = float(random.uniform(0.35, 1.1));
    const float sensor = random.chance(0.6) ? float(random.log_uniform(0.004, 0.04)) : 0.0F;
    const float blotch = random.chance(0.3) ? float(random.uniform(0.005, 0.02)) : 0.0F;
    const NoisePlane& blotches = any_plane(random, NoiseKind::rough);
    const auto at = float(random.uniform(0, 256));
    Image image{.width = p.width, .height = p.height, .rgb = {}};
    image.rgb.resize(p.labels.size() * 3);
    const NoisePlane& grain = any_plane(random, NoiseKind::grain);
    const int shift[3] = {random.integer(0, 65535), random.integer(0, 65535), random.integer(0, 65535)};
    for (std::size_t i = 0; i < p.labels.size(); ++i) {
        Colour colour = p.canvas.pixels[i];
        const int x = int(i) % p.width;
        const int y = int(i) / p.width;
        const float luma = 0.30F * colour[0] + 0.59F * colour[1] + 0.11F * colour[2];
        const float patch = blotch == 0 ? 0 : blotch * blotches.at(at + float(x), float(y));
        for (std::size_t c = 0; c < 3; ++c) {
            float value = grey ? luma : luma + (colour[c] - luma) * saturation;
            value = pivot + (value * (grey ? gain[0] : gain[c]) - pivot) * contrast + patch;
            const int cell = shift[grey ? 0 : c];
            if (sensor > 0) value += sensor * grain.at(float(x + (cell & 255)), float(y + (cell >> 8)));
            image.rgb[i * 3 + c] = std::uint8_t(std::clamp(value * 255.0F + 0.5F, 0.0F, 255.0F));
        }
    }
    return image;
}

}  // namespace

Layout make_scene(Random& random, int size) {
    int width = size;
    int height = size;
    const double aspect = random.chance(0.5) ? 2.0 / 3.0 : random.uniform(0.6, 1.0);
    const int shorter = int(size * aspect + 0.5);
    if (random.chance(0.35))
        width = shorter;
    else
        height = shorter;
    Painting painting(random, width, height, size / 128.0);
    paint_background(painting);
    if (random.chance(0.3)) blur(painting.canvas, random.integer(1, 4));  // the background out of focus
    paint_objects(painting);
    light(painting);
    Layout layout{.image = develop(painting), .regions = {}};
    for (int label = 0; label < painting.num_labels; ++label)
        add_regions(layout.regions, painting.mask_of(label), painting.is_object[std::size_t(label)] ? "object" : "region");
    return layout;
}

}  // namespace prelude::models
