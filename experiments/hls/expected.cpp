// SPDX-License-Identifier: Apache-2.0
#include "experiments/hls/expected.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "quant/quantized_graph.hpp"
#include "sim/cost/energy.hpp"
#include "sim/simulate.hpp"

namespace prelude::experiments {

namespace {

constexpr double kHalves = 2;  ///< of 18 Kib in a block of 36 Kib
constexpr std::string_view kPlatform = "platform";

constexpr std::array kFigures = {
    ExpectedFigure{"latency_min", "cycles", &Expected::latency_min},
    ExpectedFigure{"latency_max", "cycles", &Expected::latency_max},
    ExpectedFigure{"interval_min", "cycles", &Expected::interval_min},
    ExpectedFigure{"interval_max", "cycles", &Expected::interval_max},
    ExpectedFigure{"lut", "LUT", &Expected::lut},
    ExpectedFigure{"ff", "FF", &Expected::ff},
    ExpectedFigure{"lut_csynth", "LUT", &Expected::lut_csynth},
    ExpectedFigure{"ff_csynth", "FF", &Expected::ff_csynth},
    ExpectedFigure{"dsp", "DSP", &Expected::dsp},
    ExpectedFigure{"bram18", "BRAM18", &Expected::bram18},
    ExpectedFigure{"uram", "URAM", &Expected::uram},
    ExpectedFigure{"static_w", "W", &Expected::static_w},
    ExpectedFigure{"dynamic_w", "W", &Expected::dynamic_w},
    ExpectedFigure{"total_w", "W", &Expected::total_w},
};

/// Names of the units of sim/cost that the segments keep busy.
std::vector<std::string> units_in_use(std::span<const sim::SegmentStats> segments) {
    sim::Totals all;
    sim::Cycle shift_cycles = 0;
    for (const auto& segment : segments) all.add(segment), shift_cycles += segment.shift_cycles;
    const auto busy = [&](sim::UnitId id) { return all.units[static_cast<std::size_t>(id)].busy_cycles > 0; };
    const auto does = [&](std::string_view kind) {
        return std::ranges::any_of(all.operations,
                                   [&](const auto& operation) { return operation.first.kind == kind && operation.second > 0; });
    };
    std::vector<std::string> used{"memory_ports", "dma", "controller"};
    const auto take = [&](bool in_use, std::initializer_list<const char*> names) {
        if (in_use) used.insert(used.end(), names.begin(), names.end());
    };
    take(busy(sim::UnitId::pe_array), {"pe_array", sim::kArrayFrame, sim::kPartialSums});
    take(shift_cycles > 0, {sim::kShiftLanes});
    take(busy(sim::UnitId::post_unit), {"post_unit"});
    take(busy(sim::UnitId::softmax_unit), {"softmax_unit"});
    take(busy(sim::UnitId::layernorm_unit), {"layernorm_unit"});
    take(does("root_divide"), {sim::kRootDividers});
    take(does("lookup"), {"gelu_unit"});
    for (std::size_t b = 0; b < sim::kNumBuffers; ++b) {
        if (all.buffers[b].read_accesses + all.buffers[b].write_accesses > 0) used.push_back(std::string(sim::kBufferNames[b]) + "_buffer");
    }
    return used;
}

/// The figures of a part as functions of the cost table.
class Pricing {
  public:
    Pricing(const DesignPoint& point, const quant::FormatPlan& plan, const sim::Hardware& hardware,
            std::span<const sim::SegmentStats> segments)
        : point_(point), plan_(plan), hardware_(hardware), segments_(segments), used_(units_in_use(segments)) {}

    /// Units in use, and their totals.
    [[nodiscard]] sim::ResourceEstimate resources(const sim::CostTable& costs) const {
        auto all = sim::estimate_resources(hardware_, point_.design, plan_, costs);
        std::erase_if(all.units,
                      [&](const auto& unit) { return unit.unit == kPlatform || std::ranges::find(used_, unit.unit) == used_.end(); });
        all.lut = all.ff = all.dsp = all.bram36 = all.uram = {};
        for (const auto& unit : all.units) {
            all.lut.add(unit.lut);
            all.ff.add(unit.ff);
            all.dsp.add(unit.dsp);
            all.bram36.add(unit.bram36);
            all.uram.add(unit.uram);
        }
        all.csynth_lut = all.lut * sim::estimate_of(costs.at("csynth.lut"));
        all.csynth_ff = all.ff * sim::estimate_of(costs.at("csynth.ff"));
        return all;
    }
    [[nodiscard]] sim::Estimate dynamic_w(const sim::ResourceEstimate& resources, const sim::CostTable& costs) const {
        return sim::estimate_power(segments_, resources, point_.design, point_.design.clock_mhz, costs).dynamic_w;
    }

