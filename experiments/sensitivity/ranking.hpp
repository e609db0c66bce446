// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which layers the masks depend on: what one bit less costs, layer by layer.

#include <optional>

#include "experiments/sensitivity/layers.hpp"
#include "experiments/sensitivity/study.hpp"

namespace prelude::experiments {

/// What one bit less of a layer does: error(point with the layer lowered) - error(point), both against FP32. Empty: held where it is.
struct RankedLayer {
    Layer layer;
    std::optional<double> weights, activations, both;  ///< both: of what may fall
    std::optional<double> miou;                        ///< mean IoU with both lowered, where asked for

    /// What ranks it; empty when nothing of it may fall.
    [[nodiscard]] std::optional<double> damage() const noexcept { return both; }
    /// Damage of the weights per byte that one bit less saves.
    [[nodiscard]] std::optional<double> per_saved_byte() const;
};

struct LayerRanking {
    LogitError point;            ///< of the point as configured
    std::optional<double> miou;  ///< likewise
    std::vector<RankedLayer> layers;  ///< by falling damage; those that are held last, in the order of the graph
};

/// The variants that a ranking measures, as configured first.
class RankingStudy {
  public:
    RankingStudy(const quant::Settings& settings, std::vector<Layer> layers, bool with_miou);
    [[nodiscard]] const std::vector<Variant>& variants() const noexcept { return variants_; }
    [[nodiscard]] LayerRanking ranking(const std::vector<Measured>& measured) const;

  private:
    struct Lowered {
        std::optional<std::size_t> weights, activations, both;  ///< variants
    };
    std::vector<Layer> layers_;
    std::vector<Variant> variants_;
    std::vector<Lowered> lowered_;
    bool with_miou_;
};

/// The table for people; `all` false leaves out the middle of long rankings.
[[nodiscard]] std::string print_ranking(const LayerRanking& ranking);
/// One line a layer; damages are fractions.
[[nodiscard]] std::string ranking_csv(const LayerRanking& ranking);

/// Layers that are held, by the key that holds them: a line each.
[[nodiscard]] std::string print_held(std::span<const Layer> layers);

}  // namespace prelude::experiments
