// SPDX-License-Identifier: Apache-2.0
#pragma once

// A design point made concrete: graph, formats, the array that fills the device, its resources and its clock.

#include "experiments/config/configuration.hpp"
#include "experiments/evaluate/model.hpp"
#include "quant/format_plan.hpp"
#include "sim/cost/resources.hpp"
#include "sim/simulate.hpp"

namespace prelude::experiments {

struct DesignPoint {
    models::Graph graph;
    quant::FormatPlan plan;
    sim::Design design;  ///< hw.pe.size: fill resolved to rows and cols; clock_mhz resolved; packing from the cost table
    sim::ResourceEstimate resources;
    sim::Estimate clock;         ///< MHz, as design.clock_mhz: what closes, on its grounds, or what was asked for, on none
    std::string infeasible;  ///< reason; empty = feasible
    std::vector<sim::PinnedMapping> pinned{};
};

/// The graph the datapath runs for one row: of a SAM, box or point prompt and a square picture.
/// Throws    ConfigError where the file of the layers can no longer be read
[[nodiscard]] models::Graph workload_graph(const Settings& settings);

/// What of it one row executes; of a list of layers everything, once.
[[nodiscard]] WorkloadSettings workload_of(const Settings& settings);

/// Resolves `fill` and the clock, estimates resources. `plan`: made from settings, or calibrated.
[[nodiscard]] DesignPoint resolve_design(const Settings& settings, const sim::CostTable& costs, models::Graph graph, quant::FormatPlan plan);

/// The same from settings alone: the plan is assumed.
/// Throws    quant::SettingsError naming layers the settings do not fit
[[nodiscard]] DesignPoint resolve_design(const Settings& settings, const sim::CostTable& costs);

/// What of the graph a row simulates, and the mappings pinned for it.
[[nodiscard]] sim::Options simulation_options(const DesignPoint& point, const WorkloadSettings& workload);

}  // namespace prelude::experiments
