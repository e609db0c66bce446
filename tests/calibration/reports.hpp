// SPDX-License-Identifier: Apache-2.0
#pragma once

// Figures of published reports (arch_configs/costs/reports.csv): how far a placed design is from its synthesis, and an HLS estimate from both.

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sim/cost/unit_forms.hpp"

namespace prelude::calibration {

struct Report {
    std::string design, source;
    std::optional<double> csynth_lut, csynth_ff, csynth_dsp;
    std::optional<double> synth_cells;  ///< LUTs before placement packs two in one: what a netlist has, Yosys's too
    std::optional<double> synth_lut, synth_ff, placed_lut, placed_ff;
};
[[nodiscard]] std::vector<Report> read_reports(const std::filesystem::path& csv);

/// Placed over synthesized: LUTs over LUT cells, flip-flops over flip-flops.
[[nodiscard]] std::vector<double> placed_lut_ratios(std::span<const Report> reports);
[[nodiscard]] std::vector<double> placed_ff_ratios(std::span<const Report> reports);
/// Synthesized (placed, where a report has only that) over what high-level synthesis estimated.
[[nodiscard]] double mean(std::span<const double> values);
[[nodiscard]] std::vector<double> csynth_lut_ratios(std::span<const Report> reports);
[[nodiscard]] std::vector<double> csynth_ff_ratios(std::span<const Report> reports);

/// The 80 % band of a ratio from n measured ones.
///
/// Meaning   the next ratio is in [x_(floor(0.1 (n+1))), x_(ceil(0.9 (n+1)))], order statistics, with 80 % or more, whatever the distribution
/// Limits    n >= 9
/// Source    conformal prediction: V. Vovk, A. Gammerman, G. Shafer, Algorithmic Learning in a Random World, 2005
struct Band {
    double median = 0, low = 0, high = 0;
};
[[nodiscard]] Band band_of(std::vector<double> ratios);

/// Every ratio against the band of the others.
struct LeftOut {
    double coverage = 0;           ///< share inside
    double median_half_width = 0;  ///< of the bands, over their medians
};
[[nodiscard]] LeftOut leave_one_out(const std::vector<double>& ratios);

/// band.lut and band.ff of the cost table.
[[nodiscard]] std::map<std::string, sim::Figure, std::less<>> band_figures(std::span<const Report> reports);

/// What our units take for a kernel of a report; nothing where they do not express it.
[[nodiscard]] std::optional<sim::UnitForm> counterpart(const std::string& design);

}  // namespace prelude::calibration
