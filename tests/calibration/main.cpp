// SPDX-License-Identifier: Apache-2.0
// resource_study: the estimates of sim/cost against synthesized units and published reports (scripts/resource_study.sh, docs/resources.md).
//
//   resource_study                 the tables of docs/resources.md
//   resource_study --rows UNIT     every configuration of a unit: synthesized, and predicted by a fit that did not see it
//   resource_study --update        writes the fitted terms to arch_configs/costs/default.yaml, the tables to docs/resources.md
#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "models/error.hpp"
#include "tables.hpp"
#include "tests/paths.hpp"

using namespace prelude;
using namespace prelude::calibration;

namespace {

const std::filesystem::path kCosts = PRELUDE_SOURCE_DIR "/arch_configs/costs";
const auto kTable = kCosts / "default.yaml";
const std::filesystem::path kPage = PRELUDE_SOURCE_DIR "/docs/resources.md";

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

std::string text_of(const std::filesystem::path& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

void update(std::span<const Synthesis> all, const Calibration& calibration, std::span<const Report> reports) {
    auto figures = calibration.figures;
    figures.merge(band_figures(reports));
    const auto table = updated(text_of(kTable), figures);
    const auto page = with_tables(text_of(kPage), tables(all, calibration, reports));
    std::ofstream(kTable) << table;
    std::ofstream(kPage) << page;
    fmt::print("{} terms written to {}, the tables to {}\n", figures.size(), kTable.string(), kPage.string());
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
        update(all, calibration, reports);
    } else {
        fmt::print("{}", tables(all, calibration, reports));
    }
    return EXIT_SUCCESS;
} catch (const models::InputError& error) {
    std::cerr << error.what() << "\n";
    return EXIT_FAILURE;
}
