// SPDX-License-Identifier: Apache-2.0
#pragma once

// One design point as it is handed over: its integers, the part of the network, and the words of one picture and prompt.

#include <map>
#include <span>
#include <string>
#include <vector>

#include "experiments/evaluate/design_point.hpp"
#include "experiments/sweep/grid.hpp"
#include "models/data/evaluation_set.hpp"
#include "quant/engine/engine.hpp"

namespace prelude::experiments {

struct HandedPart {
    models::SamWorkload workload;     ///< of the picture and the prompt
    models::Graph part;               ///< the chosen nodes and their constants
    std::vector<std::string> nodes;   ///< names of the chosen ones
    quant::QuantizedGraph quantized;  ///< restricted to the part
    quant::Words words;               ///< of every value of the part
};

/// Runs the integer walk on the picture and its first prompt.
///
/// `patterns`, `units`: as select_nodes takes them
/// Throws    models::InputError
[[nodiscard]] HandedPart hand_over(const quant::QuantizedGraph& quantized, const models::EvaluationImage& item,
                                   std::span<const std::string> patterns, std::span<const std::string> units);

/// Mappings of the segments of a part on a design, by the name of the node they are called after. Empty where the design is infeasible.
[[nodiscard]] std::map<std::string, sim::Mapping, std::less<>> mappings_of(const HandedPart& handed, const DesignPoint& design);

}  // namespace prelude::experiments
