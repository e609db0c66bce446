// SPDX-License-Identifier: Apache-2.0
#include "models/data/texture.hpp"

#include <algorithm>
#include <cmath>

namespace prelude::models {

namespace {

constexpr Colour kMaterials[] = {
    {.45F, .62F, .85F}, {.62F, .74F, .88F}, {.80F, .82F, .85F}, {.30F, .42F, .16F}, {.40F, .50F, .24F}, {.13F, .20F, .08F},
    {.20F, .28F, .14F}, {.42F, .32F, .22F}, {.30F, .22F, .15F}, {.76F, .68F, .52F}, {.62F, .54F, .40F}, {.50F, .48F, .45F},
    {.35F, .34F, .33F}, {.18F, .30F, .38F}, {.25F, .42F, .50F}, {.92F, .93F, .95F}, {.45F, .30F, .18F}, {.06F, .06F, .07F},
    {.93F, .92F, .90F}, {.80F, .60F, .48F}, {.70F, .15F, .12F}, {.85F, .45F, .15F}, {.85F, .75F, .20F}, {.55F, .38F, .20F},
    {.60F, .32F, .24F}, {.62F, .60F, .57F}, {.75F, .45F, .35F}, {.40F, .20F, .42F}, {.10F, .15F, .35F}, {.15F, .12F, .10F},
    {.25F, .25F, .27F}, {.70F, .66F, .60F},
};

float wave(float phase) noexcept {  // close to a sine, period 1
    const float t = phase - std::floor(phase) - 0.5F;
    return 16.0F * t * (0.5F - std::abs(t));
}

}  // namespace

Colour Texture::at(float x, float y) const noexcept {
    float u = map[0] * x + map[1] * y + offset[0];
    float v = map[2] * x + map[3] * y + offset[1];
    if (warp != 0) {
        const NoisePlane& waves = noise_plane(NoiseKind::smooth, 1);
        u += warp * waves.at(0.7F * x + offset[1], 0.7F * y + offset[0]);
        v += warp * waves.at(0.7F * y + offset[0], 0.7F * x + offset[1]);
    }
    float t = 0;
    switch (pattern) {
        case Pattern::plain: break;
        case Pattern::noise:
        case Pattern::speckle: t = 0.5F + 0.35F * sharpness * plane->at(u, v); break;
        case Pattern::stripes: t = 0.5F + 0.5F * sharpness * wave(u * 0.1F); break;
        case Pattern::bricks: {
            const float row = std::floor(v * 0.12F);
            const float shift = (int(row) & 1) != 0 ? 0.5F : 0.0F;
            const float fu = u * 0.06F + shift - std::floor(u * 0.06F + shift);
            const float fv = v * 0.12F - row;
            t = fu < 0.12F || fv < 0.2F ? 1.0F : 0.1F;
            break;
        }
        case Pattern::spots: t = 0.5F + 2.0F * sharpness * (plane->at(u, v) - 0.7F); break;
        case Pattern::cells: t = 0.35F + 0.4F * sharpness * plane->at(u, v); break;
    }
    t = std::clamp(t, 0.0F, 1.0F);
    float light = 1.0F + gradient[0] * (x - centre[0]) + gradient[1] * (y - centre[1]);
    if (relief != 0) light += relief * relief_plane->at(x * relief_step + offset[1], y * relief_step + offset[0]);
    light = std::clamp(light, 0.25F, 2.0F);
    Colour colour;
    for (std::size_t c = 0; c < 3; ++c) colour[c] = (base[c] + (second[c] - base[c]) * t) * light;
    if (tint != 0) {
        const float shift = tint * noise_plane(NoiseKind::pink, 2).at(0.8F * x + offset[0], 0.8F * y + offset[1]);
        colour[0] += shift;
        colour[2] -= shift;
    }
    return colour;
}

Colour random_colour(Random& random) {
    Colour colour;
    if (random.chance(0.12)) {
        for (auto& c : colour) c = float(random.uniform());
        return colour;
    }
    colour = kMaterials[random.pick(std::size(kMaterials))];
    const double exposure = exponential(random.normal() * 0.3);
    for (auto& c : colour) c = float(std::clamp(c * exposure + random.normal() * 0.04, 0.01, 1.0));
    return colour;
}

Texture random_texture(Random& random, const Colour& base, double contrast, Point centre) {
    Texture texture;
    texture.base = base;
    const double choice = random.uniform();
    texture.pattern = choice < 0.2    ? Pattern::plain
                      : choice < 0.62 ? Pattern::noise
                      : choice < 0.70 ? Pattern::stripes
                      : choice < 0.75 ? Pattern::bricks
                      : choice < 0.83 ? Pattern::spots
                      : choice < 0.92 ? Pattern::cells
                                      : Pattern::speckle;
    if (random.chance(0.7)) {  // the same material, lighter or darker
        const double factor = exponential(random.normal() * 0.9 * contrast);
        for (std::size_t c = 0; c < 3; ++c)
            texture.second[c] = float(std::clamp(base[c] * factor + random.normal() * 0.06 * contrast, 0.0, 1.0));
    } else {
        const Colour other = random_colour(random);
        for (std::size_t c = 0; c < 3; ++c) texture.second[c] = base[c] + (other[c] - base[c]) * float(contrast * random.uniform(0.3, 1.0));
    }
    texture.sharpness = float(random.log_uniform(0.5, 3.0));
    const double angle = random.chance(0.5) ? random.normal() * 0.15 : random.uniform(0, 6.2831853);
    const double scale = random.log_uniform(0.25, 2.5);
    const double stretch = random.chance(0.5) ? 1.0 : random.log_uniform(1.0, 6.0);
    const double c = cosine(angle) * scale;
    const double s = sine(angle) * scale;
    texture.map = {float(c / stretch), float(-s / stretch), float(s), float(c)};
    texture.offset = {float(random.uniform(0, 1024)), float(random.uniform(0, 1024))};
    if (random.chance(0.5)) texture.warp = float(random.uniform(1, 8) * scale);
    NoiseKind kind = NoiseKind::pink;
    if (texture.pattern == Pattern::noise)
        kind = std::array{NoiseKind::pink, NoiseKind::rough, NoiseKind::smooth, NoiseKind::rough}[random.pick(4)];
    if (texture.pattern == Pattern::spots) kind = NoiseKind::band;
    if (texture.pattern == Pattern::cells) kind = NoiseKind::cells;
    if (texture.pattern == Pattern::speckle) kind = NoiseKind::grain;
    texture.plane = &noise_plane(kind, random.integer(0, kNumNoiseVariants - 1));
    const NoiseKind relief_kind =
        std::array{NoiseKind::pink, NoiseKind::pink, NoiseKind::rough, NoiseKind::rough, NoiseKind::cells}[random.pick(5)];
    texture.relief_plane = &noise_plane(relief_kind, random.integer(0, kNumNoiseVariants - 1));
    texture.relief = random.chance(0.85) ? float(contrast * random.uniform(0.03, 0.45)) : 0.0F;
    texture.relief_step = float(random.log_uniform(0.3, 2.0));
    if (random.chance(0.6))
        for (auto& g : texture.gradient) g = float(random.normal() * 0.004);
    texture.centre = {float(centre.x), float(centre.y)};
    if (random.chance(0.4)) texture.tint = float(random.uniform(0, 0.06));
    return texture;
}

void paint(Canvas& canvas, const Plane& alpha, const Rect& where, const Texture& texture) {
    for (int y = where.y0; y < where.y1; ++y)
        for (int x = where.x0; x < where.x1; ++x) {
            const float a = alpha.at(x, y);
            if (a <= 0) continue;
            const Colour colour = texture.at(float(x), float(y));
            Colour& pixel = canvas.at(x, y);
            for (std::size_t c = 0; c < 3; ++c) pixel[c] += (colour[c] - pixel[c]) * a;
        }
}

}  // namespace prelude::models
