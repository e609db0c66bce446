// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quant/operations.hpp"

namespace prelude::quant {

/// softmax_row() for many rows: exponentials and, where they depend on the distance to the row's maximum alone, codes from tables by that distance.
///
/// Contract  equals softmax_row() bit for bit; run() may be called in several threads; the operation outlives it
class SoftmaxRows final {
  public:
    explicit SoftmaxRows(const SoftmaxOp& op);
    void run(std::span<const std::int32_t> scores, std::int32_t* codes) const;

  private:
    void run_levels(std::span<const std::int32_t> scores, std::int32_t top, std::int32_t* codes) const;
    void run_compared(std::span<const std::int32_t> scores, std::int32_t top, std::int32_t* codes) const;
    /// Last distance whose exponential reaches each threshold, scaled to `reference`; -1: none does.
    void reaches(std::int64_t reference, std::vector<std::int32_t>& distances) const;

    const SoftmaxOp& op_;
    std::vector<std::int32_t> exponential_;  ///< by distance, down to 0; empty: not needed, or not falling and so no help
    std::vector<std::int32_t> row_reaches_;  ///< row scale: the same for all rows
    std::int32_t beyond_ = 0;                ///< the code of what lies under every threshold of a logarithmic code
    std::int64_t level_end_ = 0;             ///< log codes in row scale: first distance beyond the last level
};

}  // namespace prelude::quant
