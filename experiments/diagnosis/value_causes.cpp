// SPDX-License-Identifier: Apache-2.0
#include "experiments/diagnosis/value_causes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <set>

namespace prelude::experiments {

namespace {

using Found = std::optional<Finding>;

Found byte_order(const Evidence& e) {
    const auto& word = e.tensor().word;
    const int bytes = word.storage_bytes();
    if (bytes == 1) return std::nullopt;
    const WordFormat stored{.bits = std::min(kMaxWordBits, 8 * bytes), .is_signed = word.is_signed};
    const auto swapped = [&](std::size_t i) {
        auto pattern = static_cast<std::uint64_t>(e.golden()[i]);
        std::uint64_t result = 0;
        for (int b = 0; b < bytes; ++b, pattern >>= 8) result = result << 8 | (pattern & 0xff);
        return bytes == 8 ? static_cast<std::int64_t>(result) : stored.of_pattern(result);
    };
    if (e.explained_by(swapped)) return Finding{Cause::byte_order, fmt::format("the {} bytes of every word are reversed", bytes)};
    return std::nullopt;
}

Found element_order(const Evidence& e) {
    const auto count = e.size();
    if (count > 1 && e.explained_by([&](std::size_t i) { return e.golden()[count - 1 - i]; }))
        return Finding{Cause::element_order, "all words are in reverse order"};
    std::set<std::size_t> groups{2, 4, 8, 16, 32, 64, 128};
    if (e.tensor().shape.rank() > 0) groups.insert(static_cast<std::size_t>(e.tensor().shape.back()));
    for (const auto group : groups) {
        if (group < 2 || group >= count) continue;
        const auto reversed = [&](std::size_t i) {
            const auto begin = i / group * group, length = std::min(group, count - begin);
            return e.golden()[begin + length - 1 - (i - begin)];
        };
        if (e.explained_by(reversed)) return Finding{Cause::element_order, fmt::format("words are reversed within groups of {}", group)};
    }
    return std::nullopt;
}

/// Axes of the tensor that have more than one index.
std::vector<Coordinate> axes_of(const TensorDescription& tensor) {
    std::vector<Coordinate> axes;
    for (const auto& coordinate : tensor.coordinates)
        if (coordinate.extent > 1) axes.push_back(coordinate);
    return axes;
}

Found transposed(const Evidence& e) {
    const auto axes = axes_of(e.tensor());
    constexpr std::size_t kMaxAxes = 4;
    if (axes.size() < 2 || axes.size() > kMaxAxes) return std::nullopt;
    std::vector<std::size_t> strides(axes.size(), 1), order(axes.size());
    for (auto axis = axes.size() - 1; axis-- > 0;) strides[axis] = strides[axis + 1] * static_cast<std::size_t>(axes[axis + 1].extent);
    std::iota(order.begin(), order.end(), std::size_t{0});
    while (std::next_permutation(order.begin(), order.end())) {
        const auto from = [&](std::size_t i) {
            std::size_t index = 0;
            for (auto place = order.size(); place-- > 0;) {
                const auto extent = static_cast<std::size_t>(axes[order[place]].extent);
                index += i % extent * strides[order[place]];
                i /= extent;
            }
            return e.golden()[index];
        };
        if (!e.explained_by(from)) continue;
        std::string names;
        for (const auto axis : order) names += (names.empty() ? "" : ", ") + axes[axis].name;
        return Finding{Cause::transposed, fmt::format("the words lie in the order {}", names)};
    }
    return std::nullopt;
}

/// Rows and columns of the tensor in tiles: a tile's words lie together.
Found tiled(const Evidence& e) {
    const auto columns = e.tensor().shape.rank() == 0 ? std::size_t{1} : static_cast<std::size_t>(e.tensor().shape.back()),
               rows = e.size() / std::max<std::size_t>(1, columns);
    std::set<std::pair<std::size_t, std::size_t>> tiles;
    for (const std::size_t width : {2, 4, 8, 16, 32, 64}) {
        tiles.insert({rows, width});
        for (const std::size_t height : {2, 4, 8, 16, 32, 64}) tiles.insert({height, width});
    }
    if (e.tensor().tile.size() == 2)
        tiles.insert({static_cast<std::size_t>(e.tensor().tile[0].extent), static_cast<std::size_t>(e.tensor().tile[1].extent)});
    for (const auto& [height, width] : tiles) {
        if (width >= columns || columns % width != 0 || height > rows || rows % height != 0) continue;
        const auto from = [&, height = height, width = width](std::size_t i) {
            const auto tile = i / (height * width), inside = i % (height * width), across = columns / width;
            return e.golden()[(tile / across * height + inside / width) * columns + tile % across * width + inside % width];
        };
        if (e.explained_by(from)) return Finding{Cause::transposed, fmt::format("the words lie tile by tile, {} x {}", height, width)};
    }
    return std::nullopt;
}

Found misplaced(const Evidence& e) {
    const auto count = static_cast<std::int64_t>(e.size());
    std::set<std::int64_t> lags;
    for (std::int64_t lag = 1; lag <= 16; ++lag) lags.insert(lag), lags.insert(-lag);
    std::int64_t span = 1;
    const auto& coordinates = e.tensor().coordinates;
    for (auto at = coordinates.rbegin(); at != coordinates.rend(); ++at) lags.insert(span), lags.insert(-span), span *= at->extent;
    for (const auto lag : lags) {
        if (2 * std::abs(lag) >= count) continue;
        const auto begin = static_cast<std::size_t>(std::max<std::int64_t>(0, lag)),
                   end = static_cast<std::size_t>(std::min(count, count + lag));
        bool holds = true;
        for (auto i = begin; holds && i < end; ++i)
            holds = e.actual()[i] == e.golden()[static_cast<std::size_t>(static_cast<std::int64_t>(i) - lag)];
        if (holds)
            return Finding{Cause::misplaced, fmt::format("every word lies {} {} {}", std::abs(lag), std::abs(lag) == 1 ? "place" : "places",
                                                         lag > 0 ? "late" : "early")};
    }
    return std::nullopt;
}

Found sign_extension(const Evidence& e) {
    const auto& word = e.tensor().word;
    for (const int bits : {word.bits, 8 * word.storage_bytes()}) {
        if (bits > kMaxWordBits) continue;
        const WordFormat other{.bits = bits, .is_signed = !word.is_signed};
        if (e.explained_by([&](std::size_t i) { return other.of_pattern(static_cast<std::uint64_t>(e.golden()[i])); }))
            return Finding{Cause::sign_extension,
                           fmt::format("the bits are right, read as {} words of {} bits", other.is_signed ? "signed" : "unsigned", bits)};
    }
    return std::nullopt;
}

Found saturation(const Evidence& e) {
    const auto& word = e.tensor().word;
    const auto clamped = [&](std::int64_t lo, std::int64_t hi) {
        return e.explained_by([&](std::size_t i) { return std::clamp(e.golden()[i], lo, hi); });
    };
    if (word.is_signed && clamped(-word.highest(), word.highest()))
        return Finding{Cause::saturation, fmt::format("saturates at -{} instead of {}", word.highest(), word.lowest())};
    const auto [least, most] = std::ranges::minmax(e.actual());
    constexpr std::size_t kClipped = 4;
    if (e.tensor().kind != "probability" && e.mismatches().size() >= kClipped && least < most && least >= word.lowest() &&
        most <= word.highest() && clamped(least, most))
        return Finding{Cause::saturation, fmt::format("saturates at {} and {}", least, most)};
    if (e.tensor().kind == "probability" || e.tensor().kind == "hybrid") return std::nullopt;  // their ends are codes like others
    const auto at_an_end = [&](std::size_t i) { return e.golden()[i] == word.lowest() || e.golden()[i] == word.highest(); };
    constexpr std::size_t kEnough = 2;
    const auto mismatches = e.mismatches();
    const auto ends = static_cast<std::size_t>(
        std::count_if(e.golden().begin(), e.golden().end(), [&](auto g) { return g == word.lowest() || g == word.highest(); }));
    if (word.bits >= 3 && mismatches.size() >= kEnough && 4 * ends < 3 * e.size() && std::ranges::all_of(mismatches, at_an_end))
        return Finding{Cause::saturation, "only words at the ends of the range differ: they are not saturated"};
    return std::nullopt;
}

Found offset(const Evidence& e) {
    const auto& word = e.tensor().word;
    if (e.mismatches().empty() || e.tensor().kind != "code") return std::nullopt;
    std::set<std::int64_t> offsets;
    for (const auto i : e.mismatches()) {
        if (e.actual()[i] < word.lowest() || e.actual()[i] > word.highest()) return std::nullopt;
        offsets.insert(e.actual()[i] - e.golden()[i]);
        if (offsets.size() > 8) return std::nullopt;
    }
    for (const auto by : offsets) {
        bool holds = true;
        for (std::size_t i = 0; holds && i < e.size(); ++i) {
            const auto g = e.golden()[i], a = e.actual()[i];
            // What was clipped on the way may show less of the offset.
            const bool clipped = g == word.lowest() || g == word.highest();
            holds =
                a == std::clamp(g + by, word.lowest(), word.highest()) || (clipped && a >= std::min(g, g + by) && a <= std::max(g, g + by));
        }
        if (holds) return Finding{Cause::zero_point, fmt::format("every word is {} too {}", std::abs(by), by > 0 ? "high" : "low")};
    }
    return std::nullopt;
}

/// Mismatches in the first or last index of an axis, all of them.
Found edge(const Evidence& e) {
    constexpr std::size_t kEnough = 4;
    std::uint64_t inner = e.size();
    for (const auto& coordinate : e.tensor().coordinates) {
        const auto extent = static_cast<std::uint64_t>(coordinate.extent);
        inner /= extent;
        if (extent < 3) continue;
        for (const bool last : {true, false}) {
            const auto edge_index = last ? extent - 1 : 0;
            const auto is_edge = [&](std::size_t i) { return i / inner % extent == edge_index; };
            if (!std::ranges::all_of(e.mismatches(), is_edge)) continue;
            const auto on_edge = e.size() / extent;
            if (e.mismatches().size() >= kEnough && 4 * e.mismatches().size() >= 3 * on_edge)
                return Finding{Cause::loop_bound,
                               fmt::format("the {} {} is wrong, and nothing else", last ? "last" : "first", coordinate.name)};
        }
    }
    return std::nullopt;
}

Found not_written(const Evidence& e) {
    const auto mismatches = e.mismatches();
    const auto value = e.actual()[mismatches.front()];
    if (mismatches.size() < 4 || !std::ranges::all_of(mismatches, [&](auto i) { return e.actual()[i] == value; })) return std::nullopt;
    std::set<std::int64_t> golden;
    for (const auto i : mismatches) golden.insert(e.golden()[i]);
    // A run of one value where many were due, with nothing else in between.
    const auto first = mismatches.front(), last = mismatches.back();
    bool whole = golden.size() >= 3;
    for (auto i = first; whole && i <= last; ++i) whole = e.actual()[i] == value;
    if (!whole) return std::nullopt;
    return Finding{Cause::not_written,
                   fmt::format("words {} to {} are all {}", first, last, value == kUndefinedWord ? "undefined" : fmt::format("{}", value))};
}

Found stale(const Evidence& e) {
    constexpr std::size_t kEnough = 8, kTried = 64;
    const auto mismatches = e.mismatches();
    if (mismatches.size() < kEnough) return std::nullopt;
    std::set<std::int64_t> values;
    for (const auto i : mismatches) values.insert(e.actual()[i]);
    if (values.size() < 3) return std::nullopt;
    const auto first = mismatches.front();
    const auto tried = mismatches.first(std::min(kTried, mismatches.size()));
    for (const bool chained : {false, true}) {
        const auto from = chained ? e.actual() : e.golden();
        for (std::size_t lag = 1; lag <= first; ++lag) {
            const auto is_stale = [&](std::size_t i) { return e.actual()[i] == from[i - lag]; };
            if (std::ranges::all_of(tried, is_stale) && std::ranges::all_of(mismatches, is_stale))
                return Finding{Cause::stale_buffer, fmt::format("what differs is what lay {} words before", lag)};
        }
    }
    return std::nullopt;
}

}  // namespace

std::vector<Finding> causes_by_values(const Evidence& evidence) {
    for (const auto cause :
         {byte_order, sign_extension, element_order, transposed, tiled, misplaced, offset, edge, not_written, saturation, stale})
        if (auto found = cause(evidence)) return {*std::move(found)};
    return {};
}

}  // namespace prelude::experiments
