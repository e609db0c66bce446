// SPDX-License-Identifier: Apache-2.0
#include "sim/cost/energy.hpp"

#include <algorithm>

namespace prelude::sim {

namespace {

constexpr double kPicojoule = 1e-12;

const UnitResources* find_unit(const ResourceEstimate& resources, std::string_view name) {
    const auto found = std::ranges::find(resources.units, name, &UnitResources::unit);
    return found == resources.units.end() ? nullptr : &*found;
}

/// Activity of the operands over that of the reference, with the band of the assumed one where it was not measured.
Estimate operand_activity(const ToggleStats& toggles, const CostTable& costs) {
    auto activity = estimate_of(costs.at("energy.data_toggle"));
    if (const auto rate = toggles.rate()) activity = {.value = *rate, .low = *rate, .high = *rate};
    const auto& reference = costs.at("energy.reference_toggle");
    activity = 1 / reference.value * activity;
    activity.rest_on(reference);
    return activity;
}

}  // namespace

Estimate SegmentEnergy::chip() const {
    Estimate total;
    for (const auto* part : {&pe_array, &post_unit, &vector_units, &buffers, &infrastructure, &clock}) total.add(*part);
    return total;
}

SegmentEnergy segment_energy(const SegmentStats& stats, const ResourceEstimate& resources, const Device& device, const CostTable& costs) {
    const auto price = [&](std::string_view term, std::string_view kind) { return estimate_of(costs.at(term, kind)); };
    const auto active_dsp = price("energy.dsp_pj", device.family) * operand_activity(stats.toggles, costs);
    const auto lut = price("energy.lut_pj", device.family), net = price("energy.net_pj", device.family);
    const auto busy = [&](UnitId id) { return static_cast<double>(stats.units[static_cast<std::size_t>(id)].busy_cycles); };
    const auto logic = [&](const char* name, double cycles) {
        Estimate energy;
        if (const auto* unit = find_unit(resources, name)) {
            energy.add(cycles * (unit->dsp * active_dsp));
            energy.add(cycles * (unit->lut * lut));
            energy.add(cycles * (unit->lut * net));
            energy.add(cycles * (unit->ff * net));
        }
        return energy;
    };
    SegmentEnergy energy;
    energy.pe_array = logic("pe_array", busy(UnitId::pe_array) - static_cast<double>(stats.shift_only_cycles));
    for (const auto* beside : {kArrayFrame, kPartialSums}) energy.pe_array.add(logic(beside, busy(UnitId::pe_array)));
    energy.pe_array.add(logic(kShiftLanes, static_cast<double>(stats.shift_cycles)));
    energy.post_unit = logic("post_unit", busy(UnitId::post_unit));
    energy.vector_units.add(logic("softmax_unit", busy(UnitId::softmax_unit)));
    std::int64_t lookups = 0, divide = 0, wait = 0;
    for (const auto& [key, count] : stats.operations) {
        if (key.kind == "lookup") lookups += count;
        if (key.kind == "root_divide") divide += count;
        if (key.kind == "root_wait") wait += count;
    }
    energy.vector_units.add(logic("layernorm_unit", busy(UnitId::layernorm_unit) - static_cast<double>(wait)));
    energy.vector_units.add(logic(kRootDividers, static_cast<double>(divide)));
    if (const auto* gelu = find_unit(resources, "gelu_unit"); gelu && gelu->lut.value > 0 && lookups > 0) {
        energy.vector_units.add(logic("gelu_unit", static_cast<double>(lookups) / std::max(1, gelu->lanes)));
    }
    const double transfers = std::max({busy(UnitId::weight_dma), busy(UnitId::activation_dma), busy(UnitId::operand_dma), busy(UnitId::store_dma)});
    energy.infrastructure.add(logic("dma", transfers));
    energy.infrastructure.add(logic("memory_ports", transfers));
    energy.infrastructure.add(logic("controller", static_cast<double>(stats.cycles)));
    energy.clock = static_cast<double>(stats.cycles) * (resources.ff * price("energy.ff_clock_pj", device.family));

    for (std::size_t b = 0; b < kNumBuffers && b < resources.buffers.size(); ++b) {
        const auto& geometry = resources.buffers[b];
        const auto columns = static_cast<double>((geometry.width_bits + 71) / 72);
        const double accesses = static_cast<double>(stats.buffers[b].read_accesses + stats.buffers[b].write_accesses);
        const Estimate opened{.value = columns, .low = columns, .high = columns, .status = Provenance::published};
        energy.buffers.add(accesses * (opened * price(geometry.uram > 0 ? "energy.uram_access_pj" : "energy.bram36_access_pj", device.family)));
    }
    const double bits = 8.0 * static_cast<double>(stats.dram.bus_bytes);
    energy.dram.add(costs.at("energy.dram_pj_per_bit", device.dram_kind), bits);
    energy.dram.add(costs.at("energy.dram_activate_nj", device.dram_kind), 1e3 * static_cast<double>(stats.dram.row_misses));
    return energy;
}

PowerEstimate estimate_power(std::span<const SegmentStats> segments, const ResourceEstimate& resources, const Design& design, double clock_mhz,
                             const CostTable& costs) {
    Estimate dynamic, dram;
    double cycles = 0;
    for (const auto& segment : segments) {
        const auto energy = segment_energy(segment, resources, design.device, costs);
        const auto repeats = static_cast<double>(segment.repeats);
        dynamic.add(repeats * energy.chip());
        dram.add(repeats * energy.dram);
        cycles += repeats * static_cast<double>(segment.cycles);
    }
    const double seconds = cycles / (clock_mhz * 1e6);
    PowerEstimate power;
    power.static_w.add(design.device.static_w, 1);
    power.processing_system_w.add(design.device.processing_system_w, 1);
    power.dynamic_w = kPicojoule / seconds * dynamic;
    for (const auto* part : {&power.static_w, &power.processing_system_w, &power.dynamic_w}) power.power_w.add(*part);
    power.dram_power_w = kPicojoule / seconds * dram;
    power.dram_power_w.add(costs.at("power.dram_background_w", design.device.dram_kind), design.dram_channels());
    Estimate all = power.power_w;
    all.add(power.dram_power_w);
    power.energy_mj = seconds * 1e3 * all;
    return power;
}

}  // namespace prelude::sim
