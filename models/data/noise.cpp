// SPDX-License-Identifier: Apache-2.0
#include "models/data/noise.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "models/data/image.hpp"
#include "models/data/random.hpp"

namespace prelude::models {

namespace {

constexpr int kSize = NoisePlane::kSize;

/// Adds one octave: random values on a periodic lattice, joined by cubic blends.
void add_octave(std::vector<float>& plane, int wavelength, double amplitude, Random& random) {
    const int cells = kSize / wavelength;
    std::vector<double> lattice(std::size_t(cells) * cells);
    for (auto& value : lattice) value = random.normal() * amplitude;
    for (int y = 0; y < kSize; ++y) {
        const int cy = y / wavelength;
        const double ty = (y % wavelength + 0.5) / wavelength;
        const double by = ty * ty * (3 - 2 * ty);
        const double* top = &lattice[std::size_t(cy) * cells];
        const double* bottom = &lattice[std::size_t((cy + 1) % cells) * cells];
        for (int x = 0; x < kSize; ++x) {
            const int cx = x / wavelength;
            const int next = (cx + 1) % cells;
            const double tx = (x % wavelength + 0.5) / wavelength;
            const double bx = tx * tx * (3 - 2 * tx);
            const double upper = top[cx] + (top[next] - top[cx]) * bx;
            const double lower = bottom[cx] + (bottom[next] - bottom[cx]) * bx;
            plane[std::size_t(y) * kSize + x] += float(upper + (lower - upper) * by);
        }
    }
}

void add_cells(std::vector<float>& plane, Random& random) {
    constexpr int kGrid = 16;  // one point in every cell of the grid: the nearest is among the 25 cells around
    constexpr int kCell = kSize / kGrid;
    std::vector<Point> points(kGrid * kGrid);
    for (int i = 0; i < kGrid * kGrid; ++i)
        points[i] = {.x = (i % kGrid + random.uniform()) * kCell, .y = (i / kGrid + random.uniform()) * kCell};
    for (int y = 0; y < kSize; ++y)
        for (int x = 0; x < kSize; ++x) {
            double nearest = 1e9;
            for (int j = -2; j <= 2; ++j)
                for (int i = -2; i <= 2; ++i) {
                    const int gx = x / kCell + i;
                    const int gy = y / kCell + j;
                    const Point& p = points[std::size_t((gy + kGrid) % kGrid) * kGrid + (gx + kGrid) % kGrid];
                    double dx = std::abs(p.x - x);
                    double dy = std::abs(p.y - y);
                    dx = std::min(dx, kSize - dx);
                    dy = std::min(dy, kSize - dy);
                    nearest = std::min(nearest, dx * dx + dy * dy);
                }
            plane[std::size_t(y) * kSize + x] = float(std::sqrt(nearest));
        }
}

}  // namespace

NoisePlane::NoisePlane(NoiseKind kind, int variant) : values_(std::size_t(kSize) * kSize) {
    Random random(mix(0x6e6f697365ULL + std::uint64_t(kind) * 64 + std::uint64_t(variant)));
    switch (kind) {
        case NoiseKind::rough:
            for (int wave = 32, n = 0; wave >= 2; wave /= 2, ++n) add_octave(values_, wave, power(0.85, n), random);
            break;
        case NoiseKind::pink:
            for (int wave = 128, n = 0; wave >= 2; wave /= 2, ++n) add_octave(values_, wave, power(0.55, n), random);
            break;
        case NoiseKind::smooth:
            for (int wave = 128, n = 0; wave >= 16; wave /= 2, ++n) add_octave(values_, wave, power(0.5, n), random);
            break;
        case NoiseKind::band: add_octave(values_, 16, 1.0, random); break;
        case NoiseKind::cells: add_cells(values_, random); break;
        case NoiseKind::grain:
            for (auto& value : values_) value = float(random.normal());
            break;
    }
    double sum = 0, squares = 0;
    for (float value : values_) {
        sum += value;
        squares += double(value) * value;
    }
    const double mean = sum / double(values_.size());
    const double deviation = std::sqrt(squares / double(values_.size()) - mean * mean);
    for (auto& value : values_) value = float((value - mean) / deviation);
}

float NoisePlane::at(float u, float v) const noexcept {
    const float fu = std::floor(u);
    const float fv = std::floor(v);
    const float tu = u - fu;
    const float tv = v - fv;
    const int x0 = int(fu) & (kSize - 1);
    const int y0 = int(fv) & (kSize - 1);
    const int x1 = (x0 + 1) & (kSize - 1);
    const int y1 = (y0 + 1) & (kSize - 1);
    const float* top = &values_[std::size_t(y0) * kSize];
    const float* bottom = &values_[std::size_t(y1) * kSize];
    const float upper = top[x0] + (top[x1] - top[x0]) * tu;
    const float lower = bottom[x0] + (bottom[x1] - bottom[x0]) * tu;
    return upper + (lower - upper) * tv;
}

const NoisePlane& noise_plane(NoiseKind kind, int variant) {
    static const std::vector<NoisePlane> planes = [] {
        std::vector<NoisePlane> all;
        for (auto k : {NoiseKind::rough, NoiseKind::pink, NoiseKind::smooth, NoiseKind::band, NoiseKind::cells, NoiseKind::grain})
            for (int v = 0; v < kNumNoiseVariants; ++v) all.emplace_back(k, v);
        return all;
    }();
    return planes[std::size_t(kind) * kNumNoiseVariants + std::size_t(variant)];
}

}  // namespace prelude::models
