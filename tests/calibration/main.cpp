// SPDX-License-Identifier: Apache-2.0
// resource_study: the estimates of sim/cost against synthesized units and published reports (scripts/resource_study.sh, docs/resources.md).
//
//   resource_study                 the tables of docs/resources.md
//   resource_study --rows UNIT     every configuration of a unit: synthesized, and predicted by a fit that did not see it
//   resource_study --update        writes the fitted terms to arch_configs/costs/default.yaml
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "models/error.hpp"
#include "reports.hpp"
#include "study.hpp"
#include "tests/paths.hpp"

using namespace prelude;
using namespace prelude::calibration;

namespace {

const std::filesystem::path kCosts = PRELUDE_SOURCE_DIR "/arch_configs/costs";

void print_units(std::span<const Synthesis> all, const Calibration& calibration) {
    fmt::print("| unit | n | LUT sMAPE | FF sMAPE | DSP | block RAM |\n|---|---|---|---|---|---|\n");
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
            fmt::print("| {} | {} | {:.1f} % | {:.1f} % | {} | {} |\n", unit, n, error(Resource::lut), error(Resource::ff), exact(dsp), exact(bram));
        }
    }
}

void print_bands(std::span<const Report> reports) {
    fmt::print("\n| ratio | n | median | 80 % band | left out one by one: inside | half-width |\n|---|---|---|---|---|---|\n");
    const auto print = [](const char* name, const std::vector<double>& ratios) {
        const auto band = band_of(ratios);
        const auto left_out = leave_one_out(ratios);
        fmt::print("| {} | {} | {:.3f} | {:.3f} to {:.3f} | {:.0f} % | {:.0f} % |\n", name, ratios.size(), band.median, band.low, band.high, 100 * left_out.coverage,
                   100 * left_out.median_half_width);
    };
    print("placed LUTs / synthesized LUT cells", placed_lut_ratios(reports));
    print("placed / synthesized flip-flops", placed_ff_ratios(reports));
}

double mean(const std::vector<double>& values) {
    double sum = 0;
    for (const double v : values) sum += v;
    return sum / static_cast<double>(values.size());
}

void print_kernels(std::span<const Report> reports, const Calibration& calibration) {
    sim::CostTable costs{.name = "fitted", .terms = calibration.figures};
    const auto bands = band_figures(reports);
    const auto lut_ratios = csynth_lut_ratios(reports), ff_ratios = csynth_ff_ratios(reports);
    const double lut_ratio = mean(lut_ratios), ff_ratio = mean(ff_ratios);
    fmt::print("\nSynthesized or placed over csynth: LUT {:.2f} (n = {}), FF {:.2f} (n = {}).\n", lut_ratio, lut_ratios.size(), ff_ratio, ff_ratios.size());
    fmt::print("\n| kernel | csynth LUT | FF | DSP | later stage LUT | FF | ours, placed: LUT | FF | DSP | off, LUT | FF |\n|---|---|---|---|---|---|---|---|---|---|---|\n");
    for (const auto& report : reports) {
        const auto form = counterpart(report.design);
        if (!form) continue;
        const double lut = sim::lut_of(*form, costs).value * bands.at("band.lut").value, ff = sim::packed_ff_of(*form, costs).value * bands.at("band.ff").value;
        const double later_lut = report.synth_lut.value_or(*report.csynth_lut * lut_ratio), later_ff = report.synth_ff.value_or(*report.csynth_ff * ff_ratio);
        fmt::print("| {} | {:.0f} | {:.0f} | {:.0f} | {:.0f}{} | {:.0f} | {:.0f} | {:.0f} | {} | {:+.0f} % | {:+.0f} % |\n", report.design, *report.csynth_lut, *report.csynth_ff,
                   *report.csynth_dsp, later_lut, report.synth_lut ? "" : "*", later_ff, lut, ff, form->dsp, 100 * (lut / later_lut - 1), 100 * (ff / later_ff - 1));
    }
    fmt::print("\n\\* csynth times the ratio above.\n");
}

void print_rows(std::span<const Synthesis> all, const Calibration& calibration, const std::string& unit) {
    for (const auto& group : groups()) {
        const auto rows = rows_of(all, group);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            if (rows[i].unit != unit) continue;
            const auto& lut = calibration.judged.at({group.name, Resource::lut});
            const auto& ff = calibration.judged.at({group.name, Resource::ff});
            fmt::print("{}: LUT {:.0f} ({:.0f}), FF {:.0f} ({:.0f}), DSP {} ({}), BRAM18 {} ({})\n", rows[i].parameters, rows[i].lut, lut.predicted[i], rows[i].ff,
                       ff.predicted[i], rows[i].dsp, rows[i].form.dsp, rows[i].bram18, rows[i].form.bram18);
        }
    }
}

void update(const Calibration& calibration, std::span<const Report> reports) {
    const auto path = kCosts / "default.yaml";
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    auto figures = calibration.figures;
    figures.merge(band_figures(reports));
    const auto table = updated(text.str(), figures);
    std::ofstream(path) << table;
    fmt::print("{} terms written to {}\n", figures.size(), path.string());
}

}  // namespace

int main(int argc, char** argv) try {
    const std::string mode = argc > 1 ? argv[1] : "";
    if (argc > 1 && mode != "--update" && !(mode == "--rows" && argc == 3)) {
        std::cerr << "usage: resource_study [--rows UNIT | --update]\n";
        return 2;
    }
    const auto all = read_synthesis(kCosts / "synthesis.csv");
    const auto reports = read_reports(kCosts / "reports.csv");
    const auto calibration = calibrate(all);
    if (mode == "--rows") {
        print_rows(all, calibration, argv[2]);
    } else if (mode == "--update") {
        update(calibration, reports);
    } else {
        print_units(all, calibration);
        print_bands(reports);
        print_kernels(reports, calibration);
    }
    return EXIT_SUCCESS;
} catch (const models::InputError& error) {
    std::cerr << error.what() << "\n";
    return EXIT_FAILURE;
}
