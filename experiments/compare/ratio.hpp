// SPDX-License-Identifier: Apache-2.0
#pragma once

// How much faster and how much more power-efficient is one kind of design than the others? Every side is searched alike: of the points that differ
// only in the keys of the search, the fastest stands for its side.

#include <string>
#include <string_view>
#include <vector>

#include "experiments/compare/selection.hpp"

namespace prelude::experiments {

struct RatioRequest {
    std::string by;       ///< swept key, or several joined by commas: the sides
    std::string subject;  ///< value of the side that the others are held against; empty: the first of the sweep
    std::string search;   ///< swept keys that each side chooses for itself; empty: none
};

struct Ratios {
    struct Side {
        std::string value;              ///< of the `by` keys
        const Row* best = nullptr;      ///< the fastest feasible point; null: there is none
        std::string choice, reason;     ///< values of the searched keys, or why nothing is feasible
        double speed_up = 0, efficiency = 0;  ///< of the subject over this side: latencies, GOPS/W; 0 where one of them is unknown
    };
    struct Setting {
        std::string name;  ///< of the remaining keys: "parts encoder"
        std::vector<Side> sides;
    };
    std::vector<std::string> by, search;
    std::vector<Setting> settings;
    std::string subject, latency_status, power_status, resource_status;  ///< the worst of the points that stand for a side
};

/// Contract  settings and sides in the order of the points; of equally fast points the first. Nothing is left out because of its ratio
/// Throws    SelectionError for keys that are not swept, a key in two places, or a subject that no point has
[[nodiscard]] Ratios ratios(const SweepInfo& info, std::span<const Row> rows, const RatioRequest& request);

[[nodiscard]] std::string print_ratios(const Ratios& ratios, bool markdown);

}  // namespace prelude::experiments
