// SPDX-License-Identifier: Apache-2.0
#pragma once

// Parts of the small network on small arrays: designs whose builds the hand-off's figures are tested on.

#include <string>
#include <string_view>
#include <vector>

#include "experiments/hls/expected.hpp"
#include "models/graph/subgraph.hpp"
#include "tests/paths.hpp"

namespace prelude::testing {

/// A design point of sam_nano, without weights, and the cost table it is priced with.
struct HlsDesign {
    experiments::Configuration configuration;
    experiments::DesignPoint point;

    explicit HlsDesign(const std::vector<std::string>& sets)
        : configuration(experiments::read_configuration_text("model: {preset: sam_nano, checkpoint: none}\n", "hls.yaml", sets,
                                                             PRELUDE_SOURCE_DIR "/arch_configs")) {
        auto settings = configuration.base;
        configuration.fill(settings);
        point = experiments::resolve_design(settings, costs());
    }
    [[nodiscard]] const sim::CostTable& costs() const { return configuration.costs.at(configuration.base.cost_table); }
    [[nodiscard]] models::Graph part(const std::vector<std::string>& nodes) const {
        return models::subgraph(point.graph, models::nodes_named(point.graph, nodes));
    }
    [[nodiscard]] experiments::Expected expect(const std::vector<std::string>& nodes, const std::string& name = "hls") const {
        return experiments::expect(point, part(nodes), costs(), name);
    }
};

/// One half of an MLP: array, post unit, table and LayerNorm.
inline const std::vector<std::string> kMlpNodes{"encoder.block0.norm2", "encoder.block0.lin1", "encoder.block0.gelu", "encoder.block0.lin2",
                                                "encoder.block0.add2"};

}  // namespace prelude::testing