  private:
    const DesignPoint& point_;
    const quant::FormatPlan& plan_;
    const sim::Hardware& hardware_;
    std::span<const sim::SegmentStats> segments_;
    std::vector<std::string> used_;
};

/// Terms in one of these units, and those named.
std::vector<std::string_view> terms_in(std::initializer_list<std::string_view> units, std::initializer_list<std::string_view> named = {}) {
    std::vector<std::string_view> names(named);
    for (const auto& term : sim::cost_terms())
        if (std::ranges::any_of(units, [&](auto unit) { return term.unit == unit || term.unit.starts_with(std::string(unit) + "/"); }))
            names.push_back(term.name);
    return names;
}

void count_terms(const Pricing& pricing, const sim::CostTable& costs, const sim::ResourceEstimate& resources, Expected& result) {
    auto synthesis = costs;
    for (const auto* factor : {"band.lut", "band.ff"}) synthesis.terms.find(factor)->second.value = 1;
    const auto lut = [&](const sim::CostTable& table) { return pricing.resources(table).lut.value; };
    const auto ff = [&](const sim::CostTable& table) { return pricing.resources(table).ff.value; };
    const auto dynamic = [&](const sim::CostTable& table) { return pricing.dynamic_w(resources, table).value; };
    result.lut_form = linear_form(synthesis, terms_in({"LUT"}, {"lut_multiplier.lut_factor"}), lut, result.not_linear);
    result.ff_form = linear_form(synthesis, terms_in({"FF"}), ff, result.not_linear);
    result.dynamic_form = linear_form(costs, terms_in({"pJ/cycle", "pJ/access"}), dynamic, result.not_linear);
}

/// Cycles of the part and what they rest on.
sim::Estimate cycles_of(std::span<const sim::SegmentStats> segments, const DesignPoint& point, const sim::CostTable& costs) {
    double cycles = 0;
    for (const auto& segment : segments) cycles += static_cast<double>(segment.repeats * segment.cycles);
    const auto& band = costs.at("band.latency");
    sim::Estimate latency{
        .value = cycles, .low = cycles * band.low, .high = cycles * band.high};  // whatever the clock rests on: it is given to the build
    latency.rest_on(band);
    if (point.design.dram.gb_per_s == 0) latency.rest_on(point.design.device.dram_gb_per_s);
    return latency;
}

}  // namespace

LinearForm linear_form(const sim::CostTable& costs, std::span<const std::string_view> names,
                       const std::function<double(const sim::CostTable&)>& figure, std::vector<std::string>& not_linear) {
    constexpr double kStep = 0.125, kEqual = 1e-6;
    const double present = figure(costs);
    LinearForm form{.fixed = present, .counts = {}};
    auto changed = costs;
    for (const auto name : names) {
        auto& term = changed.terms.find(name)->second;
        const double value = term.value, step = value > 0 ? kStep * value : 1.0;
        term.value = value + step;
        const double count = (figure(changed) - present) / step;
        term.value = value + 2 * step;
        const double further = (figure(changed) - present) / (2 * step);
        term.value = std::max(0.0, value - step);
        const double below = value > 0 ? (present - figure(changed)) / step : count;
        term.value = value;
        if (count == 0 && below == 0 && further == 0) continue;
        const double size = kEqual * std::max({std::abs(count), std::abs(below), std::abs(further)});
        if (std::abs(count - below) > size || std::abs(count - further) > size) {
            not_linear.emplace_back(name);
            continue;
        }
        form.counts.emplace(name, count);
        form.fixed -= count * value;
    }
    if (std::abs(form.fixed) < 1e-9 * std::abs(present)) form.fixed = 0;  // what differences leave
    return form;
}

std::span<const ExpectedFigure> expected_figures() {
    return kFigures;
}

const sim::Estimate* find_figure(const Expected& expected, std::string_view name) {
    const auto found = std::ranges::find(kFigures, name, &ExpectedFigure::name);
    if (found == kFigures.end()) return nullptr;
    const auto& figure = expected.*(found->figure);
    return figure ? &*figure : nullptr;
}

Expected expect(const DesignPoint& point, const models::Graph& part, const sim::CostTable& costs, std::string design) {
    const auto& device = point.design.device;
    const auto hardware = sim::resolve(point.design, point.plan);
    Expected result;
    result.design = std::move(design);
    result.device = device.name, result.part = device.part, result.family = device.family, result.dsp_generation = device.dsp_generation;
    result.cost_table = costs.name;
    result.clock_target_ns = 1e3 / point.design.clock_mhz;
    result.rows = hardware.pe.rows, result.cols = hardware.pe.cols, result.depth = hardware.pe.depth;
    result.weight_bits = hardware.pe.weight_bits, result.activation_bits = hardware.pe.activation_bits;
    result.static_w = sim::estimate_of(device.static_w);
    for (const auto& node : part.nodes())
        if (!std::holds_alternative<models::Parameter>(node.op)) result.nodes.push_back(node.name);

    const auto run = sim::simulate(part, point.plan, point.design, {.pinned = point.pinned});
    for (const auto* off : {&run.constants, &run.host_ops})
        for (const auto& entry : *off)
            if (std::ranges::find(result.nodes, entry.name) != result.nodes.end()) result.not_on_datapath.push_back(entry.name);
    result.infeasible = !run.infeasible.empty() ? run.infeasible
                        : run.total.cycles == 0 ? "none of the nodes runs on the datapath"
                                                : point.infeasible;
    if (!run.infeasible.empty() || run.total.cycles == 0) return result;

    const auto plan =
        quant::restricted_to({.config = {}, .settings = {}, .plan = point.plan, .operations = {}, .meanings = {}, .warnings = {}}, part)
            .plan;
    const Pricing pricing(point, plan, hardware, run.segments);
    const auto resources = pricing.resources(costs);
    result.latency_min = result.latency_max = result.interval_min = result.interval_max = cycles_of(run.segments, point, costs);
    result.lut = resources.lut, result.ff = resources.ff;
    result.lut_csynth = resources.csynth_lut, result.ff_csynth = resources.csynth_ff;
    result.dsp = resources.dsp, result.bram18 = kHalves * resources.bram36, result.uram = resources.uram;
    result.dynamic_w = pricing.dynamic_w(resources, costs);
    result.total_w = result.static_w;
    result.total_w->add(*result.dynamic_w);
    for (const auto& unit : resources.units)
        result.units.push_back(
            {.unit = unit.unit, .lut = unit.lut, .ff = unit.ff, .dsp = unit.dsp, .bram18 = kHalves * unit.bram36, .uram = unit.uram});
    count_terms(pricing, costs, resources, result);
    return result;
}

}  // namespace prelude::experiments
