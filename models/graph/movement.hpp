// SPDX-License-Identifier: Apache-2.0
#pragma once

// The operators that only move elements, for any element type: the float walk, the integer engine and the datapath's
// gather use the same index maps.

#include <algorithm>
#include <span>
#include <vector>

#include "models/graph/graph.hpp"

namespace prelude::models {

template <class T>
[[nodiscard]] BasicTensor<T> rearrange(const Rearrange& op, const BasicTensor<T>& in) {
    BasicTensor<T> out(op.result);
    const auto rank = op.view.rank();
    std::vector<std::int64_t> stride(rank, 1), extent = op.view.extents();
    for (auto axis = rank; axis-- > 1;) stride[axis - 1] = stride[axis] * op.view[axis];
    const T* base = in.data();
    if (op.slice_axis) {
        base += op.slice_begin * stride[*op.slice_axis];
        extent[*op.slice_axis] = op.slice_count;
    }
    // Odometer over the permuted axes; the innermost one runs in a plain loop.
    const auto inner_axis = op.order.back();
    const auto inner = extent[inner_axis], inner_stride = stride[inner_axis];
    std::vector<std::int64_t> index(rank, 0);
    T* to = out.data();
    const T* end = to + out.num_elements();
    while (to != end) {
        const T* from = base;
        for (std::size_t i = 0; i + 1 < rank; ++i) from += index[i] * stride[op.order[i]];
        if (inner_stride == 1) {
            to = std::copy_n(from, inner, to);
        } else {
            for (std::int64_t i = 0; i < inner; ++i) *to++ = from[i * inner_stride];
        }
        for (std::size_t i = rank - 1; i-- > 0;) {
            if (++index[i] < extent[op.order[i]]) break;
            index[i] = 0;
        }
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
