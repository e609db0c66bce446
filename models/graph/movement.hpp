// SPDX-License-Identifier: Apache-2.0
#pragma once

// The operators that only move elements, for any element type: the float walk, the integer engine and the datapath's
// gather use the same index maps.

#include <algorithm>
#include <span>
#include <vector>

#include "models/graph/graph.hpp"

namespace prelude::models {

/// One axis of a strided view.
struct StridedAxis {
    std::int64_t extent = 1, stride = 0;
};

/// Axes of a source in the order of the target; neighbours that run on are one axis, axes of extent 1 are gone.
struct IndexMap {
    std::int64_t offset = 0;
    std::vector<StridedAxis> axes;
};
[[nodiscard]] IndexMap index_map(const Rearrange& op);

/// True if the map keeps every element in its place: only the shape changes.
[[nodiscard]] bool is_reshape(const Rearrange& op);

/// Calls `body(source offset)` for every index of all axes but the last `num_inner`, in order of the target.
template <class Body>
void for_each_outer(const IndexMap& map, std::size_t num_inner, const Body& body) {
    const auto num_outer = map.axes.size() - num_inner;
    std::vector<std::int64_t> index(num_outer, 0);
    auto offset = map.offset;
    for (;;) {
        body(offset);
        auto axis = num_outer;
        while (axis-- > 0) {
            offset += map.axes[axis].stride;
            if (++index[axis] < map.axes[axis].extent) break;
            offset -= map.axes[axis].stride * map.axes[axis].extent;
            index[axis] = 0;
        }
        if (axis > num_outer) return;  // wrapped around: every axis has been through
    }
}

/// out[i][j] = in[i + j * stride], in tiles that fit the L1 cache.
template <class T>
void transpose(const T* in, std::int64_t stride, T* out, std::int64_t num_rows, std::int64_t num_columns) {
    constexpr std::int64_t kTile = 16;
    for (std::int64_t row = 0; row < num_rows; row += kTile) {
        const auto end_row = std::min(row + kTile, num_rows);
        for (std::int64_t column = 0; column < num_columns; column += kTile) {
            const auto end_column = std::min(column + kTile, num_columns);
            for (auto i = row; i < end_row; ++i) {
                for (auto j = column; j < end_column; ++j) out[i * num_columns + j] = in[i + j * stride];
            }
        }
    }
}

template <class T>
[[nodiscard]] BasicTensor<T> rearrange(const Rearrange& op, const BasicTensor<T>& in) {
    BasicTensor<T> out(op.result);
    auto map = index_map(op);
    auto* target = out.data();
    while (map.axes.size() < 2) map.axes.insert(map.axes.begin(), {1, 0});
    const auto rows = map.axes[map.axes.size() - 2], columns = map.axes.back();
    if (columns.stride <= 1) {
        for_each_outer(map, 1, [&](std::int64_t offset) { target = std::copy_n(in.data() + offset, columns.extent, target); });
    } else if (rows.stride == 1) {
        for_each_outer(map, 2, [&](std::int64_t offset) {
            transpose(in.data() + offset, columns.stride, target, rows.extent, columns.extent);
            target += rows.extent * columns.extent;
        });
    } else {
        for_each_outer(map, 1, [&](std::int64_t offset) {
            for (std::int64_t column = 0; column < columns.extent; ++column) *target++ = in.data()[offset + column * columns.stride];
        });
    }
    return out;
}

/// `padding` has one element per channel: what a missing token holds.
template <class T>
[[nodiscard]] BasicTensor<T> window_partition(const WindowPartition& op, const BasicTensor<T>& in, std::span<const T> padding) {
    const auto channels = in.shape()[2];
    const auto across = (op.width + op.window - 1) / op.window, down = (op.height + op.window - 1) / op.window;
    BasicTensor<T> out(Shape{across * down, op.window * op.window, channels});
    T* to = out.data();
    for (std::int64_t window = 0; window < across * down; ++window) {
        for (std::int64_t token = 0; token < op.window * op.window; ++token, to += channels) {
            const auto y = window / across * op.window + token / op.window, x = window % across * op.window + token % op.window;
            const T* from = y < op.height && x < op.width ? in.data() + (y * op.width + x) * channels : padding.data();
            std::copy_n(from, channels, to);
        }
    }
    return out;
}

template <class T>
[[nodiscard]] BasicTensor<T> window_unpartition(const WindowUnpartition& op, const BasicTensor<T>& in) {
    const auto channels = in.shape()[2];
    const auto across = (op.width + op.window - 1) / op.window;
    BasicTensor<T> out(Shape{1, op.height * op.width, channels});
    T* to = out.data();
    for (std::int64_t y = 0; y < op.height; ++y) {
        for (std::int64_t x = 0; x < op.width; ++x) {
            const auto row = (y / op.window * across + x / op.window) * op.window * op.window + y % op.window * op.window + x % op.window;
            to = std::copy_n(in.data() + row * channels, channels, to);
        }
    }
    return out;
}

template <class T>
[[nodiscard]] BasicTensor<T> concat(const Concat& op, std::span<const BasicTensor<T>* const> inputs, const Shape& result) {
    BasicTensor<T> out(result);
    std::int64_t inner = 1;
    for (auto axis = op.axis + 1; axis < result.rank(); ++axis) inner *= result[axis];
    const auto row = result[op.axis] * inner;
    std::int64_t offset = 0;
    for (const auto* in : inputs) {
        const auto part = in->shape()[op.axis] * inner;
        for (std::int64_t outer = 0; outer < result.num_elements() / row; ++outer) {
            std::copy_n(in->data() + outer * part, part, out.data() + outer * row + offset);
        }
        offset += part;
    }
    return out;
}

}  // namespace prelude::models
