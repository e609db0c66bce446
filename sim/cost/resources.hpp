// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a design occupies: LUT, FF, DSP, BRAM, URAM per unit, whether it fits its device, and how fast it may be clocked.
// Pure functions of the resolved hardware, the formats and the cost table.

#include <string>
#include <vector>

#include "sim/cost/unit_forms.hpp"
#include "sim/mapping/hardware.hpp"

namespace prelude::sim {

/// Names of what stands beside the multipliers of the array: shift-add lanes, sums of rows and columns with the correction of zero points, and the
/// products of terms with their constants.
inline constexpr const char* kShiftLanes = "shift_lanes";
inline constexpr const char* kArrayFrame = "array_frame";
inline constexpr const char* kPartialSums = "partial_sums";
/// Name of the dividers of the LayerNorm unit, where roots are made by division.
inline constexpr const char* kRootDividers = "root_dividers";

struct UnitResources {
    std::string unit;  ///< pe_array, shift_lanes, post_unit, weight_buffer, ...
    Estimate lut{}, ff{}, dsp{}, bram36{}, uram{};
    int lanes = 1;  ///< words a cycle of a unit of equal lanes
};

/// Geometry of one on-chip buffer.
struct BufferGeometry {
    std::string name;
    std::int64_t bits = 0, width_bits = 0;  ///< capacity, and what one access delivers
    std::int64_t bram36 = 0, uram = 0;      ///< one of the two is 0
};

struct ResourceEstimate {
    std::vector<UnitResources> units;
    std::vector<BufferGeometry> buffers;
    Estimate lut, ff, dsp, bram36, uram;  ///< totals, the platform's reserve included
    Estimate csynth_lut, csynth_ff;       ///< what high-level synthesis of such a design may book, before placement; without the platform's reserve
    bool fits = true;
    double max_utilization_pct = 0;       ///< of the device's capacity, the most used kind
    std::string limiting_resource;        ///< that kind: lut | ff | dsp | bram36 | uram
    std::vector<std::string> reasons;     ///< why it does not fit
};

/// Resources of a design, after implementation.
///
/// Meaning   units by their forms (sim/cost/unit_forms), LUT and FF times band.lut and band.ff, which lead from a synthesis to a placed design:
///           pe_array: rows * cols * depth multipliers (in LUTs, or packed into DSP slices by dsp.mac_per_cycle of the ports' widths), per output an adder tree
///           and an accumulator of two banks, one-hot decoders where the slices shift log operands;
///           array_frame: operand registers, sums of rows and columns and the correction of zero points, control;
///           partial_sums: products of terms with their constants, a lane per post lane, where the formats have several groups or residues;
///           shift_lanes: per output `shift_lanes` barrel shifters, and per residue of a fractional log base an adder tree and an accumulator of two banks;
///           nothing where no format is logarithmic;
///           post_unit: cols * drain_rows lanes; vector units: their lanes and what they share, the softmax's with the exponential of the plan (every lane has
///           one, needed by its formats or not), LayerNorm with the products of its root or beside its dividers (root_dividers); rows on their way through
///           them lie in the buffers;
///           buffers: addresses and slots, block RAM or UltraRAM of the widths the datapath accesses (buffer_width_bits), whichever takes the smaller share of
///           the device; dma: a load and a store engine over hw.axi.ports ports, the ports' logic; one controller
/// Floating  an element is `depth` products and as many sums (the tree's, and one that joins trees and adds blocks), of DSP48 slices and logic each or of one
///           DSP58 together; lanes of the vector units are the products and sums of docs/numerics.md section 9 and the cores of HLS for exponential, GELU and roots
/// Fits      every count within the device's closure limit
[[nodiscard]] ResourceEstimate estimate_resources(const Hardware& hardware, const Design& design, const quant::FormatPlan& plan, const CostTable& costs);

/// rows and cols of the largest array, at the design's depth, that stays within the closure limits, and within pe.max_dsp slices if that is given.
///
/// Contract  rows a multiple of pe.drain_rows and of 2, up to 32; cols 4, 8 or a multiple of 16 (channel counts and head widths of vision transformers are, other columns
///           would idle in their last tile); rows <= cols <= 4 rows (sums leave row by row, a post lane per column: tall arrays starve on short
///           products and on everything the post unit does alone);
///           of equally large arrays the one with fewer rows; a device too small for the smallest gives the smallest (which then does not fit)
[[nodiscard]] Design filled(const Design& design, const quant::FormatPlan& plan, const CostTable& costs);

/// Clock the device may close: fmax * (1 - clock.utilization_derate * max(0, u - 0.5) / 0.5) * (1 - clock.die_crossing_derate * crossings),
/// u the largest utilization as a fraction, crossings the dies beyond the first that the design needs.
[[nodiscard]] Estimate closable_clock_mhz(const Design& design, const ResourceEstimate& resources, const CostTable& costs);

}  // namespace prelude::sim
