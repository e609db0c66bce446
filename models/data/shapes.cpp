// SPDX-License-Identifier: Apache-2.0
#include "models/data/shapes.hpp"

#include <algorithm>
#include <cmath>

namespace prelude::models {

namespace {

constexpr double kTwoPi = 6.28318530717958647692;

Point polar(Point from, double angle, double length) {
    return {.x = from.x + length * cosine(angle), .y = from.y + length * sine(angle)};
}

Point turned(Point p, Point centre, double c, double s) {
    const double u = p.x - centre.x;
    const double v = p.y - centre.y;
    return {.x = centre.x + u * c - v * s, .y = centre.y + u * s + v * c};
}

Polygon superellipse(Random& random, Point centre, double radius) {
    const double exponent = random.log_uniform(0.25, 1.2);
    const double rx = radius * random.uniform(0.6, 1.2);
    const double ry = radius * random.uniform(0.6, 1.2);
    const double angle = random.chance(0.5) ? random.uniform(-0.2, 0.2) : random.uniform(0, kTwoPi);
    const double c = cosine(angle);
    const double s = sine(angle);
    Polygon outline;
    for (int i = 0; i < 48; ++i) {
        const double u = cosine(kTwoPi * i / 48);
        const double v = sine(kTwoPi * i / 48);
        const Point p{.x = centre.x + rx * (u < 0 ? -power(-u, exponent) : power(u, exponent)),
                      .y = centre.y + ry * (v < 0 ? -power(-v, exponent) : power(v, exponent))};
        outline.push_back(turned(p, centre, c, s));
    }
    return outline;
}

Polygon angular(Random& random, Point centre, double radius) {
    const int corners = random.integer(3, 8);
    const double start = random.uniform(0, kTwoPi);
    const bool star = random.chance(0.25);
    Polygon outline;
    for (int i = 0; i < corners * (star ? 2 : 1); ++i) {
        const double spread = star ? 2.0 * corners : corners;
        const double reach = star && i % 2 == 1 ? random.uniform(0.4, 0.65) : random.uniform(0.75, 1.3);
        outline.push_back(polar(centre, start + kTwoPi * (i + random.uniform(-0.25, 0.25)) / spread, radius * reach));
    }
    return outline;
}

/// Body, head, legs, tail: a four-legged, two-legged or winged silhouette.
void limbed(Random& random, Mask& mask, Point centre, double radius) {
    const double flip = random.chance(0.5) ? 1 : -1;
    const double tilt = random.normal() * 0.2;
    const double c = cosine(tilt);
    const double s = sine(tilt);
    const auto at = [&](double u, double v) {
        return turned({.x = centre.x + flip * u * radius, .y = centre.y + v * radius}, centre, c, s);
    };
    const auto limb = [&](Point from, Point joint, Point to, double r0, double r1) {
        const Point path[] = {from, joint, to};
        fill_stroke(mask, path, r0 * radius, r1 * radius);
    };
    if (random.chance(0.6)) {  // four legs
        const double thick = random.uniform(0.28, 0.5);
        fill_polygon(mask, blob(random, centre, radius * random.uniform(0.8, 1.05), radius * thick, tilt, 3, 0.15));
        const double leg = random.uniform(0.3, 0.9);
        const int legs = random.integer(2, 4);
        for (int i = 0; i < legs; ++i) {
            const double u = (i < 2 ? -0.7 : 0.6) + random.uniform(-0.12, 0.2);
            const double bend = random.normal() * 0.12;
            const double foot = u + random.normal() * 0.12;
            const double thigh = random.uniform(0.12, 0.2);
            const double ankle = random.uniform(0.06, 0.1);
            limb(at(u, thick * 0.4), at(u + bend, thick * 0.6 + leg * 0.5), at(foot, thick * 0.6 + leg), thigh, ankle);
        }
        const double up = random.uniform(-0.9, 0.2);
        const double chest = random.uniform(0.2, 0.32);
        limb(at(0.7, -0.1), at(0.95, up * 0.6), at(1.1, up), chest, chest * random.uniform(0.6, 0.8));
        const double head = radius * random.uniform(0.2, 0.36);
        fill_polygon(mask, ellipse(at(1.2, up), head, head * random.uniform(0.65, 0.9), tilt + flip * 0.3));
        if (random.chance(0.6)) {
            const double swing = random.normal() * 0.3;
            limb(at(-0.85, -0.1), at(-1.15, swing), at(-1.35, swing + random.normal() * 0.2), 0.08, 0.04);
        }
    } else if (random.chance(0.6)) {  // standing on two
        const double shoulder = random.uniform(0.28, 0.42);
        const double hip = shoulder * random.uniform(0.6, 1.2);
        fill_polygon(mask, {at(-shoulder, -0.5), at(shoulder, -0.5), at(hip, 0.35), at(-hip, 0.35)});
        const double head = radius * random.uniform(0.16, 0.24);
        const double nod = random.normal() * 0.05;
        fill_polygon(mask, ellipse(at(nod, -0.78), head, head * random.uniform(1.0, 1.3), 0));
        limb(at(0, -0.7), at(0, -0.6), at(0, -0.45), 0.12, 0.14);
        for (double side : {-1.0, 1.0}) {
            const double elbow = shoulder + random.uniform(0, 0.25);
            const double hand = shoulder + random.uniform(-0.3, 0.4);
            const double reach = random.uniform(-0.3, 0.35);
            limb(at(side * shoulder * 0.8, -0.42), at(side * elbow, -0.05), at(side * hand, reach), 0.12, 0.08);
            const double knee = 0.18 + random.uniform(0, 0.15);
            const double foot = 0.15 + random.uniform(0, 0.25);
            limb(at(side * 0.16, 0.3), at(side * knee, 0.75), at(side * foot, 1.2), 0.17, 0.1);
        }
    } else {  // wings or fins
        fill_polygon(mask, blob(random, centre, radius, radius * random.uniform(0.25, 0.4), tilt, 2, 0.1));
        for (double side : {-1.0, 1.0}) {
            const double root = random.uniform(-0.3, 0.3);
            const double tip = root + random.normal() * 0.4;
            const double span = random.uniform(0.5, 1.1);
            fill_polygon(mask, {at(root - 0.25, side * 0.1), at(root + 0.3, side * 0.1), at(tip, side * span)});
        }
        fill_polygon(mask, {at(-0.8, 0), at(-1.35, -0.35), at(-1.2, 0.05), at(-1.35, 0.4)});
    }
}

void tree(Random& random, Mask& mask, Point centre, double radius) {
    const double trunk = random.uniform(0.06, 0.16);
    const Point stem[] = {{.x = centre.x, .y = centre.y + radius * random.uniform(0.9, 1.6)},
                          {.x = centre.x + random.normal() * radius * 0.08, .y = centre.y + radius * 0.3},
                          {.x = centre.x, .y = centre.y - radius * 0.1}};
    fill_stroke(mask, stem, radius * trunk * 1.3, radius * trunk);
    if (random.chance(0.3)) {  // a conifer
        for (int i = 0; i < 4; ++i) {
            const double top = centre.y - radius * (1.1 - 0.42 * i);
            const double half = radius * (0.25 + 0.16 * i);
            fill_polygon(mask, {{.x = centre.x, .y = top},
                                {.x = centre.x + half, .y = top + radius * 0.62},
                                {.x = centre.x - half, .y = top + radius * 0.62}});
        }
        return;
    }
    const int puffs = random.integer(3, 8);
    for (int i = 0; i < puffs; ++i) {
        const Point p{.x = centre.x + random.normal() * radius * 0.4, .y = centre.y - radius * 0.3 + random.normal() * radius * 0.28};
        const double r = radius * random.uniform(0.25, 0.55);
        fill_polygon(mask, blob(random, p, r, r * random.uniform(0.7, 1.0), 0, 6, 0.25));
    }
}

void building(Random& random, Mask& mask, Point centre, double radius) {
    const double lean = random.normal() * 0.06;
    const int blocks = random.integer(1, 4);
    const double base = centre.y + radius;
    double left = centre.x - radius * random.uniform(0.7, 1.1);
    for (int i = 0; i < blocks; ++i) {
        const double wide = radius * random.uniform(0.8, 1.8) * (blocks > 1 ? 0.7 : 1.0);
        const double top = base - radius * random.uniform(0.8, 2.2);
        const double shift = lean * (base - top);
        Polygon outline{{.x = left, .y = base}, {.x = left + shift, .y = top}};
        if (random.chance(0.4))
            outline.push_back({.x = left + wide * random.uniform(0.3, 0.7) + shift, .y = top - radius * random.uniform(0.15, 0.6)});
        outline.push_back({.x = left + wide + shift, .y = top + radius * random.uniform(-0.15, 0.15)});
        outline.push_back({.x = left + wide, .y = base});
        fill_polygon(mask, outline);
        left += wide * random.uniform(0.7, 1.0);
    }
}

void ribbon(Random& random, Mask& mask, Point centre, double radius) {
    const double angle = random.uniform(0, kTwoPi);
    const double bend = random.normal() * 0.5;
    Polygon path;
    Point at = polar(centre, angle + kTwoPi / 2, radius * 1.4);
    double heading = angle - bend;
    const int pieces = 10;
    for (int i = 0; i <= pieces; ++i) {
        path.push_back(at);
        at = polar(at, heading, radius * 2.8 / pieces);
        heading += 2 * bend / pieces + random.normal() * 0.12;
    }
    const double thick = radius * random.uniform(0.14, 0.4);
    fill_stroke(mask, path, thick, thick * random.uniform(0.4, 1.1));
}

void branch(Random& random, Mask& mask, Point from, double heading, double length, double thick, int depth) {
    const Point joint = polar(from, heading + random.normal() * 0.15, length * 0.5);
    const Point to = polar(joint, heading + random.normal() * 0.25, length * 0.5);
    const Point path[] = {from, joint, to};
    fill_stroke(mask, path, thick, thick * 0.7);
    if (depth == 0) return;
    const int children = random.integer(2, 3);
    for (int i = 0; i < children; ++i) {
        const double turn = random.uniform(-0.9, 0.9);
        branch(random, mask, to, heading + turn, length * random.uniform(0.55, 0.85), thick * 0.68, depth - 1);
    }
}

void stem(Random& random, Mask& mask, Point centre, double radius) {
    const double heading = -kTwoPi / 4 + random.normal() * 0.5;
    branch(random, mask, {.x = centre.x, .y = centre.y + radius}, heading, radius, radius * random.uniform(0.14, 0.26), 2);
}

Polygon any_blob(Random& random, Point centre, double radius) {
    const double radius_x = radius * random.uniform(0.6, 1.3);
    const double radius_y = radius * random.uniform(0.6, 1.1);
    const double angle = random.uniform(0, kTwoPi);
    const int harmonics = random.integer(1, 8);
    return blob(random, centre, radius_x, radius_y, angle, harmonics, random.uniform(0.05, 0.5));
}

}  // namespace

Polygon blob(Random& random, Point centre, double radius_x, double radius_y, double angle, int harmonics, double roughness) {
    constexpr int kCorners = 64;
    std::vector<double> radius(kCorners, 1.0);
    for (int k = 2; k < 2 + harmonics; ++k) {
        const double amplitude = roughness * random.uniform(0.3, 1.0) / (k - 1);
        const double phase = random.uniform(0, kTwoPi);
        for (int i = 0; i < kCorners; ++i) radius[std::size_t(i)] += amplitude * sine(kTwoPi * k * i / kCorners + phase);
    }
    const double c = cosine(angle);
    const double s = sine(angle);
    Polygon outline(kCorners);
    for (int i = 0; i < kCorners; ++i) {
        const double r = std::max(0.15, radius[std::size_t(i)]);
        const double u = radius_x * r * cosine(kTwoPi * i / kCorners);
        const double v = radius_y * r * sine(kTwoPi * i / kCorners);
        outline[std::size_t(i)] = {.x = centre.x + u * c - v * s, .y = centre.y + u * s + v * c};
    }
    return outline;
}

Mask draw_shape(Random& random, ShapeKind kind, int width, int height, Point centre, double radius) {
    Mask mask(width, height);
    switch (kind) {
        case ShapeKind::blob:
        case ShapeKind::kCount: fill_polygon(mask, any_blob(random, centre, radius)); break;
        case ShapeKind::superellipse: fill_polygon(mask, superellipse(random, centre, radius)); break;
        case ShapeKind::angular: fill_polygon(mask, angular(random, centre, radius)); break;
        case ShapeKind::limbed: limbed(random, mask, centre, radius); break;
        case ShapeKind::tree: tree(random, mask, centre, radius); break;
        case ShapeKind::building: building(random, mask, centre, radius); break;
        case ShapeKind::ring: {
            const double angle = random.uniform(0, kTwoPi);
            const double flat = random.uniform(0.6, 1.0);
            const double hole = random.uniform(0.35, 0.7);
            fill_polygon(mask, ellipse(centre, radius * 1.1, radius * 1.1 * flat, angle, 48));
            fill_polygon(
                mask,
                ellipse(polar(centre, random.uniform(0, kTwoPi), radius * 0.1), radius * 1.1 * hole, radius * 1.1 * hole * flat, angle, 48),
                0);
            if (random.chance(0.3))  // a crescent
                fill_polygon(mask, ellipse(polar(centre, random.uniform(0, kTwoPi), radius), radius * 0.8, radius * 0.8, 0, 48), 0);
            break;
        }
        case ShapeKind::ribbon: ribbon(random, mask, centre, radius); break;
        case ShapeKind::branching: stem(random, mask, centre, radius); break;
        case ShapeKind::cluster: {
            const int parts = random.integer(2, 5);
            for (int i = 0; i < parts; ++i) {
                const double away = radius * random.uniform(0.2, 0.6);
                const Point p = polar(centre, random.uniform(0, kTwoPi), away);
                const double long_side = radius * random.uniform(0.35, 0.8);
                const double short_side = radius * random.uniform(0.35, 0.8);
                fill_polygon(mask, blob(random, p, long_side, short_side, random.uniform(0, kTwoPi), 3, 0.2));
            }
            break;
        }
    }
    return mask;
}

}  // namespace prelude::models
