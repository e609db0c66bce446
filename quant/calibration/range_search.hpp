// SPDX-License-Identifier: Apache-2.0
#pragma once

// Ranges that minimise the quantization loss mean |x^ - x|^2.4, as the MSE observers of the PTQ4SAM family search them.

#include <span>

#include "quant/calibration/observer.hpp"
#include "quant/fake/affine.hpp"

namespace prelude::quant {

inline constexpr double kLossExponent = 2.4;

/// Which zero points a search considers. A tensor with values of one sign keeps 0 at the end of its range.
enum class Sides { both, positive, negative };
[[nodiscard]] Sides sides_of(std::span<const float> values) noexcept;

/// mean |q(x) - x|^2.4
[[nodiscard]] double quantization_loss(const fake::Affine& form, std::span<const float> values) noexcept;

struct SearchedRange {
    float lo = 0, hi = 0;
    double loss = 0;
};

/// Which candidates a grid search visits.
enum class GridVisit {
    all,      ///< as published: 100 widths, of each 2^b zero points
    descent,  ///< every fifth width and then those around the best; zero points downhill from the middle of the data, until two in a row are worse
};

/// Widths i/100 of the whole; asymmetric with both signs, of each width the zero point 0 .. 2^b - 1 of the least loss.
///
/// Limits    all: the first of equals wins, widths and zero points ascending; a candidate is given up once its partial loss exceeds the best.
///           descent: at 5 bits and below every width is tried, and zero points downhill alone; within 1 % of the whole grid's loss on rows of six
///           distributions at 2 to 8 bits (tests/quant/calibration/test_range_search.cpp)
[[nodiscard]] SearchedRange search_grid(std::span<const float> values, int bits, bool symmetric, Sides sides, GridVisit visit = GridVisit::descent);

/// Bounded Brent search: over the width, and for each width (asymmetric, both signs) over the shift (-s, w - s); widths from
/// min(0.1, 1 % of the whole) up. Clipped to the data.
/// Limits    the loss has several minima: another implementation may find another of nearly equal loss
[[nodiscard]] SearchedRange search_bounded(std::span<const float> values, int bits, bool symmetric);

/// Of the central 99.9, 99.99 and 99.999 % of the values the range whose codes have the least squared error.
/// Source    RepQ-ViT
[[nodiscard]] Range search_percentile(std::span<const float> values, int bits);

/// A common factor in [0.1, 1] of both ends of `full`, by the same loss over a sample: what observer `mse` settles codes with.
/// Source    ours: one search where the published observers nest two
[[nodiscard]] Range search_shrink(const Range& full, std::span<const float> sample, int bits);

}  // namespace prelude::quant
