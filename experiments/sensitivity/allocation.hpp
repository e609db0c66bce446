// SPDX-License-Identifier: Apache-2.0
#pragma once

// How a budget of weight bytes or cycles is spread over the layers: what each width of each layer costs and damages, measured one layer at a time.

#include <span>

#include "experiments/allocate/budget.hpp"
#include "experiments/allocate/knapsack.hpp"
#include "experiments/sensitivity/clean.hpp"
#include "experiments/sensitivity/layers.hpp"
#include "experiments/sensitivity/study.hpp"

namespace prelude::experiments {

/// A pair of widths asked of all layers.
using WidthPair = std::pair<int, int>;  ///< weights, activations

/// The widths each layer may have: those of `widths` that are not below its floor; what is pinned in the configuration, not
/// studied or without such a width stays as it is.
class WidthSpace {
  public:
    WidthSpace(std::vector<Layer> layers, std::vector<int> widths, bool move_activations);

    [[nodiscard]] const std::vector<Layer>& layers() const noexcept { return layers_; }
    [[nodiscard]] std::span<const int> widths() const noexcept { return widths_; }
    [[nodiscard]] bool moves_activations() const noexcept { return move_activations_; }
    /// Ascending; fewer than two: the layer stays where `clipped` puts it.
    [[nodiscard]] std::vector<int> weight_widths(const Layer& layer) const;
    [[nodiscard]] std::vector<int> activation_widths(const Layer& layer) const;
    /// The layer's widths where `pair` is asked for: the nearest allowed that are not narrower, else the widest.
    [[nodiscard]] quant::LayerBits clipped(const Layer& layer, WidthPair pair) const;
    /// The same of all layers.
    [[nodiscard]] WidthChoice uniform(WidthPair pair) const;
    [[nodiscard]] WidthPair widest() const noexcept { return {widths_.back(), widths_.back()}; }

  private:
    [[nodiscard]] int group_floor(const Layer& layer) const;
    [[nodiscard]] bool group_may_move(const Layer& layer) const;
    std::vector<Layer> layers_;
    std::vector<int> widths_;  ///< ascending
    bool move_activations_;
};

/// What the measurements say.
///
/// Meaning   damage of a width: the distance of the mask logits of a network in which this layer alone has it and everything else 16 bits from those of a network
///           of 16 bits; never less than that of a wider one (differences below that are chance). At 16 bits little else rounds anew when a layer changes: in a
///           network of narrow layers that alone hides what one of them does
struct DamageTable {
    double rest_error = 0;                                      ///< against FP32, of the configured point with all layers that have a choice at 16 bits
    std::map<std::pair<std::string, int>, double> weights;      ///< by layer and width
    std::map<std::pair<std::size_t, int>, double> activations;  ///< by group and width
    /// Of the widths of all layers, assumed to add up.
    [[nodiscard]] double damage_of(const WidthSpace& space, const WidthChoice& choice) const;
};

/// Cycles of a timing result, by segment, repeats included.
struct SegmentCycles {
    std::vector<std::string> nodes;
    std::int64_t cycles = 0;
};
[[nodiscard]] std::vector<SegmentCycles> segment_cycles(const nlohmann::json& timing);
[[nodiscard]] std::int64_t total_cycles(const nlohmann::json& timing);

/// The variants that a DamageTable is made of: of the clean settings.
class DamageStudy {
  public:
    /// `clean`: clean_settings() of the point; `layers`: those of the point under these settings
    DamageStudy(const quant::Settings& clean, const std::vector<Layer>& layers, const WidthSpace& space);
    [[nodiscard]] const std::vector<Variant>& variants() const noexcept { return variants_; }
    [[nodiscard]] DamageTable damages(const std::vector<Measured>& measured) const;

  private:
    std::vector<Variant> variants_;
    std::map<std::pair<std::string, int>, std::size_t> weights_;
    std::map<std::pair<std::size_t, int>, std::size_t> activations_;
};

/// Every pair of widths, asked of all layers.
[[nodiscard]] std::vector<WidthPair> width_pairs(const WidthSpace& space);

/// Items of the knapsack, and what each alternative means.
struct AllocationProblem {
    std::vector<std::vector<Alternative>> items;
    std::vector<std::vector<WidthChoice>> choices;  ///< of the same shape
    std::int64_t fixed_cost = 0;                    ///< of what has no choice

    [[nodiscard]] CostRange reach() const;
    /// Nothing when no choice is within the budget.
    struct Solution {
        WidthChoice choice;
        std::int64_t cost = 0;
        double damage = 0;
    };
    [[nodiscard]] std::optional<Solution> solve(std::int64_t budget) const;
};

/// Costs in bits of weights; an item a layer.
[[nodiscard]] AllocationProblem weight_problem(const WidthSpace& space, const DamageTable& damages);

/// Costs in cycles.
///
/// Meaning   an item: layers that read the same codes or run in one segment; it takes as long with a pair of widths as in the network where all layers have them
/// Limits    what a layer writes is as wide as the next one reads: an approximation where neighbours differ
[[nodiscard]] AllocationProblem latency_problem(const WidthSpace& space, const DamageTable& damages, const std::map<WidthPair, nlohmann::json>& timings);

}  // namespace prelude::experiments
