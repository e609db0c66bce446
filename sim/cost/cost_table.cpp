// SPDX-License-Identifier: Apache-2.0
#include "sim/cost/cost_table.hpp"

#include "models/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace prelude::sim {

namespace {

constexpr std::array kTerms = {
    // The PE array (sim/cost/unit_forms: array_form).
    CostTerm{"lut_multiplier.lut_factor", "factor", "On a*b*(1 + (a+b)/12) LUT for one product in LUTs, a and b the operands' bits and a sign each."},
    CostTerm{"shift_add.lut_per_level", "LUT/bit", "Barrel shifter of a log-coded operand, one for each residue, per bit of its result and level of 2:1 selection."},
    CostTerm{"shift_add.lut_per_decoded_bit", "LUT/bit", "One-hot power of a log-coded operand, per bit and left port."},
    CostTerm{"adder.lut_per_bit", "LUT/bit", "Adder tree, per bit of the sum at each node."},
    CostTerm{"adder.ff_per_bit", "FF/bit", "Registers of the products and of the tree, per bit of each node."},
    CostTerm{"accumulator.lut_per_bit", "LUT/bit", "Accumulator of two banks in logic: shift of a part, sum, selection of what leaves."},
    CostTerm{"accumulator.ff_per_bit", "FF/bit", "Register of a bank."},
    CostTerm{"zero_point.lut_per_bit", "LUT/bit", "Correction of the sums that leave the array, per bit and addition."},
    CostTerm{"zero_point.ff_per_bit", "FF/bit", "Registers of that."},
    CostTerm{"array.operand_ff_per_bit", "FF/bit", "Operands at the array's ports, and what belongs to a beat."},
    CostTerm{"array.lut_per_selected_bit", "LUT/bit", "Selection of the rows and sums that leave among all, per bit."},
    CostTerm{"array.control_lut", "LUT", "Banks, their filling and draining."},
    CostTerm{"array.control_ff", "FF", "Registers of that."},
    // Packed DSP slices (slice_form).
    CostTerm{"dsp_pair.lut_per_field_bit", "LUT/bit", "Takes the two fields of a slice apart."},
    CostTerm{"dsp_pair.lut_per_sum_bit", "LUT/bit", "Accumulators of the fields, in logic."},
    CostTerm{"dsp_pair.lut", "LUT/DSP", "Counts the products of a run."},
    CostTerm{"dsp_pair.ff_per_bit", "FF/bit", "Registers of that."},
    CostTerm{"dsp_quad.lut", "LUT/DSP", "Takes the four fields of a slice apart and counts the products of a run."},
    CostTerm{"dsp_quad.lut_per_sum_bit", "LUT/bit", "Accumulators of the fields, in logic."},
    CostTerm{"dsp_quad.ff_per_bit", "FF/bit", "Registers of that."},
    // Behind the array (rescale_form, partial_sum_form).
    CostTerm{"rescale.lut_per_shifter_bit", "LUT/bit", "Shifts of a rescale, per bit and level."},
    CostTerm{"rescale.lut_per_adder_bit", "LUT/bit", "Rounding, offset and clamp of a rescale."},
    CostTerm{"rescale.ff_per_bit", "FF/bit", "Pipeline of a rescale."},
    CostTerm{"partial_sums.lut_per_sum_bit", "LUT/bit", "A term's sum times its constant, added to the output: per bit of the sum and lane."},
    CostTerm{"partial_sums.ff_per_bit", "FF/bit", "Registers of that."},
    CostTerm{"partial_sums.ff", "FF", "Constants and addresses, once per unit."},
    CostTerm{"residual_add.lut_per_bit", "LUT/bit", "Aligned addition with saturation, per bit of the stream and lane."},
    // Vector units (softmax_form, layernorm_form, table_form).
    CostTerm{"softmax.lut_per_shifter_bit", "LUT/bit", "Shifts of exponentials, of codes and of thresholds, per bit and level."},
    CostTerm{"softmax.lut_per_adder_bit", "LUT/bit", "Sums and comparisons."},
    CostTerm{"softmax.ff_per_bit", "FF/bit", "Pipeline registers."},
    CostTerm{"softmax.exponential_dsp.polynomial", "DSP/lane", "The two products of the second order."},
    CostTerm{"softmax.exponential_dsp.shift", "DSP/lane", "None: a subtraction and a shift."},
    CostTerm{"softmax.exponential_lut.polynomial", "LUT/lane", "Two sums and the shift."},
    CostTerm{"softmax.exponential_lut.shift", "LUT/lane", "One sum and the shift."},
    CostTerm{"softmax.exponential_ff.polynomial", "FF/lane", "Registers of that."},
    CostTerm{"softmax.exponential_ff.shift", "FF/lane", "Registers of that."},
    CostTerm{"layernorm.lut_per_adder_bit", "LUT/bit", "Sums, rounding and clamp of a lane, variance of a row; its rescale aside."},
    CostTerm{"layernorm.ff_per_bit", "FF/bit", "Pipeline registers."},
    CostTerm{"layernorm.root_lut", "LUT", "Reciprocal square root by table and products, once per unit."},
    CostTerm{"layernorm.root_ff", "FF", "Registers of that."},
    CostTerm{"layernorm.normalise_lut", "LUT", "Normalisation before a root by division, once per unit."},
    CostTerm{"layernorm.divider_lut", "LUT/divider", "Sequential divider of a root by division."},
    CostTerm{"layernorm.divider_ff", "FF/divider", "Registers of that."},
    CostTerm{"gelu.lut_per_adder_bit", "LUT/bit", "Interpolation between ends of segments, where a table has no entry per code."},
    CostTerm{"gelu.lut_per_selected_bit", "LUT/bit", "Selection among the parts of a table in distributed memory."},
    CostTerm{"gelu.ff_per_bit", "FF/bit", "Address and output registers of a lane."},
    // Floating point. Operators are pipelined; dsp48: UltraScale+ and 7-series, dsp58: Versal, where a slice adds and multiplies in binary32.
    CostTerm{"float.multiply_dsp.fp32", "DSP", "Product of two binary32 numbers in DSP48 slices."},
    CostTerm{"float.multiply_dsp.fp16", "DSP", "Product of two binary16 numbers, exact in binary32."},
    CostTerm{"float.multiply_lut.fp32", "LUT", "Logic of a binary32 product beside its slices."},
    CostTerm{"float.multiply_lut.fp16", "LUT", "Logic of a binary16 product beside its slice."},
    CostTerm{"float.multiply_ff.fp32", "FF", "Registers of that."},
    CostTerm{"float.multiply_ff.fp16", "FF", "Registers of that."},
    CostTerm{"float.add_dsp", "DSP", "Sum of two binary32 numbers in DSP48 slices."},
    CostTerm{"float.add_lut", "LUT", "Logic of a sum beside its slices."},
    CostTerm{"float.add_ff", "FF", "Registers of that."},
    CostTerm{"float.dsp58", "DSP", "A product, a sum, or one of each in a slice of Versal."},
    CostTerm{"float.dsp58_lut", "LUT", "Logic around such a slice."},
    CostTerm{"float.dsp58_ff", "FF", "Registers around such a slice."},
    CostTerm{"float.join_ff", "FF/bit", "Sums of subtrees that wait for their partner, per bit and level between the tree and a block."},
    CostTerm{"float.maximum_lut", "LUT/lane", "Comparison and choice of the softmax's maximum."},
    CostTerm{"float.exponential_dsp", "DSP/lane", "Exponential of the softmax."},
    CostTerm{"float.exponential_lut", "LUT/lane", "Logic of that."},
    CostTerm{"float.exponential_ff", "FF/lane", "Registers of that."},
    CostTerm{"float.reciprocal_dsp", "DSP", "Reciprocal of the softmax's sum, once per unit."},
    CostTerm{"float.reciprocal_lut", "LUT", "Logic of that."},
    CostTerm{"float.reciprocal_ff", "FF", "Registers of that."},
    CostTerm{"float.root_dsp", "DSP", "Reciprocal root of LayerNorm and its divisions, once per unit."},
    CostTerm{"float.root_lut", "LUT", "Logic of that."},
    CostTerm{"float.root_ff", "FF", "Registers of that."},
    CostTerm{"float.gelu_dsp", "DSP/lane", "GELU."},
    CostTerm{"float.gelu_lut", "LUT/lane", "Logic of that."},
    CostTerm{"float.gelu_ff", "FF/lane", "Registers of that."},
    // Infrastructure.
    CostTerm{"axi_port.lut", "LUT/port", "Memory port with burst logic."},
    CostTerm{"axi_port.ff", "FF/port", "Registers of a port."},
    CostTerm{"axi_port.bram18", "BRAM18/port", "Burst buffer of a port."},
    CostTerm{"dma.load_lut_per_shifter_bit", "LUT/bit", "Alignment of what a port reads, per bit and level."},
    CostTerm{"dma.store_lut_per_shifter_bit", "LUT/bit", "Alignment of what a port writes, and strobes, per bit and level."},
    CostTerm{"dma.lut_per_port", "LUT/port", "Bursts under way on a port of an engine."},
    CostTerm{"dma.lut", "LUT", "Cutting runs into bursts, tiles under way: once per engine."},
    CostTerm{"dma.ff_per_bit", "FF/bit", "Registers of that."},
    CostTerm{"dma.ff", "FF", "Run and addresses, once per engine."},
    CostTerm{"buffer.lut_per_address_bit", "LUT/bit", "Addresses and slots of a buffer."},
    CostTerm{"buffer.lut_per_selected_bit", "LUT/bit", "Selection of a slot's last address, where the two are registers."},
    CostTerm{"buffer.ff_per_bit", "FF/bit", "Registers of that."},
    CostTerm{"control.lut", "LUT", "Controller, register file, host interface."},
    CostTerm{"control.ff", "FF", "Registers of that."},
    // Products per DSP slice and cycle, packed.
    CostTerm{"dsp.mac_per_cycle.dsp48e1.w4a4", "MAC/DSP/cycle", "Operands up to 4 x 4 bits."},
    CostTerm{"dsp.mac_per_cycle.dsp48e1.w4a8", "MAC/DSP/cycle", "Up to 4 x 8 bits, either way round."},
    CostTerm{"dsp.mac_per_cycle.dsp48e1.w8a8", "MAC/DSP/cycle", "Up to 8 x 8 bits."},
    CostTerm{"dsp.mac_per_cycle.dsp48e1.w4a16", "MAC/DSP/cycle", "Up to 4 x 16 bits, either way round."},
    CostTerm{"dsp.mac_per_cycle.dsp48e1.w16a16", "MAC/DSP/cycle", "Up to 16 x 16 bits."},
    CostTerm{"dsp.mac_per_cycle.dsp48e2.w4a4", "MAC/DSP/cycle", "Operands up to 4 x 4 bits."},
    CostTerm{"dsp.mac_per_cycle.dsp48e2.w4a8", "MAC/DSP/cycle", "Up to 4 x 8 bits, either way round."},
    CostTerm{"dsp.mac_per_cycle.dsp48e2.w8a8", "MAC/DSP/cycle", "Up to 8 x 8 bits."},
    CostTerm{"dsp.mac_per_cycle.dsp48e2.w4a16", "MAC/DSP/cycle", "Up to 4 x 16 bits, either way round."},
    CostTerm{"dsp.mac_per_cycle.dsp48e2.w16a16", "MAC/DSP/cycle", "Up to 16 x 16 bits."},
    CostTerm{"dsp.mac_per_cycle.dsp58.w4a4", "MAC/DSP/cycle", "Operands up to 4 x 4 bits."},
    CostTerm{"dsp.mac_per_cycle.dsp58.w4a8", "MAC/DSP/cycle", "Up to 4 x 8 bits, either way round."},
    CostTerm{"dsp.mac_per_cycle.dsp58.w8a8", "MAC/DSP/cycle", "Up to 8 x 8 bits."},
    CostTerm{"dsp.mac_per_cycle.dsp58.w4a16", "MAC/DSP/cycle", "Up to 4 x 16 bits, either way round."},
    CostTerm{"dsp.mac_per_cycle.dsp58.w16a16", "MAC/DSP/cycle", "Up to 16 x 16 bits."},
    // Energy per used unit and clock cycle (or access), by device family.
    CostTerm{"energy.dsp_pj.7series", "pJ/cycle", "A DSP slice at work."},
    CostTerm{"energy.dsp_pj.ultrascale_plus", "pJ/cycle", "A DSP slice at work."},
    CostTerm{"energy.dsp_pj.versal", "pJ/cycle", "A DSP slice at work."},
    CostTerm{"energy.lut_pj.7series", "pJ/cycle", "Logic of an active LUT."},
    CostTerm{"energy.lut_pj.ultrascale_plus", "pJ/cycle", "Logic of an active LUT."},
    CostTerm{"energy.lut_pj.versal", "pJ/cycle", "Logic of an active LUT."},
    CostTerm{"energy.net_pj.7series", "pJ/cycle", "A routed signal: the output of a LUT or flip-flop of an active unit."},
    CostTerm{"energy.net_pj.ultrascale_plus", "pJ/cycle", "A routed signal: the output of a LUT or flip-flop of an active unit."},
    CostTerm{"energy.net_pj.versal", "pJ/cycle", "A routed signal: the output of a LUT or flip-flop of an active unit."},
    CostTerm{"energy.ff_clock_pj.7series", "pJ/cycle", "Clock tree, per flip-flop, active or not."},
    CostTerm{"energy.ff_clock_pj.ultrascale_plus", "pJ/cycle", "Clock tree, per flip-flop, active or not."},
    CostTerm{"energy.ff_clock_pj.versal", "pJ/cycle", "Clock tree, per flip-flop, active or not."},
    CostTerm{"energy.bram36_access_pj.7series", "pJ/access", "One access of a 36 Kib block RAM."},
    CostTerm{"energy.bram36_access_pj.ultrascale_plus", "pJ/access", "One access of a 36 Kib block RAM."},
    CostTerm{"energy.bram36_access_pj.versal", "pJ/access", "One access of a 36 Kib block RAM."},
    CostTerm{"energy.uram_access_pj.ultrascale_plus", "pJ/access", "One access of an UltraRAM block."},
    CostTerm{"energy.uram_access_pj.versal", "pJ/access", "One access of an UltraRAM block."},
    CostTerm{"energy.reference_toggle", "fraction",
             "Toggle rate of the data that the energies above were taken at; operand toggles scale by it."},
    CostTerm{"energy.data_toggle", "fraction", "Toggle rate of quantized operands at a multiplier port, where a run did not measure its own."},
    // External memory.
    CostTerm{"energy.dram_pj_per_bit.ddr3", "pJ/bit", "Read or write in the memory device, controller and interface included."},
    CostTerm{"energy.dram_pj_per_bit.ddr4", "pJ/bit", "Read or write in the memory device, controller and interface included."},
    CostTerm{"energy.dram_pj_per_bit.lpddr4", "pJ/bit", "Read or write in the memory device, controller and interface included."},
    CostTerm{"energy.dram_pj_per_bit.hbm2", "pJ/bit", "Read or write in the memory device, controller and interface included."},
    CostTerm{"energy.dram_activate_nj.ddr3", "nJ/activation", "Activate and precharge of one row."},
    CostTerm{"energy.dram_activate_nj.ddr4", "nJ/activation", "Activate and precharge of one row."},
    CostTerm{"energy.dram_activate_nj.lpddr4", "nJ/activation", "Activate and precharge of one row."},
    CostTerm{"energy.dram_activate_nj.hbm2", "nJ/activation", "Activate and precharge of one row."},
    CostTerm{"power.dram_background_w.ddr3", "W/channel", "Standby and refresh."},
    CostTerm{"power.dram_background_w.ddr4", "W/channel", "Standby and refresh."},
    CostTerm{"power.dram_background_w.lpddr4", "W/channel", "Standby and refresh."},
    CostTerm{"power.dram_background_w.hbm2", "W/channel", "Standby and refresh of one pseudo channel."},
    // How far an estimate made of these terms is from a placed design.
    CostTerm{"band.lut", "factor", "Placed over estimated LUTs."},
    CostTerm{"band.ff", "factor", "Placed over estimated FFs."},
    CostTerm{"csynth.lut", "factor", "LUTs that the report of high-level synthesis books over those of the placed design."},
    CostTerm{"csynth.ff", "factor", "FFs that the report of high-level synthesis books over those of the placed design."},
    CostTerm{"clock.utilization_derate", "fraction", "Share of fmax lost at full utilization; none up to half, linear between."},
    CostTerm{"clock.die_crossing_derate", "fraction", "Share of the clock lost per die boundary the design crosses."},
    CostTerm{"band.latency", "factor", "Measured over simulated cycles of memory-bound designs."},
};

}  // namespace

