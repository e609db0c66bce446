// SPDX-License-Identifier: Apache-2.0
#pragma once

// A dense row-major array with a shape. Logical layouts are fixed: tokens [B,N,C], images [B,C,H,W].

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "models/error.hpp"
#include "models/large_allocator.hpp"

namespace prelude::models {

/// Extents of a tensor, outermost first. A scalar has rank 0 and one element.
class Shape {
  public:
    Shape() = default;
    Shape(std::initializer_list<std::int64_t> extents) : extents_(extents) {}
    explicit Shape(std::vector<std::int64_t> extents) : extents_(std::move(extents)) {}

    [[nodiscard]] std::size_t rank() const noexcept { return extents_.size(); }
    [[nodiscard]] std::int64_t operator[](std::size_t axis) const { return extents_[axis]; }
    [[nodiscard]] std::int64_t back() const { return extents_.back(); }
    [[nodiscard]] std::int64_t num_elements() const noexcept {
        std::int64_t count = 1;
        for (auto extent : extents_) count *= extent;
        return count;
    }
    /// Elements per index of the last axis: the number of rows.
    [[nodiscard]] std::int64_t num_rows() const noexcept { return extents_.empty() ? 1 : num_elements() / (back() == 0 ? 1 : back()); }
    [[nodiscard]] const std::vector<std::int64_t>& extents() const noexcept { return extents_; }
    [[nodiscard]] std::string to_string() const;  ///< "[1, 196, 768]"
    friend bool operator==(const Shape&, const Shape&) = default;

  private:
    std::vector<std::int64_t> extents_;
};

template <class T>
class BasicTensor {
  public:
    BasicTensor() = default;
    explicit BasicTensor(Shape shape) : shape_(std::move(shape)), values_(static_cast<std::size_t>(shape_.num_elements()), T{}) {}
    BasicTensor(Shape shape, const std::vector<T>& values) : shape_(std::move(shape)), values_(values.begin(), values.end()) {
        check(static_cast<std::int64_t>(values_.size()) == shape_.num_elements(), "tensor: number of values differs from shape");
    }

    /// For those who write every value.
    [[nodiscard]] static BasicTensor uninitialised(Shape shape) {
        BasicTensor tensor;
        tensor.values_ = std::vector<T, LargeAllocator<T>>(static_cast<std::size_t>(shape.num_elements()));
        tensor.shape_ = std::move(shape);
        return tensor;
    }

    [[nodiscard]] const Shape& shape() const noexcept { return shape_; }
    [[nodiscard]] std::int64_t num_elements() const noexcept { return static_cast<std::int64_t>(values_.size()); }
    [[nodiscard]] std::span<T> values() noexcept { return values_; }
    [[nodiscard]] std::span<const T> values() const noexcept { return values_; }
    [[nodiscard]] T* data() noexcept { return values_.data(); }
    [[nodiscard]] const T* data() const noexcept { return values_.data(); }
    [[nodiscard]] T& operator[](std::size_t index) { return values_[index]; }
    [[nodiscard]] const T& operator[](std::size_t index) const { return values_[index]; }
    /// Row `index` along the last axis.
    [[nodiscard]] std::span<T> row(std::int64_t index) { return {values_.data() + index * shape_.back(), static_cast<std::size_t>(shape_.back())}; }
    [[nodiscard]] std::span<const T> row(std::int64_t index) const {
        return {values_.data() + index * shape_.back(), static_cast<std::size_t>(shape_.back())};
    }
    /// The same values under another shape of equal size.
    void reshape(Shape shape) {
        check(shape.num_elements() == num_elements(), "tensor: reshape changes the number of elements");
        shape_ = std::move(shape);
    }
    friend bool operator==(const BasicTensor&, const BasicTensor&) = default;

  private:
    Shape shape_;
    std::vector<T, LargeAllocator<T>> values_;
};

using Tensor = BasicTensor<float>;
using IntTensor = BasicTensor<std::int32_t>;

}  // namespace prelude::models
