// SPDX-License-Identifier: Apache-2.0
#pragma once

// Is one design point more accurate than another, or were the pictures kind to it? Points that differ in one key are compared prompt by
// prompt, which tells far smaller differences from chance than the intervals of two means do.

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/compare/selection.hpp"
#include "models/metrics.hpp"

namespace prelude::experiments {

/// A point's accuracy, prompt by prompt.
struct PromptScores {
    models::Clusters iou;  ///< by picture
    std::string asked;     ///< what was asked: only equal texts pair up
};
using ScoresOf = std::function<std::optional<PromptScores>(const Row&)>;

/// What the tasks behind a row say: the quantized model's scores, else the FP32 model's. Nothing when the point has no accuracy.
[[nodiscard]] ScoresOf scores_in(const Store& store);

/// Point b against point a.
struct ComparedPair {
    std::int64_t point_a = 0, point_b = 0;
    std::string a, b;  ///< their values of the compared keys
    double miou_a = 0, miou_b = 0;
    models::PairedDifference difference;
    std::size_t num_images = 0, num_prompts = 0;

    /// better or worse: b than a, where 0 lies outside the interval; else undecided.
    [[nodiscard]] std::string_view verdict() const noexcept;
};

struct PairedComparison {
    std::vector<std::string> by, others;  ///< compared keys, and those in which compared points agree
    struct Setting {
        std::string name;                 ///< "groups 1"
        std::vector<std::string> values;  ///< of `others`
        std::vector<ComparedPair> pairs;
    };
    std::vector<Setting> settings;
    std::vector<std::string> lacking;  ///< points left out because they have no accuracy: "3 (failed)"
};

/// Compares the points of a sweep along one or more keys.
///
/// Meaning   within every setting of the other keys, each point with its predecessor, then with that of the reference values, where that
///           is another pair; points in the order of the sweep. Difference of the mean IoU over the same prompts, 95 % interval of the
///           paired bootstrap over pictures (models/metrics.hpp), 2000 resamples. Intervals are of one pair each: among twenty pairs
///           that differ in nothing one is expected to be called different
/// Contract  deterministic. `reference` empty: the first values of the sweep
/// Throws    SelectionError for keys that are not swept, a reference that no point has, pairs that were not asked the same prompts
[[nodiscard]] PairedComparison compare(const SweepInfo& info, std::span<const Row> rows, const ScoresOf& scores_of, std::string_view by, std::string_view reference = {});

[[nodiscard]] std::string print_comparison(const PairedComparison& comparison);
/// One line a pair; columns: point_a, point_b, the other keys, by, a, b, miou_a, miou_b, difference, ci95_low, ci95_high, verdict, counts.
[[nodiscard]] std::string comparison_csv(const PairedComparison& comparison);
/// {"by": text, "others": [short names], "pairs": [{"setting": [values], "a", "b", "point_a", ...}]}: what the report draws.
[[nodiscard]] nlohmann::json to_json(const PairedComparison& comparison);

}  // namespace prelude::experiments
