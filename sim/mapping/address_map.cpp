// SPDX-License-Identifier: Apache-2.0
#include "sim/mapping/address_map.hpp"

#include <algorithm>
#include <numeric>

#include "quant/value_classes.hpp"

namespace prelude::sim {

using models::check;
using models::Graph;
using models::Node;
using models::Shape;
using models::ValueId;

std::int64_t row_length(const models::Value& value) noexcept {
    const auto& shape = value.shape;
    return shape.rank() == 0 ? 1 : shape.rank() == 4 ? shape[1] : shape.back();
}

std::int64_t to_physical(const Shape& shape, std::int64_t logical) noexcept {
    if (shape.rank() != 4) return logical;
    const auto pixels = shape[2] * shape[3];
    const auto pixel = logical % pixels, plane = logical / pixels;
    return (plane / shape[1] * pixels + pixel) * shape[1] + plane % shape[1];
}

std::int64_t to_logical(const Shape& shape, std::int64_t physical) noexcept {
    if (shape.rank() != 4) return physical;
    const auto pixels = shape[2] * shape[3];
    const auto channel = physical % shape[1], pixel = physical / shape[1];
    return (pixel / pixels * shape[1] + channel) * pixels + pixel % pixels;
}

std::int64_t packed_bytes(const models::Value& value, int bits) noexcept {
    const auto row = row_length(value);
    return value.shape.num_elements() / std::max<std::int64_t>(row, 1) * ((row * bits + 7) / 8);
}

AddressMap::AddressMap(const Layout& layout, ValueId value, Access access, const models::Conv* conv, const Shape* like)
    : layout_(layout), graph_(layout.graph), value_(value), access_(access), conv_(conv), shape_(layout.graph.value(value).shape) {
    switch (access_) {
        case Access::rows:
            depth_ = shape_.rank() == 0 ? 1 : shape_.back();
            batches_ = shape_.rank() == 3 ? shape_[0] : 1;
            rows_ = shape_.num_elements() / (depth_ * batches_);
            break;
        case Access::columns: batches_ = shape_[0], depth_ = shape_[1], rows_ = shape_[2]; break;
        case Access::pixels: depth_ = shape_[1], rows_ = shape_.num_elements() / depth_; break;
        case Access::patches: {
            const auto extent = [&](std::int64_t size) { return (size + 2 * conv_->padding - conv_->kernel) / conv_->stride + 1; };
            taps_ = conv_->kernel * conv_->kernel;
            depth_ = shape_[1] * taps_;
            out_width_ = extent(shape_[3]);
            rows_ = shape_[0] * extent(shape_[2]) * out_width_;
            overlaps_ = conv_->kernel > conv_->stride;
            break;
        }
        case Access::broadcast:
            like_ = *like;
            depth_ = like_.rank() == 4 ? like_[1] : like_.back();
            rows_ = like_.num_elements() / depth_;
            overlaps_ = !(like_ == shape_);
            break;
    }
    prepare(value_);
    direct_ = movement_.empty() && access_ == Access::rows;
    find_run();
}

void AddressMap::prepare(ValueId value) {
    const auto* producer = graph_.producer(value);
    if (!producer || !quant::is_movement(producer->op) || layout_.written.contains(value)) {
        if (std::ranges::find(sources_, value) == sources_.end()) sources_.push_back(value);
        return;
    }
    const auto id = *graph_.value(value).producer;
    if (std::ranges::find(movement_, id) != movement_.end()) return;
    movement_.push_back(id);
    if (const auto* op = std::get_if<models::Rearrange>(&producer->op)) {
        Step step;
        std::vector<std::int64_t> stride(op->view.rank(), 1);
        for (auto axis = op->view.rank(); axis-- > 1;) stride[axis - 1] = stride[axis] * op->view[axis];
        if (op->slice_axis) step.offset = op->slice_begin * stride[*op->slice_axis];
        for (auto axis : op->order) {
            step.extent.push_back(op->slice_axis && axis == *op->slice_axis ? op->slice_count : op->view[axis]);
            step.stride.push_back(stride[axis]);
        }
        steps_.emplace_back(id, std::move(step));
    }
    for (auto input : producer->inputs) prepare(input);
}

Place AddressMap::follow(ValueId value, std::int64_t logical) const {
    for (;;) {
        const auto& producer = graph_.value(value).producer;
        if (!producer || !quant::is_movement(graph_.node(*producer).op) || layout_.written.contains(value))
            return {value, to_physical(graph_.value(value).shape, logical)};
        const auto& node = graph_.node(*producer);
        if (std::holds_alternative<models::Rearrange>(node.op)) {
            const auto found = std::ranges::find(steps_, *producer, &std::pair<models::NodeId, Step>::first);
            const auto& step = found->second;
            auto source = step.offset;
            for (auto axis = step.extent.size(); axis-- > 0;) {
                source += logical % step.extent[axis] * step.stride[axis];
                logical /= step.extent[axis];
            }
            logical = source;
            value = node.inputs[0];
        } else if (const auto* part = std::get_if<models::WindowPartition>(&node.op)) {
            const auto channels = graph_.value(value).shape[2];
            const auto channel = logical % channels, token = logical / channels;
            const auto area = part->window * part->window, across = (part->width + part->window - 1) / part->window;
            const auto window = token / area, inside = token % area;
            const auto y = window / across * part->window + inside / part->window,
                       x = window % across * part->window + inside % part->window;
            if (y >= part->height || x >= part->width) return {};
            logical = (y * part->width + x) * channels + channel;
            value = node.inputs[0];
        } else if (const auto* join = std::get_if<models::WindowUnpartition>(&node.op)) {
            const auto channels = graph_.value(value).shape[2];
            const auto channel = logical % channels, token = logical / channels;
            const auto y = token / join->width, x = token % join->width, across = (join->width + join->window - 1) / join->window;
            const auto row = (y / join->window * across + x / join->window) * join->window * join->window +
                             y % join->window * join->window + x % join->window;
            logical = row * channels + channel;
            value = node.inputs[0];
        } else {
            const auto& concat = std::get<models::Concat>(node.op);
            const auto& shape = graph_.value(value).shape;
            std::int64_t inner = 1;
            for (auto axis = concat.axis + 1; axis < shape.rank(); ++axis) inner *= shape[axis];
            const auto outer = logical / (shape[concat.axis] * inner);
            auto rest = logical % (shape[concat.axis] * inner);
            for (auto input : node.inputs) {
                const auto part_size = graph_.value(input).shape[concat.axis] * inner;
                if (rest < part_size) {
                    logical = outer * part_size + rest;
                    value = input;
                    break;
                }
                rest -= part_size;
            }
        }
    }
}

Place AddressMap::locate(std::int64_t batch, std::int64_t row, std::int64_t k) const {
    if (direct_) return {value_, (batch * rows_ + row) * depth_ + k};
    switch (access_) {
        case Access::rows: return follow(value_, (batch * rows_ + row) * depth_ + k);
        case Access::columns: return follow(value_, (batch * depth_ + k) * rows_ + row);
        case Access::pixels: return follow(value_, to_logical(shape_, row * depth_ + k));
        case Access::patches: {
            const auto per_image = rows_ / shape_[0], image = row / per_image, pixel = row % per_image;
            const auto c = k / taps_, tap = k % taps_;
            const auto y = pixel / out_width_ * conv_->stride - conv_->padding + tap / conv_->kernel;
            const auto x = pixel % out_width_ * conv_->stride - conv_->padding + tap % conv_->kernel;
            if (y < 0 || x < 0 || y >= shape_[2] || x >= shape_[3]) return {};
            return follow(value_, ((image * shape_[1] + c) * shape_[2] + y) * shape_[3] + x);
        }
        case Access::broadcast: {
            auto index = to_logical(like_, row * depth_ + k);
            std::int64_t source = 0, stride = 1;
            for (auto axis = like_.rank(); axis-- > 0;) {
                if (shape_[axis] != 1) source += index % like_[axis] * stride;
                stride *= shape_[axis];
                index /= like_[axis];
            }
            return follow(value_, source);
        }
    }
    return {};
}

void AddressMap::find_run() {
    const auto channels = depth_ / taps_;
    if (direct_) {
        run_ = channels;
        return;
    }
    // Breaks of contiguity along a row that exists; every row of these maps has the same pattern.
    std::int64_t probe_row = 0, probe_k = 0;
    for (bool found = false; !found && probe_row < rows_; ++probe_row) {
        for (std::int64_t tap = 0; tap < taps_ && !found; ++tap) {
            if (locate(0, probe_row, tap).value >= 0) probe_k = tap, found = true;
        }
        if (found) break;
    }
    run_ = channels;
    auto previous = locate(0, probe_row, probe_k);
    for (std::int64_t c = 1; c < channels; ++c) {
        const auto next = locate(0, probe_row, c * taps_ + probe_k);
        if (next.value != previous.value || next.index != previous.index + 1) run_ = std::gcd(run_, c);
        previous = next;
    }
    if (access_ != Access::columns || run_ > 1 || rows_ == 1) return;
    const auto first = locate(0, 0, 0), second = locate(0, 1, 0);
    if (second.value != first.value || second.index != first.index + 1) return;
    across_rows_ = true;
    run_ = rows_;
    for (std::int64_t row = 1; row < rows_; ++row) {
        if (locate(0, row, 0).index != locate(0, row - 1, 0).index + 1) run_ = std::gcd(run_, row);
    }
}

OutputMap::OutputMap(const Layout& layout, const Node& node, ValueId stored) : stored_(stored) {
    const auto& graph = layout.graph;
    const auto& shape = graph.value(node.output).shape;
    if (const auto* up = std::get_if<models::ConvTranspose>(&node.op)) {
        const auto& in = graph.value(node.inputs[0]).shape;
        kernel_ = up->kernel, channels_ = up->out_channels, width_ = in[3];
        rows_ = in[0] * in[2] * in[3];
        cols_ = channels_ * kernel_ * kernel_;
        run_ = channels_ * kernel_;
        return;
    }
    if (shape.rank() == 4) {
        cols_ = shape[1];
        rows_ = shape.num_elements() / cols_;
    } else {
        cols_ = shape.back();
        rows_ = std::holds_alternative<models::MatMul>(node.op) ? shape[1] : shape.num_elements() / cols_;
    }
    run_ = cols_;
    if (layout.written.contains(stored)) {
        // Heads side by side: the row that a destination block comes from is the row that goes there.
        const Layout unmerged{graph};
        const AddressMap map(unmerged, stored, AddressMap::Access::rows);
        row_places_.resize(static_cast<std::size_t>(shape.num_elements() / cols_));
        for (std::int64_t row = 0; row < map.batches() * map.rows(); ++row) {
            for (std::int64_t k = 0; k < map.depth(); k += cols_) {
                row_places_[static_cast<std::size_t>(map.locate(0, row, k).index / cols_)] = row * map.depth() + k;
            }
        }
        return;
    }
    for (auto user : graph.consumers(node.output)) {
        if (graph.value(stored).producer && node.output != stored) {
            if (const auto* op = std::get_if<models::WindowUnpartition>(&graph.node(user).op)) windows_ = op;
        }
    }
}

std::int64_t OutputMap::column_of(std::int64_t column) const noexcept {
    if (kernel_ == 0) return column;
    const auto o = column % channels_, tap = column / channels_;
    return o * kernel_ * kernel_ + tap;
}

std::int64_t OutputMap::channel_of(std::int64_t column) const noexcept {
    return kernel_ == 0 ? column : column % channels_;
}

std::optional<std::int64_t> OutputMap::place(std::int64_t batch, std::int64_t row, std::int64_t column) const noexcept {
    if (kernel_ > 0) {
        const auto o = column % channels_, kx = column / channels_ % kernel_, ky = column / channels_ / kernel_;
        const auto y = row / width_, x = row % width_;
        return ((y * kernel_ + ky) * width_ * kernel_ + x * kernel_ + kx) * channels_ + o;
    }
    if (!row_places_.empty()) return row_places_[static_cast<std::size_t>(batch * rows_ + row)] + column;
    if (windows_) {
        const auto area = windows_->window * windows_->window, across = (windows_->width + windows_->window - 1) / windows_->window;
        const auto window = row / area, inside = row % area;
        const auto y = window / across * windows_->window + inside / windows_->window;
        const auto x = window % across * windows_->window + inside % windows_->window;
        if (y >= windows_->height || x >= windows_->width) return std::nullopt;
        row = y * windows_->width + x;
    }
    return (batch * rows_ + row) * cols_ + column;
}

}  // namespace prelude::sim
