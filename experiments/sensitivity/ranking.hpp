// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which layers the masks depend on: what one bit less costs, layer by layer.

#include <optional>

#include "experiments/sensitivity/clean.hpp"
#include "experiments/sensitivity/layers.hpp"
#include "experiments/sensitivity/study.hpp"

namespace prelude::experiments {

/// What one bit less of a layer does.
///
/// Meaning   damage with one bit less - damage as configured, each the distance of the mask logits of a network in which this layer alone has that width and
///           everything else 16 bits from those of a network of 16 bits (clean_settings). In the configured point itself every change makes all narrow layers
///           round anew, which is larger than what most layers do. Empty: held where it is, or not studied
struct RankedLayer {
    Layer layer;
    std::optional<double> weights, activations, both;  ///< both: of what may fall
    std::optional<double> miou;                        ///< of the configured point with the layer lowered, where asked for

    /// Damage of the weights per byte that one bit less saves.
    [[nodiscard]] std::optional<double> per_saved_byte() const;
};

using LayerRanking = std::vector<RankedLayer>;  ///< by falling damage of both; those that are held or not studied last, in the order of the graph

/// The variants that a ranking needs: of the clean settings.
class RankingStudy {
  public:
    /// `layers`: of the configured point; `clean_layers`: of the clean settings
    RankingStudy(const quant::Settings& clean, std::span<const Layer> clean_layers, std::vector<Layer> layers);
    [[nodiscard]] const std::vector<Variant>& variants() const noexcept { return variants_; }
    [[nodiscard]] LayerRanking ranking(const std::vector<Measured>& measured) const;

  private:
    struct Step {
        std::size_t now = 0, lower = 0;  ///< variants
    };
    struct Steps {
        std::optional<Step> weights, activations, both;
    };
    std::vector<Layer> layers_;
    std::vector<Variant> variants_;
    std::vector<Steps> steps_;
};

/// A layer's widths one step lower, with those of all layers that read the same codes; empty when it is held.
[[nodiscard]] WidthChoice one_step_lower(std::span<const Layer> layers, const Layer& layer);

/// The table for people.
[[nodiscard]] std::string print_ranking(const LayerRanking& ranking);
/// One line a layer; damages are fractions.
[[nodiscard]] std::string ranking_csv(const LayerRanking& ranking);

/// Layers that are held, by the key that holds them: a line each.
[[nodiscard]] std::string print_held(std::span<const Layer> layers);

}  // namespace prelude::experiments
