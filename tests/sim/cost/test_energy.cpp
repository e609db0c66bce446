// SPDX-License-Identifier: Apache-2.0
// Energy is counts times costs: each term against its formula written down a second time.
#include <catch2/catch.hpp>

#include "sim/cost/energy.hpp"

using namespace prelude::sim;

namespace {

CostTable costs() {
    CostTable table;
    for (const auto& term : cost_terms()) table.terms.emplace(term.name, Figure{.value = 0, .status = Provenance::published, .unit = {}, .source = {}});
    const auto set = [&](const char* name, double value) { table.terms.at(name) = {.value = value, .status = Provenance::published, .unit = {}, .source = {}}; };
    set("energy.dsp_pj.versal", 2);
    set("energy.lut_pj.versal", 0.5);
    set("energy.net_pj.versal", 0.25);
    set("energy.ff_clock_pj.versal", 0.125);
    set("energy.reference_toggle", 0.125);
    set("energy.data_toggle", 0.5);
    return table;
}

Estimate exactly(double value) { return {.value = value, .low = value, .high = value, .status = Provenance::published}; }

ResourceEstimate resources() {
    ResourceEstimate result;
    result.units.push_back({.unit = "pe_array", .lut = exactly(100), .ff = exactly(40), .dsp = exactly(10), .bram36 = {}, .uram = {}});
    result.units.push_back({.unit = kShiftLanes, .lut = exactly(60), .ff = exactly(20), .dsp = {}, .bram36 = {}, .uram = {}});
    result.ff = exactly(1000);
    return result;
}

SegmentStats busy(Cycle array, Cycle shifting) {
    SegmentStats stats;
    stats.cycles = 50;
    stats.units[static_cast<std::size_t>(UnitId::pe_array)].busy_cycles = array;
    stats.shift_cycles = stats.shift_only_cycles = shifting;
    return stats;
}

double array_energy(const SegmentStats& stats) {
    Device device;
    device.family = "versal";
    device.dram_kind = "ddr4";
    return segment_energy(stats, resources(), device, costs()).pe_array.value;
}

}  // namespace

TEST_CASE("A busy cycle costs the slices at the operands' activity, the LUTs, and a net per LUT and flip-flop") {
    const double logic = 100 * 0.5 + (100 + 40) * 0.25;
    CHECK(array_energy(busy(8, 0)) == Approx(8 * (10 * 2 * (0.5 / 0.125) + logic)));
    auto measured = busy(8, 0);
    measured.toggles.activation_toggles = 30, measured.toggles.activation_bits = 200;
    measured.toggles.weight_toggles = 20, measured.toggles.weight_bits = 200;
    CHECK(array_energy(measured) == Approx(8 * (10 * 2 * (0.125 / 0.125) + logic)));
}

TEST_CASE("Shift-add lanes burn in the cycles they work, the multipliers in the others") {
    const double multiplying = 10 * 2 * 4 + 100 * 0.5 + 140 * 0.25, shifting = 60 * 0.5 + 80 * 0.25;
    CHECK(array_energy(busy(8, 3)) == Approx(5 * multiplying + 3 * shifting));
}

TEST_CASE("Rows that wait for a root by division cost its dividers alone") {
    Device device;
    device.family = "versal";
    device.dram_kind = "ddr4";
    auto used = resources();
    used.units.push_back({.unit = "layernorm_unit", .lut = exactly(80), .ff = {}, .dsp = {}, .bram36 = {}, .uram = {}});
    used.units.push_back({.unit = kRootDividers, .lut = exactly(16), .ff = exactly(4), .dsp = {}, .bram36 = {}, .uram = {}});
    SegmentStats stats;
    stats.units[static_cast<std::size_t>(UnitId::layernorm_unit)].busy_cycles = 100;
    const auto energy = [&] { return segment_energy(stats, used, device, costs()).vector_units.value; };
    CHECK(energy() == Approx(100 * 80 * 0.75));
    stats.operations[{"root_divide", 16, 8}] = 90;
    stats.operations[{"root_wait", 16, 8}] = 70;
    CHECK(energy() == Approx(30 * 80 * 0.75 + 90 * (16 * 0.75 + 4 * 0.25)));
}

TEST_CASE("The clock tree runs in every cycle, whatever is busy") {
    Device device;
    device.family = "versal";
    device.dram_kind = "ddr4";
    CHECK(segment_energy(busy(0, 0), resources(), device, costs()).clock.value == Approx(50 * 1000 * 0.125));
}

TEST_CASE("Twice the toggles double the slices' energy and leave every other term as it is") {
    Device device;
    device.family = "versal";
    device.dram_kind = "ddr4";
    auto stats = busy(8, 3);
    stats.dram.bus_bytes = 640, stats.dram.row_misses = 3;
    stats.buffers[0].read_accesses = 12;
    for (auto& unit : stats.units) unit.busy_cycles = 8;
    auto table = costs();
    for (const auto* term : {"energy.dram_pj_per_bit.ddr4", "energy.dram_activate_nj.ddr4", "energy.bram36_access_pj.versal"}) table.terms.at(term).value = 3;
    auto used = resources();
    for (const char* unit : {"post_unit", "softmax_unit", "layernorm_unit", "dma", "controller"}) used.units.push_back({.unit = unit, .lut = exactly(30), .ff = exactly(20), .dsp = {}, .bram36 = {}, .uram = {}});
    used.buffers.push_back({.name = "weight_buffer", .bits = 1 << 20, .width_bits = 144, .bram36 = 30, .uram = 0});
    const auto energy = [&](int times) {
        auto toggling = stats;
        toggling.toggles = {.activation_toggles = 30 * times, .activation_bits = 200, .weight_toggles = 20 * times, .weight_bits = 200};
        return segment_energy(toggling, used, device, table);
    };
    const auto none = energy(0), once = energy(1), twice = energy(2);
    CHECK(once.pe_array.value - none.pe_array.value == Approx(5 * 10 * 2 * (0.125 / 0.125)));
    CHECK(twice.pe_array.value - none.pe_array.value == Approx(2 * (once.pe_array.value - none.pe_array.value)));
    for (const auto part : {&SegmentEnergy::post_unit, &SegmentEnergy::vector_units, &SegmentEnergy::buffers, &SegmentEnergy::infrastructure, &SegmentEnergy::clock, &SegmentEnergy::dram}) {
        CHECK((once.*part).value > 0);
        CHECK((once.*part).value == (twice.*part).value);
    }
}

TEST_CASE("An estimate names the assumed terms it is made of, each once, and none it has nothing of") {
    const Figure guess{.value = 2, .status = Provenance::assumed, .unit = {}, .source = {}, .name = "b"}, other{.value = 3, .status = Provenance::assumed, .unit = {}, .source = {}, .name = "a"},
        known{.value = 5, .status = Provenance::published, .unit = {}, .source = {}, .name = "c"};
    Estimate sum;
    sum.add(guess, 2);
    sum.add(guess, 1);
    sum.add(known, 1);
    sum.add(other, 0);
    CHECK(sum.assumed == std::vector<std::string>{"b"});
    CHECK(sum.status == Provenance::assumed);
    const auto product = sum * estimate_of(other);
    CHECK(product.value == Approx(11 * 3));
    CHECK(product.assumed == std::vector<std::string>{"a", "b"});
    CHECK((Estimate{} * estimate_of(other)).assumed.empty());
    CHECK((2 * sum).assumed == sum.assumed);
}
