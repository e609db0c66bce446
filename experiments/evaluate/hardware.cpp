// SPDX-License-Identifier: Apache-2.0
#include "experiments/evaluate/hardware.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/evaluate/stats_json.hpp"
#include "experiments/evaluate/tasks.hpp"
#include "sim/cost/energy.hpp"

namespace prelude::experiments {

namespace {

using nlohmann::json;

constexpr std::array kProvenanceNames{"measured", "calibrated", "published", "assumed"};
constexpr double kMega = 1e6, kGiga = 1e9;
constexpr double kMillijoule = 1e-9;  ///< in a picojoule

/// Published bands of INT8 vision-transformer accelerators on a ZCU102 (docs: fpga facts, section 2): outside is worth a warning.
constexpr double kMacPerDspLow = 0.37, kMacPerDspHigh = 1.95, kGopsPerWattLow = 38, kGopsPerWattHigh = 105;

std::string number(double value) { return fmt::format("{}", value); }
std::string number(std::int64_t value) { return fmt::format("{}", value); }
const char* provenance_name(sim::Provenance status) { return kProvenanceNames[static_cast<std::size_t>(status)]; }

void estimate_cells(const std::string& name, const sim::Estimate& estimate, Cells& cells) {
    cells[name] = number(estimate.value);
    cells[name + "_low"] = number(estimate.low);
    cells[name + "_high"] = number(estimate.high);
}

void rounded_cells(const std::string& name, const sim::Estimate& estimate, Cells& cells) {
    cells[name] = number(std::ceil(estimate.value));
    cells[name + "_low"] = number(std::ceil(estimate.low));
    cells[name + "_high"] = number(std::ceil(estimate.high));
}

void status_cell(const std::string& column, const sim::Estimate& grounds, Cells& cells, AssumedFigures& assumed) {
    cells[column] = provenance_name(grounds.status);
    assumed[column] = grounds.assumed;
}

/// Multiply-accumulate slots of a segment's cycles, at the rate its operands have on the array.
double slots_of(const sim::SegmentStats& s, const sim::PeArray& pe) {
    const auto busy = s.units[static_cast<std::size_t>(sim::UnitId::pe_array)].busy_cycles;
    if (busy == 0) return static_cast<double>(pe.rows) * pe.cols * pe.depth * static_cast<double>(s.cycles);
    return static_cast<double>(s.macs.issued()) * static_cast<double>(s.cycles) / static_cast<double>(busy);
}

}  // namespace

std::vector<sim::SegmentStats> segments_of(const json& timing) {
    std::vector<sim::SegmentStats> segments;
    for (const auto& entry : timing.at("segments")) segments.push_back(segment_stats(entry));
    return segments;
}

void measured_toggles(const json& check, std::vector<sim::SegmentStats>& segments) {
    sim::ToggleStats all;
    std::map<std::string, sim::ToggleStats> by_name;
    for (const auto& [name, counts] : check.at("toggles").items()) all.add(by_name[name] = toggle_stats(counts));
    for (auto& segment : segments) {
        const auto found = by_name.find(segment.name);
        segment.toggles = found != by_name.end() ? found->second : all;
    }
}

void reference_cells(const json& accuracy, Cells& cells) {
    for (const std::string name : {"miou", "dice", "boundary_px", "hd95_px", "ap"}) {
        if (accuracy.contains(name)) cells[name + "_fp32"] = number(accuracy.at(name).get<double>());
    }
}

void accuracy_cells(const json& accuracy, Cells& cells) {
    for (const char* name : {"miou", "miou_ci95_low", "miou_ci95_high", "miou_box", "miou_point", "miou_fp32", "dice", "boundary_px", "hd95_px", "ap", "ap50", "ap75",
                             "ap_small", "ap_medium", "ap_large", "ar", "mask_agreement", "sqnr_db", "saturation_pct"}) {
        if (accuracy.contains(name)) cells[name] = number(accuracy.at(name).get<double>());
    }
    for (const char* name : {"num_images", "num_prompts", "overflow_count"}) {
        if (accuracy.contains(name)) cells[name] = number(accuracy.at(name).get<std::int64_t>());
    }
}

void resource_cells(const DesignPoint& point, Cells& cells, AssumedFigures& assumed) {
    const auto& r = point.resources;
    rounded_cells("lut", r.lut, cells);
    rounded_cells("ff", r.ff, cells);
    rounded_cells("lut_csynth", r.csynth_lut, cells);
    rounded_cells("ff_csynth", r.csynth_ff, cells);
    cells["dsp"] = number(std::ceil(r.dsp.value));
    cells["bram36"] = number(std::ceil(r.bram36.value));
    cells["uram"] = number(std::ceil(r.uram.value));
    cells["fits"] = r.fits ? "true" : "false";
    cells["max_util_pct"] = number(r.max_utilization_pct);
    cells["limiting_resource"] = r.limiting_resource;
    sim::Estimate grounds;
    for (const auto* estimate : {&r.lut, &r.ff, &r.dsp, &r.bram36, &r.uram}) grounds.rest_on(*estimate);
    status_cell("resource_status", grounds, cells, assumed);
}

void hardware_cells(std::span<const sim::SegmentStats> segments, const DesignPoint& point, const sim::CostTable& costs, Cells& cells, AssumedFigures& assumed,
                    std::vector<std::string>& warnings) {
    std::int64_t cycles = 0, encoder = 0, useful = 0, issued = 0, bytes = 0, weights = 0, busy = 0, roofline = 0;
    std::array<std::int64_t, 3> bound_cycles{};
    for (const auto& s : segments) {
        cycles += s.repeats * s.cycles;
        if (s.part == models::Part::encoder) encoder += s.repeats * s.cycles;
        useful += s.repeats * s.macs.useful;
        issued += s.repeats * s.macs.issued();
        bytes += s.repeats * (s.dram.bytes_read + s.dram.bytes_written);
        weights += s.weight_bytes;
        busy += s.repeats * s.units[static_cast<std::size_t>(sim::UnitId::pe_array)].busy_cycles;
        roofline += s.repeats * s.bounds.largest();
        bound_cycles[static_cast<std::size_t>(s.bounds.limiting())] += s.repeats * s.cycles;
    }
    const double mhz = point.design.clock_mhz, seconds = static_cast<double>(cycles) / (mhz * kMega);
    const auto& band = costs.at("band.latency");
    cells["cycles"] = number(cycles);
    cells["encoder_cycles"] = number(encoder);
    cells["decoder_cycles"] = number(cycles - encoder);
    cells["latency_ms"] = number(seconds * 1e3);
    cells["latency_ms_low"] = number(seconds * 1e3 * band.low);
    cells["latency_ms_high"] = number(seconds * 1e3 * band.high);
    cells["fps"] = number(1.0 / seconds);
    cells["bound"] = sim::kBoundNames[static_cast<std::size_t>(std::ranges::max_element(bound_cycles) - bound_cycles.begin())];
    cells["stall_pct"] = number(100.0 * (1.0 - static_cast<double>(busy) / static_cast<double>(cycles)));

    const auto power = sim::estimate_power(segments, point.resources, point.design, mhz, costs);
    estimate_cells("energy_mj", power.energy_mj, cells);
    estimate_cells("power_w", power.power_w, cells);
    cells["static_w"] = number(power.static_w.value);
    cells["dynamic_w"] = number(power.dynamic_w.value);
    cells["dram_power_w"] = number(power.dram_power_w.value);
    cells["dram_mb"] = number(static_cast<double>(bytes) / kMega);
    cells["weights_mb"] = number(static_cast<double>(weights) / kMega);
    cells["macs"] = number(useful);
    cells["macs_issued"] = number(issued);
    double capacity = 0;
    for (const auto& s : segments) capacity += static_cast<double>(s.repeats) * slots_of(s, point.design.pe);
    cells["pe_utilization"] = number(static_cast<double>(useful) / capacity);
    const double gops = 2.0 * static_cast<double>(useful) / seconds / kGiga, gops_per_w = gops / power.power_w.value;
    cells["gops"] = number(gops);
    cells["gops_per_w"] = number(gops_per_w);
    const auto& device = point.design.device;
    auto grounds = point.clock;
    grounds.rest_on(band);
    if (point.design.dram.gb_per_s == 0) grounds.rest_on(device.dram_gb_per_s);
    status_cell("latency_status", grounds, cells, assumed);
    grounds.rest_on(power.power_w);
    status_cell("power_status", grounds, cells, assumed);
    if (roofline > 0 && cycles > 3 * roofline) {
        warnings.push_back(fmt::format("latency is {:.1f} times its roofline bound", static_cast<double>(cycles) / static_cast<double>(roofline)));
    }
    if (device.dsp_generation == "dsp48e2" && !point.plan.is_floating() && point.resources.dsp.value > 0) {
        const double mac_per_dsp = static_cast<double>(useful) / static_cast<double>(cycles) / point.resources.dsp.value;
        if (mac_per_dsp < kMacPerDspLow || mac_per_dsp > kMacPerDspHigh) {
            warnings.push_back(fmt::format("{:.2f} MAC/DSP/cycle is outside the published {}-{}", mac_per_dsp, kMacPerDspLow, kMacPerDspHigh));
        }
        if (gops_per_w < kGopsPerWattLow || gops_per_w > kGopsPerWattHigh) {
            warnings.push_back(fmt::format("{:.1f} GOPS/W is outside the published {}-{}", gops_per_w, kGopsPerWattLow, kGopsPerWattHigh));
        }
    }
}

const std::vector<std::string>& layer_columns() {
    static const std::vector<std::string> kNames{"layer", "part", "kind", "bits", "batch", "M", "K", "N", "tile", "repeats", "cycles", "bound", "bound_cycles",
                                                 "utilisation", "bytes", "energy_mj", "array_mj", "post_mj", "vector_mj", "buffers_mj", "infrastructure_mj", "clock_mj",
                                                 "dram_mj", "sqnr_db"};
    return kNames;
}

std::vector<std::vector<std::string>> layer_rows(std::span<const sim::SegmentStats> segments, const DesignPoint& point, const sim::CostTable& costs, const json& sqnr) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& s : segments) {
        const auto energy = sim::segment_energy(s, point.resources, point.design.device, costs);
        // The segment's own quality: the last of its nodes that was compared.
        std::string quality;
        for (const auto& node : s.nodes) {
            if (const auto found = sqnr.find(node); found != sqnr.end()) quality = number(found->get<double>());
        }
        const auto shape = [](std::int64_t extent) { return extent ? number(extent) : std::string{}; };
        rows.push_back({s.name, std::string(models::part_name(s.part)), s.kind, s.left_bits ? fmt::format("{}x{}", s.left_bits, s.right_bits) : "",
                        number(s.batch), shape(s.m), shape(s.k), shape(s.n), s.mapping, number(s.repeats), number(s.cycles),
                        sim::kBoundNames[static_cast<std::size_t>(s.bounds.limiting())], number(s.bounds.largest()),
                        s.cycles ? number(static_cast<double>(s.macs.useful) / slots_of(s, point.design.pe)) : "",
                        number(s.dram.bytes_read + s.dram.bytes_written), number((energy.chip().value + energy.dram.value) * kMillijoule)});
        for (const auto* part : {&energy.pe_array, &energy.post_unit, &energy.vector_units, &energy.buffers, &energy.infrastructure, &energy.clock, &energy.dram})
            rows.back().push_back(number(part->value * kMillijoule));
        rows.back().push_back(quality);
    }
    return rows;
}

}  // namespace prelude::experiments
