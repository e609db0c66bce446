// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a dump shows: golden and dumped words side by side, and whether a supposed fault predicts them.

#include <cstdint>
#include <span>
#include <vector>

#include "experiments/dumps/tensor_description.hpp"

namespace prelude::experiments {

class Evidence final {
  public:
    /// As many dumped words as golden ones.
    Evidence(const TensorDescription& tensor, std::span<const std::int64_t> golden, std::span<const std::int64_t> actual)
        : tensor_(tensor), golden_(golden), actual_(actual) {
        for (std::size_t i = 0; i < golden.size(); ++i)
            if (golden[i] != actual[i]) mismatches_.push_back(i);
    }

    [[nodiscard]] const TensorDescription& tensor() const noexcept { return tensor_; }
    [[nodiscard]] std::size_t size() const noexcept { return golden_.size(); }
    [[nodiscard]] std::span<const std::int64_t> golden() const noexcept { return golden_; }
    [[nodiscard]] std::span<const std::int64_t> actual() const noexcept { return actual_; }
    [[nodiscard]] std::span<const std::size_t> mismatches() const noexcept { return mismatches_; }

    /// `predict(i)` is every dumped word. Mismatches are asked first: most suppositions fall at the first of them.
    template <class Predict>
    [[nodiscard]] bool explained_by(const Predict& predict) const {
        for (const auto i : mismatches_)
            if (predict(i) != actual_[i]) return false;
        for (std::size_t i = 0; i < golden_.size(); ++i)
            if (predict(i) != actual_[i]) return false;
        return true;
    }
    [[nodiscard]] bool equals(std::span<const std::int64_t> words) const {
        return words.size() == actual_.size() && explained_by([&](std::size_t i) { return words[i]; });
    }

  private:
    const TensorDescription& tensor_;
    std::span<const std::int64_t> golden_, actual_;
    std::vector<std::size_t> mismatches_;
};

}  // namespace prelude::experiments
