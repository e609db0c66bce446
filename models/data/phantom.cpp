// SPDX-License-Identifier: Apache-2.0
// CT-like axial abdominal slices: a plane of Hounsfield values with organs, vessels and lesions, seen through blur, noise
// and a window. Hounsfield ranges are textbook values of a portal-venous scan; the anatomy is schematic (ellipses and
// smooth curves at about the right places), which is what sets the shapes and contrasts a segmenter meets.
#include <algorithm>
#include <cmath>

#include "models/data/layout.hpp"
#include "models/data/noise.hpp"
#include "models/data/raster.hpp"
#include "models/data/shapes.hpp"

namespace prelude::models {

namespace {

constexpr double kTwoPi = 6.28318530717958647692;

/// The slice in the making. Body coordinates: the body is about -1..1 wide and -0.7..0.7 high, spine below.
struct Slice {
    Random& random;
    int size;
    Plane hounsfield;
    double scale;
    Point centre;
    double cos_turn;
    double sin_turn;
    double mirror;
    std::vector<Region> organs;

    [[nodiscard]] Point at(double u, double v) const {
        u *= mirror;
        return {.x = centre.x + scale * (u * cos_turn - v * sin_turn), .y = centre.y + scale * (u * sin_turn + v * cos_turn)};
    }
    [[nodiscard]] Polygon placed(Polygon outline) const {
        for (auto& p : outline) p = at(p.x, p.y);
        return outline;
    }
    [[nodiscard]] Mask filled(const Polygon& outline) const {
        Mask mask(size, size);
        fill_polygon(mask, placed(outline));
        return mask;
    }
    /// Sets tissue with partial volume at its border and `texture` of deviation in it.
    void fill(const Mask& mask, double value, double texture = 0) {
        const Plane alpha = softened(mask);
        const Rect where = bounds(mask, 2);
        const NoisePlane& noise = noise_plane(NoiseKind::pink, random.integer(0, kNumNoiseVariants - 1));
        const auto u = float(random.uniform(0, 256));
        for (int y = where.y0; y < where.y1; ++y)
            for (int x = where.x0; x < where.x1; ++x) {
                const float a = alpha.at(x, y);
                if (a <= 0) continue;
                float tissue = float(value);
                if (texture > 0) tissue += float(texture) * noise.at(u + 1.5F * float(x), 1.5F * float(y));
                hounsfield.at(x, y) += (tissue - hounsfield.at(x, y)) * a;
            }
    }
    /// The mask becomes an organ: it hides what earlier organs had there.
    void claim(const Mask& mask, const char* category) {
        for (auto& organ : organs)
            for (std::size_t i = 0; i < mask.values.size(); ++i)
                if (mask.values[i] != 0) organ.mask.values[i] = 0;
        organs.push_back({.mask = mask, .category = category});
    }
    /// Named members, because they are evaluated in order and most of them draw random numbers.
    struct Organ {
        Polygon outline;
        double value = 0;
        double texture = 0;
        const char* category = "";
        const Mask* within = nullptr;
    };
    void add(const Organ& organ) {
        Mask mask = filled(organ.outline);
        if (organ.within != nullptr)
            for (std::size_t i = 0; i < mask.values.size(); ++i) mask.values[i] &= organ.within->values[i];
        fill(mask, organ.value, organ.texture);
        claim(mask, organ.category);
    }
};

double around(Random& random, double mean, double deviation) {
    return mean + deviation * std::clamp(random.normal(), -2.0, 2.0);
}

Polygon organ_blob(Random& random, double u, double v, double ru, double rv, double angle, double roughness) {
    const Point centre{.x = around(random, u, 0.03), .y = around(random, v, 0.03)};
    const double radius_u = ru * random.uniform(0.8, 1.2);
    const double radius_v = rv * random.uniform(0.8, 1.2);
    const double turn = around(random, angle, 0.2);
    return blob(random, centre, radius_u, radius_v, turn, 4, roughness);
}

void vessels(Slice& s, const Mask& organ, double value) {
    Random& random = s.random;
    Mask tree(s.size, s.size);
    const Rect where = bounds(organ);
    for (int i = random.integer(2, 5); i > 0; --i) {
        Point at{.x = random.uniform(where.x0, where.x1), .y = random.uniform(where.y0, where.y1)};
        double heading = random.uniform(0, kTwoPi);
        Polygon path;
        for (int k = 0; k < 6; ++k) {
            path.push_back(at);
            at = {.x = at.x + s.scale * 0.06 * cosine(heading), .y = at.y + s.scale * 0.06 * sine(heading)};
            heading += random.normal() * 0.4;
        }
        fill_stroke(tree, path, s.scale * random.uniform(0.012, 0.028), s.scale * 0.006);
    }
    for (std::size_t i = 0; i < tree.values.size(); ++i) tree.values[i] &= organ.values[i];
    s.fill(tree, value);
}

/// A round patch inside an organ; the organ keeps it (as in clinical masks), the lesion is an instance of its own.
void lesion(Slice& s, const Mask& organ, double organ_value, std::vector<Region>& lesions) {
    Random& random = s.random;
    const Rect where = bounds(organ);
    const double radius = s.scale * random.log_uniform(0.04, 0.14);
    for (int attempt = 0; attempt < 30; ++attempt) {
        const int x = random.integer(where.x0, std::max(where.x0, where.x1 - 1));
        const int y = random.integer(where.y0, std::max(where.y0, where.y1 - 1));
        if (!organ.contains(x, y)) continue;
        Mask mask(s.size, s.size);
        const double stretch = random.uniform(0.7, 1.2);
        const double angle = random.uniform(0, kTwoPi);
        fill_polygon(mask, blob(random, {.x = x + 0.5, .y = y + 0.5}, radius, radius * stretch, angle, 3, 0.15));
        for (std::size_t i = 0; i < mask.values.size(); ++i) mask.values[i] &= organ.values[i];
        const double contrast = random.uniform(30, 80);
        const double value = random.chance(0.75) ? organ_value - contrast : organ_value + contrast;
        s.fill(mask, value, random.uniform(0, 8));
        if (random.chance(0.25)) {  // a rim
            Mask core(s.size, s.size);
            fill_polygon(core, ellipse({.x = x + 0.5, .y = y + 0.5}, radius * 0.55, radius * 0.5 * stretch, 0));
            for (std::size_t i = 0; i < core.values.size(); ++i) core.values[i] &= mask.values[i];
            s.fill(core, value - 25);
        }
        lesions.push_back({.mask = std::move(mask), .category = "lesion"});
        return;
    }
}

void spine(Slice& s) {
    Random& random = s.random;
    const double v = around(random, 0.36, 0.03);
    Mask bone = s.filled(blob(random, {.x = 0, .y = v}, random.uniform(0.13, 0.17), 0.12, 0, 3, 0.06));
    fill_polygon(
        bone, s.placed({{.x = -0.05, .y = v + 0.18}, {.x = 0.05, .y = v + 0.18}, {.x = 0.025, .y = v + 0.4}, {.x = -0.025, .y = v + 0.4}}));
    for (double side : {-1.0, 1.0})
        fill_polygon(bone, s.placed({{.x = side * 0.08, .y = v + 0.06},
                                     {.x = side * 0.12, .y = v + 0.1},
                                     {.x = side * 0.32, .y = v + 0.24},
                                     {.x = side * 0.28, .y = v + 0.28},
                                     {.x = side * 0.06, .y = v + 0.2}}));
    const double cortex = random.uniform(350, 700);
    s.fill(bone, cortex);
    s.claim(bone, "vertebra");
    s.fill(s.filled(ellipse({.x = 0, .y = v}, 0.115, 0.095, 0)), cortex * random.uniform(0.3, 0.6), 30);
    s.fill(s.filled(ellipse({.x = 0, .y = v + 0.165}, 0.05, 0.04, 0)), 30);
}

void draw_slice(Slice& s, std::vector<Region>& lesions) {
    Random& random = s.random;
    const double contrast = random.uniform(0, 1);  // contrast agent: none .. strong
    const double muscle = around(random, 55, 8);
    const double fat = around(random, -100, 10);
    const Mask body = s.filled(blob(random, {.x = 0, .y = 0}, 1.0, random.uniform(0.66, 0.78), 0, 4, 0.03));
    s.fill(body, around(random, 0, 20));             // skin
    const double wall = random.uniform(0.03, 0.16);  // subcutaneous fat
    Polygon inner = blob(random, {.x = 0, .y = 0.02}, 0.98 - wall, random.uniform(0.66, 0.70) - wall, 0, 4, 0.03);
    s.fill(s.filled(ellipse({.x = 0, .y = 0}, 0.975, 0.68, 0, 48)), fat, 6);
    const Mask muscles = s.filled(inner);
    s.fill(muscles, muscle, 8);
    for (auto& p : inner) p = {.x = p.x * 0.90, .y = (p.y + 0.04) * 0.86 - 0.05};
    const Mask cavity = s.filled(inner);
    s.fill(cavity, fat, 10);
    for (int i = 0; i < 9; ++i)  // ribs in the wall
        for (double side : {-1.0, 1.0}) {
            if (!random.chance(0.45)) continue;
            const double angle = 0.15 + 0.33 * i + around(random, 0, 0.04);
            const double reach = 0.94 - wall;
            const Point rib{.x = side * reach * sine(angle), .y = -(0.64 - wall) * cosine(angle)};
            s.fill(s.filled(ellipse(rib, 0.05, 0.022, side * angle)), random.uniform(250, 600));
        }

    const bool chest = random.chance(0.15);
    if (chest) {
        s.add({.outline = organ_blob(random, -0.45, -0.05, 0.32, 0.42, 0.1, 0.08),
               .value = around(random, -820, 40),
               .texture = 30,
               .category = "lung",
               .within = &cavity});
        s.add({.outline = organ_blob(random, 0.45, -0.05, 0.32, 0.42, -0.1, 0.08),
               .value = around(random, -820, 40),
               .texture = 30,
               .category = "lung",
               .within = &cavity});
        s.add({.outline = organ_blob(random, 0.05, -0.25, 0.28, 0.24, 0.3, 0.06),
               .value = 50 + 110 * contrast,
               .texture = 5,
               .category = "heart"});
    } else {
        const int loops = random.integer(2, 8);
        for (int i = 0; i < loops; ++i) {
            const double u = random.uniform(-0.55, 0.55);
            const double v = random.uniform(-0.45, 0.1);
            const double wide = random.uniform(0.08, 0.16);
            const Polygon loop = organ_blob(random, u, v, wide, 0.09, random.uniform(0, 3), 0.15);
            s.add({.outline = loop, .value = around(random, 45, 20), .texture = 8, .category = "bowel", .within = &cavity});
            if (random.chance(0.4)) {  // gas rises
                Mask gas = s.filled(organ_blob(random, u, v - 0.02, 0.05, 0.03, 0, 0.1));
                for (std::size_t k = 0; k < gas.values.size(); ++k) gas.values[k] &= s.organs.back().mask.values[k];
                s.fill(gas, -850);
            }
        }
    }
    for (double side : {-1.0, 1.0})
        if (!chest && random.chance(0.7))
            s.add({.outline = organ_blob(random, side * 0.24, 0.38, 0.09, 0.12, side * 0.3, 0.08),
                   .value = muscle,
                   .texture = 6,
                   .category = "psoas"});
    spine(s);

    if (!chest) {
        const double kidney = 35 + 150 * contrast * random.uniform(0.7, 1.0);
        for (double side : {-1.0, 1.0}) {
            if (!random.chance(0.8)) continue;
            const double u = side * around(random, 0.47, 0.04);
            const double v = around(random, 0.28, 0.05);
            const double wide = random.uniform(0.12, 0.17);
            const Polygon bean = blob(random, {.x = u, .y = v}, wide, random.uniform(0.15, 0.21), side * 0.4, 3, 0.05);
            s.add({.outline = bean, .value = kidney, .texture = 8, .category = "kidney", .within = &cavity});
            const Mask whole = s.organs.back().mask;
            Mask sinus = s.filled(organ_blob(random, u - side * 0.07, v - 0.01, 0.055, 0.075, side * 0.4, 0.2));
            for (std::size_t k = 0; k < sinus.values.size(); ++k) sinus.values[k] &= whole.values[k];
            s.fill(sinus, random.chance(0.6) ? fat + 40 : kidney - 60);
            if (random.chance(0.2)) lesion(s, whole, kidney, lesions);
        }
        if (random.chance(0.6)) {
            const double stomach = random.chance(0.3) ? around(random, 150, 40) : around(random, 20, 12);
            s.add({.outline = organ_blob(random, 0.36, -0.28, 0.30, 0.20, 0.5, 0.12),
                   .value = stomach,
                   .texture = 6,
                   .category = "stomach",
                   .within = &cavity});
            if (random.chance(0.5)) {
                const Mask whole = s.organs.back().mask;
                Mask gas = whole;
                const double level = s.at(0.36, around(random, -0.34, 0.06)).y;
                for (int y = 0; y < s.size; ++y)
                    for (int x = 0; x < s.size; ++x)
                        if (y > level) gas.values[std::size_t(y) * s.size + x] = 0;
                s.fill(gas, -900);
            }
        }
        if (random.chance(0.45)) {
            Mask pancreas(s.size, s.size);
            Polygon path;
            double v = around(random, 0.02, 0.05);
            for (int i = 0; i < 7; ++i) {
                path.push_back(s.at(-0.22 + 0.1 * i, v));
                v += random.normal() * 0.03 - 0.015;
            }
            const double head = s.scale * random.uniform(0.06, 0.09);
            fill_stroke(pancreas, path, head, head * random.uniform(0.55, 0.8));
            s.fill(pancreas, 40 + 60 * contrast, 14);
            s.claim(pancreas, "pancreas");
        }
        if (random.chance(0.75)) {
            const double spleen = 48 + 75 * contrast;
            s.add({.outline = organ_blob(random, 0.68, 0.10, 0.13, 0.26, -0.35, 0.12),
                   .value = spleen,
                   .texture = 5,
                   .category = "spleen",
                   .within = &cavity});
            const Mask whole = s.organs.back().mask;
            if (random.chance(0.15)) lesion(s, whole, spleen, lesions);
        }
    }
    if (random.chance(0.85)) {
        const double liver = 55 + 55 * contrast + random.normal() * 8;
        const double size = random.uniform(0.75, 1.1);
        Mask mask = s.filled(organ_blob(random, -0.50, chest ? 0.05 : -0.08, 0.36 * size, 0.42 * size, 0.35, 0.12));
        fill_polygon(mask, s.placed(organ_blob(random, -0.18, -0.30, 0.34 * size, 0.18 * size, -0.15, 0.12)));
        for (std::size_t k = 0; k < mask.values.size(); ++k) mask.values[k] &= cavity.values[k];
        s.fill(mask, liver, 6);
        s.claim(mask, "liver");
        if (random.chance(0.7)) vessels(s, mask, liver + (contrast > 0.3 ? 45 : -20));
        for (int i = random.chance(0.5) ? random.integer(1, 3) : 0; i > 0; --i) lesion(s, mask, liver, lesions);
        if (random.chance(0.4))
            s.add({.outline = organ_blob(random, -0.28, -0.12, 0.08, 0.11, 0.4, 0.08),
                   .value = around(random, 8, 5),
                   .texture = 2,
                   .category = "gallbladder"});
    }
    const double blood = 45 + 140 * contrast;
    s.add({.outline = organ_blob(random, 0.06, 0.19, 0.075, 0.075, 0, 0.03), .value = blood, .texture = 3, .category = "aorta"});
    s.add({.outline = organ_blob(random, -0.12, 0.17, 0.085, 0.065, 0.2, 0.06),
           .value = blood * random.uniform(0.75, 1.0),
           .texture = 3,
           .category = "vena cava"});
}

Image seen(Slice& s) {
    Random& random = s.random;
    for (int i = random.integer(0, 2); i > 0; --i) blur(s.hounsfield);
    const double choice = random.uniform();
    double width = random.uniform(300, 450);
    double level = random.uniform(30, 70);
    if (choice < 0.12) {  // liver window
        width = random.uniform(150, 220);
        level = random.uniform(60, 100);
    } else if (choice < 0.24) {  // wide
        width = random.uniform(700, 1600);
        level = random.uniform(0, 300);
    }
    const auto noise = float(random.log_uniform(3, 28));
    Plane grain(s.size, s.size);
    for (auto& value : grain.values) value = float(random.normal());
    const int correlation = random.integer(0, 2);
    for (int i = 0; i < correlation; ++i) blur(grain);
    const float gain = noise * std::array{1.0F, 2.67F, 3.6F}[std::size_t(correlation)];  // a blur lowers the deviation by so much
    Image image{.width = s.size, .height = s.size, .rgb = {}};
    image.rgb.resize(grain.values.size() * 3);
    for (std::size_t i = 0; i < grain.values.size(); ++i) {
        const double value = (double(s.hounsfield.values[i]) + double(gain * grain.values[i]) - level) / width + 0.5;
        const auto grey = std::uint8_t(std::clamp(value * 255 + 0.5, 0.0, 255.0));
        for (std::size_t c = 0; c < 3; ++c) image.rgb[i * 3 + c] = grey;
    }
    return image;
}

}  // namespace

Layout make_phantom(Random& random, int size) {
    const double zoom = random.log_uniform(0.48, 1.0);  // half the body's width as a share of the picture
    const double turn = random.normal() * 0.08;
    const double slack = std::max(0.05, zoom - 0.45);
    const double cx = 0.5 + slack * random.uniform(-0.9, 0.9);
    const double cy = 0.5 + slack * random.uniform(-0.6, 0.6);
    Slice slice{.random = random,
                .size = size,
                .hounsfield = Plane(size, size, -1000.0F),
                .scale = zoom * size,
                .centre = {.x = cx * size, .y = cy * size},
                .cos_turn = cosine(turn),
                .sin_turn = sine(turn),
                .mirror = random.chance(0.2) ? -1.0 : 1.0,
                .organs = {}};
    std::vector<Region> lesions;
    draw_slice(slice, lesions);
    Layout layout{.image = seen(slice), .regions = {}};
    for (const auto& organ : slice.organs) add_regions(layout.regions, organ.mask, organ.category);
    for (const auto& region : lesions) add_regions(layout.regions, region.mask, region.category);
    return layout;
}

}  // namespace prelude::models
