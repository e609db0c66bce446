// SPDX-License-Identifier: Apache-2.0
#include "tables.hpp"

#include <fmt/format.h>

#include "models/error.hpp"

namespace prelude::calibration {

namespace {

void add_units(std::string& text, std::span<const Synthesis> all, const Calibration& calibration) {
    text += fmt::format("| unit | n | LUT sMAPE | FF sMAPE | DSP | block RAM |\n|---|---|---|---|---|---|\n");
    for (const auto& group : groups()) {
        const auto rows = rows_of(all, group);
        for (const auto& unit : group.units) {
            int n = 0, dsp = 0, bram = 0;
            for (const auto& row : rows) {
                if (row.unit != unit) continue;
                ++n;
                dsp += row.dsp == row.form.dsp ? 1 : 0;
                bram += row.bram18 == row.form.bram18 ? 1 : 0;
            }
            const auto exact = [&](int same) { return same == n ? std::string("exact") : fmt::format("{} of {}", same, n); };
            const auto error = [&](Resource r) { return 100 * smape_of(rows, calibration.judged.at({group.name, r}), r, unit); };
            text += fmt::format("| {} | {} | {:.1f} % | {:.1f} % | {} | {} |\n", unit, n, error(Resource::lut), error(Resource::ff), exact(dsp), exact(bram));
        }
    }
}

void add_bands(std::string& text, std::span<const Report> reports) {
    text += fmt::format("\n| ratio | n | median | 80 % band | left out one by one: inside | half-width |\n|---|---|---|---|---|---|\n");
    const auto add = [&](const char* name, const std::vector<double>& ratios) {
        const auto band = band_of(ratios);
        const auto left_out = leave_one_out(ratios);
        text += fmt::format("| {} | {} | {:.3f} | {:.3f} to {:.3f} | {:.0f} % | {:.0f} % |\n", name, ratios.size(), band.median, band.low, band.high, 100 * left_out.coverage,
                   100 * left_out.median_half_width);
    };
    add("placed LUTs / synthesized LUT cells", placed_lut_ratios(reports));
    add("placed / synthesized flip-flops", placed_ff_ratios(reports));
}

void add_kernels(std::string& text, std::span<const Report> reports, const Calibration& calibration) {
    sim::CostTable costs{.name = "fitted", .terms = calibration.figures};
    const auto bands = band_figures(reports);
    const auto lut_ratios = csynth_lut_ratios(reports), ff_ratios = csynth_ff_ratios(reports);
    const double lut_ratio = mean(lut_ratios), ff_ratio = mean(ff_ratios);
    text += fmt::format("\nSynthesized or placed over csynth: LUT {:.2f} (n = {}), FF {:.2f} (n = {}).\n", lut_ratio, lut_ratios.size(), ff_ratio, ff_ratios.size());
    text += fmt::format("\n| kernel | csynth LUT | FF | DSP | later stage LUT | FF | ours, placed: LUT | FF | DSP | off, LUT | FF |\n|---|---|---|---|---|---|---|---|---|---|---|\n");
    for (const auto& report : reports) {
        const auto form = counterpart(report.design);
        if (!form) continue;
        const double lut = sim::lut_of(*form, costs).value * bands.at("band.lut").value, ff = sim::packed_ff_of(*form, costs).value * bands.at("band.ff").value;
        const double later_lut = report.synth_lut.value_or(*report.csynth_lut * lut_ratio), later_ff = report.synth_ff.value_or(*report.csynth_ff * ff_ratio);
        text += fmt::format("| {} | {:.0f} | {:.0f} | {:.0f} | {:.0f}{} | {:.0f} | {:.0f} | {:.0f} | {} | {:+.0f} % | {:+.0f} % |\n", report.design, *report.csynth_lut, *report.csynth_ff,
                   *report.csynth_dsp, later_lut, report.synth_lut ? "" : "*", later_ff, lut, ff, form->dsp, 100 * (lut / later_lut - 1), 100 * (ff / later_ff - 1));
    }
    text += fmt::format("\n\\* csynth times the ratio above.\n");
}

}  // namespace

std::string tables(std::span<const Synthesis> all, const Calibration& calibration, std::span<const Report> reports) {
    std::string text;
    add_units(text, all, calibration);
    add_bands(text, reports);
    add_kernels(text, reports, calibration);
    return text;
}

std::string with_tables(const std::string& page, const std::string& tables) {
    const auto begin = page.find(kTablesBegin), end = page.find(kTablesEnd);
    if (begin == std::string::npos || end == std::string::npos) throw models::InputError("docs/resources.md: no marks around the tables");
    return page.substr(0, begin + kTablesBegin.size()) + "\n" + tables + page.substr(end);
}

}  // namespace prelude::calibration