std::span<const CostTerm> cost_terms() {
    return kTerms;
}

const CostTerm* find_cost_term(std::string_view name) {
    const auto found = std::find_if(kTerms.begin(), kTerms.end(), [&](const CostTerm& term) { return term.name == name; });
    return found == kTerms.end() ? nullptr : &*found;
}

const Figure& CostTable::at(std::string_view term) const {
    const auto found = terms.find(term);
    models::check(found != terms.end(), fmt::format("no cost term {}", term));
    return found->second;
}

const Figure& CostTable::at(std::string_view term, std::string_view kind) const {
    return at(fmt::format("{}.{}", term, kind));
}

const Figure& CostTable::mac_per_dsp(std::string_view dsp_generation, int weight_bits, int activation_bits) const {
    const auto [narrow, wide] = std::minmax(weight_bits, activation_bits);
    models::check(narrow >= 1 && wide <= kMaxPortBits, fmt::format("no DSP packing for {} x {} bits", weight_bits, activation_bits));
    const auto* operands = kOperandClassNames[static_cast<std::size_t>(operand_class(weight_bits, activation_bits))];
    return at(fmt::format("dsp.mac_per_cycle.{}.{}", dsp_generation, operands));
}

DspPacking CostTable::packing(std::string_view dsp_generation) const {
    DspPacking packing;
    for (std::size_t i = 0; i < kNumOperandClasses; ++i) {
        packing.products[i] = at(fmt::format("dsp.mac_per_cycle.{}.{}", dsp_generation, kOperandClassNames[i])).value;
    }
    return packing;
}

}  // namespace prelude::sim
