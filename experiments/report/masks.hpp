// SPDX-License-Identifier: Apache-2.0
#pragma once

// The report's pictures: a few prompts with the true mask, the FP32 model's and those of some design points, drawn from what the
// evaluation kept (evaluate/samples.hpp).

#include <filesystem>
#include <nlohmann/json.hpp>

#include "experiments/output/files.hpp"

namespace prelude::experiments {

inline constexpr std::size_t kMaxMaskPoints = 4;

/// The points whose masks are shown, at most kMaxMaskPoints: of the front (without one: of the feasible points), spread evenly from
/// the fewest bits of weights to the most accurate point, which is the last one; points of equal numerics are one.
[[nodiscard]] std::vector<const Row*> points_with_masks(const Results& results);

/// {"points": [number], "samples": [{"name", "picture", "box" or "point", "truth", "reference", "answers": [one a point]}]}
///
/// Meaning   pictures and masks are PNGs as data: URLs, masks to be laid over the picture; `box` and `point` in fractions of its sides;
///           a mask is {"image", "iou"}, the true one without `iou`
/// Limits    samples of one data set: those of the most accurate point; points evaluated on other data are left out. null when the
///           store knows no accuracy or the pictures are no longer in the cache
[[nodiscard]] nlohmann::json masks_of(const Results& results, const Store& store, const std::filesystem::path& cache);

}  // namespace prelude::experiments
