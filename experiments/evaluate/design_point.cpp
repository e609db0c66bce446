// SPDX-License-Identifier: Apache-2.0
#include "experiments/evaluate/design_point.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "experiments/config/layers_file.hpp"

namespace prelude::experiments {

models::Graph workload_graph(const Settings& settings) {
    if (settings.model.kind == ModelKind::layers) return layers_graph(settings.model.path);
    // A box has two corner tokens; a point has one and the padding point: the same shapes.
    return models::build_sam(model_config(settings.model), {.num_prompt_tokens = 2, .one_format = settings.quant.is_floating()});
}

WorkloadSettings workload_of(const Settings& settings) { return settings.model.kind == ModelKind::layers ? WorkloadSettings{} : settings.workload; }

DesignPoint resolve_design(const Settings& settings, const sim::CostTable& costs, models::Graph graph, quant::FormatPlan plan) {
    DesignPoint point{.graph = std::move(graph), .plan = std::move(plan), .design = settings.hw, .pinned = settings.mapping.entries};
    point.design.packing = costs.packing(point.design.device.dsp_generation);
    if (point.design.pe.size == sim::PeSize::fill) point.design = sim::filled(point.design, point.plan, costs);
    const auto automatic_clock = point.design.clock_mhz == 0;
    const auto with_clock = [&](double mhz) {
        auto design = point.design;
        design.clock_mhz = mhz;
        return design;
    };
    point.resources = sim::estimate_resources(sim::resolve(with_clock(point.design.device.fmax_mhz.value), point.plan), point.design, point.plan, costs);
    const auto closable = sim::closable_clock_mhz(point.design, point.resources, costs);
    if (automatic_clock) {
        point.design.clock_mhz = closable.value;
        point.clock = closable;
    } else if (point.design.clock_mhz > closable.value) {
        point.infeasible = fmt::format("clock {} MHz is above the {:.0f} MHz this design closes on {}", point.design.clock_mhz, closable.value,
                                       point.design.device.name);
    }
    if (!point.resources.fits) point.infeasible = fmt::format("{}", fmt::join(point.resources.reasons, "; "));
    return point;
}

sim::Options simulation_options(const DesignPoint& point, const WorkloadSettings& workload) {
    using models::Part;
    sim::Options options{.prompts_per_image = workload.prompts_per_image, .pinned = point.pinned};
    if (workload.parts == WorkloadParts::encoder) options.parts = {Part::encoder};
    if (workload.parts == WorkloadParts::decoder) options.parts = {Part::prompt, Part::decoder, Part::postprocess};
    return options;
}

DesignPoint resolve_design(const Settings& settings, const sim::CostTable& costs) {
    auto graph = workload_graph(settings);
    auto plan = quant::make_plan(graph, settings.quant);
    return resolve_design(settings, costs, std::move(graph), std::move(plan));
}

}  // namespace prelude::experiments
