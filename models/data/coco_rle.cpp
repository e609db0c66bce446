// SPDX-License-Identifier: Apache-2.0
#include "models/data/coco_rle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "models/error.hpp"

namespace prelude::models {

namespace {

constexpr double kFineness = 5;     ///< boundary points are made on a grid this much finer than the pixels
constexpr char kFirstLetter = 48;   ///< of 64 that stand for six bits each
constexpr int kMaxPieces = 7;       ///< 5-bit pieces that a difference of two 32-bit runs needs

struct GridPoint {
    int x = 0, y = 0;
};

/// Rounds half up, and towards zero below zero: only signs matter there, since such points leave the picture.
int rounded(double value) { return static_cast<int>(value + 0.5); }

/// Appends the points of one edge, both ends included, one a step of the longer side.
/// The line is always walked from its smaller end, so that an edge shared by two outlines has the same points.
void append_edge(std::vector<GridPoint>& points, GridPoint from, GridPoint to) {
    const int dx = std::abs(to.x - from.x), dy = std::abs(to.y - from.y);
    if (dx == 0 && dy == 0) return;
    const bool flat = dx >= dy;
    const bool flipped = flat ? from.x > to.x : from.y > to.y;
    if (flipped) std::swap(from, to);
    const int steps = flat ? dx : dy;
    const double slope = flat ? static_cast<double>(to.y - from.y) / dx : static_cast<double>(to.x - from.x) / dy;
    for (int step = 0; step <= steps; ++step) {
        const int t = flipped ? steps - step : step;
        points.push_back(flat ? GridPoint{t + from.x, rounded(from.y + slope * t)} : GridPoint{rounded(from.x + slope * t), t + from.y});
    }
}

/// Where the boundary between two neighbouring fine columns crosses a column of pixel centres: position of the run that begins there.
void append_crossing(std::vector<std::uint32_t>& positions, GridPoint before, GridPoint after, int width, int height) {
    if (before.x == after.x) return;
    const double x = ((after.x < before.x ? after.x : after.x - 1) + 0.5) / kFineness - 0.5;
    if (std::floor(x) != x || x < 0 || x > width - 1) return;
    const double y = std::clamp((std::min(before.y, after.y) + 0.5) / kFineness - 0.5, 0.0, static_cast<double>(height));
    positions.push_back(static_cast<std::uint32_t>(x) * static_cast<std::uint32_t>(height) + static_cast<std::uint32_t>(std::ceil(y)));
}

/// Calls take(length, in_a, in_b) for every stretch of pixels over which neither changes, front to back.
template <class Take>
void walk(std::span<const std::uint32_t> a, std::span<const std::uint32_t> b, const Take& take) {
    std::size_t next_a = 0, next_b = 0;
    std::uint32_t left_a = 0, left_b = 0;
    while (true) {
        while (left_a == 0 && next_a < a.size()) left_a = a[next_a++];
        while (left_b == 0 && next_b < b.size()) left_b = b[next_b++];
        if (left_a == 0 || left_b == 0) break;
        const auto length = std::min(left_a, left_b);
        take(length, next_a % 2 == 0, next_b % 2 == 0);
        left_a -= length;
        left_b -= length;
    }
    check(left_a == left_b, "run lengths of pictures of different sides");
}

}  // namespace

RunLengths run_lengths(const Mask& mask) {
    RunLengths runs;
    bool current = false;
    std::uint32_t length = 0;
    for (int x = 0; x < mask.width; ++x) {
        for (int y = 0; y < mask.height; ++y) {
            if (mask.contains(x, y) != current) {
                runs.push_back(length);
                length = 0;
                current = !current;
            }
            ++length;
        }
    }
    runs.push_back(length);
    return runs;
}

RunLengths rasterise_outline(std::span<const double> outline, int width, int height) {
    check(outline.size() >= 6 && outline.size() % 2 == 0, "rasterise_outline: not a polygon");
    const auto corner = [&](std::size_t i) {
        const auto at = 2 * (i % (outline.size() / 2));
        return GridPoint{rounded(kFineness * outline[at]), rounded(kFineness * outline[at + 1])};
    };
    std::vector<GridPoint> points;
    for (std::size_t i = 0; i < outline.size() / 2; ++i) append_edge(points, corner(i), corner(i + 1));
    std::vector<std::uint32_t> positions;
    for (std::size_t i = 1; i < points.size(); ++i) append_crossing(positions, points[i - 1], points[i], width, height);
    std::sort(positions.begin(), positions.end());

    // Inside and outside change at every position; where two coincide nothing begins.
    RunLengths runs;
    std::uint32_t begin = 0;
    bool merge = false;
    positions.push_back(static_cast<std::uint32_t>(width) * static_cast<std::uint32_t>(height));
    for (const auto position : positions) {
        const auto length = position - begin;
        begin = position;
        if (merge) {
            runs.back() += length;
            merge = false;
        } else if (length > 0 || runs.empty()) {
            runs.push_back(length);
        } else {
            merge = true;
        }
    }
    return runs;
}

std::string compress(std::span<const std::uint32_t> runs) {
    std::string text;
    for (std::size_t i = 0; i < runs.size(); ++i) {
        std::int64_t value = i > 2 ? static_cast<std::int64_t>(runs[i]) - runs[i - 2] : runs[i];
        for (bool more = true; more;) {
            std::int64_t piece = value & 31;
            value >>= 5;
            more = (piece & 16) != 0 ? value != -1 : value != 0;
            if (more) piece |= 32;
            text.push_back(static_cast<char>(piece + kFirstLetter));
        }
    }
    return text;
}

RunLengths decompress(std::string_view text, std::int64_t num_pixels) {
    RunLengths runs;
    runs.reserve(static_cast<std::size_t>(std::ranges::count_if(text, [](char letter) { return ((letter - kFirstLetter) & 32) == 0; })));
    for (std::size_t at = 0; at < text.size();) {
        std::int64_t value = 0;
        for (int pieces = 0, piece = 32; (piece & 32) != 0; ++pieces, ++at) {
            if (at == text.size()) throw RunLengthError("the text ends within a number");
            if (pieces == kMaxPieces) throw RunLengthError(fmt::format("the number at byte {} has more than {} pieces", at - kMaxPieces, kMaxPieces));
            piece = text[at] - kFirstLetter;
            if (piece < 0 || piece > 63)
                throw RunLengthError(fmt::format("byte {} is 0x{:02x}, allowed 0x30..0x6f", at, static_cast<unsigned char>(text[at])));
            value |= static_cast<std::int64_t>(piece & 31) << (5 * pieces);
            if ((piece & 32) == 0 && (piece & 16) != 0) value -= std::int64_t{1} << (5 * (pieces + 1));
        }
        if (runs.size() > 2) value += runs[runs.size() - 2];
        if (value < 0 || value > num_pixels) throw RunLengthError(fmt::format("run {} is {}, allowed 0..{}", runs.size(), value, num_pixels));
        runs.push_back(static_cast<std::uint32_t>(value));
    }
    check_run_lengths(runs, num_pixels);
    return runs;
}

void check_run_lengths(std::span<const std::uint32_t> runs, std::int64_t num_pixels) {
    const auto sum = std::accumulate(runs.begin(), runs.end(), std::int64_t{0});
    if (sum != num_pixels) throw RunLengthError(fmt::format("runs sum to {}, the picture has {} pixels", sum, num_pixels));
}

std::int64_t area(std::span<const std::uint32_t> runs) noexcept {
    std::int64_t pixels = 0;
    for (std::size_t i = 1; i < runs.size(); i += 2) pixels += runs[i];
    return pixels;
}

std::int64_t shared_area(std::span<const std::uint32_t> a, std::span<const std::uint32_t> b) {
    std::int64_t pixels = 0;
    walk(a, b, [&](std::uint32_t length, bool in_a, bool in_b) {
        if (in_a && in_b) pixels += length;
    });
    return pixels;
}

RunLengths merge(std::span<const std::uint32_t> a, std::span<const std::uint32_t> b, Merge how) {
    RunLengths runs{0};
    walk(a, b, [&](std::uint32_t length, bool in_a, bool in_b) {
        const bool inside = how == Merge::either ? in_a || in_b : in_a && in_b;
        const bool running = runs.size() % 2 == 0;
        if (inside == running) runs.back() += length;
        else runs.push_back(length);
    });
    return runs;
}

Box tight_box(std::span<const std::uint32_t> runs, int height) noexcept {
    if (height < 1) return {};
    const auto rows = static_cast<std::int64_t>(height);
    std::int64_t x0 = -1, x1 = 0, y0 = rows, y1 = 0, begin = 0;
    for (std::size_t i = 0; i < runs.size(); ++i) {
        const auto end = begin + runs[i];
        if (i % 2 == 1 && runs[i] > 0) {
            const auto first = begin / rows, last = (end - 1) / rows;
            if (x0 < 0) x0 = first;
            x1 = last + 1;
            // A run that goes on in the next column touches the lower and the upper border.
            y0 = std::min(y0, first == last ? begin % rows : 0);
            y1 = std::max(y1, first == last ? (end - 1) % rows + 1 : rows);
        }
        begin = end;
    }
    if (x0 < 0) return {};
    return {.x0 = static_cast<double>(x0), .y0 = static_cast<double>(y0), .x1 = static_cast<double>(x1), .y1 = static_cast<double>(y1)};
}

void draw_run_lengths(Mask& mask, std::span<const std::uint32_t> runs) {
    const auto height = static_cast<std::size_t>(mask.height), width = static_cast<std::size_t>(mask.width);
    std::size_t at = 0;
    for (std::size_t i = 0; i < runs.size(); ++i) {
        const auto end = at + runs[i];
        check(end <= mask.values.size(), "draw_run_lengths: runs beyond the mask");
        if (i % 2 == 1)
            for (auto pixel = at; pixel < end; ++pixel) mask.values[pixel % height * width + pixel / height] = 1;
        at = end;
    }
}

std::string to_coco_rle(const Mask& mask) { return compress(run_lengths(mask)); }

}  // namespace prelude::models
