// SPDX-License-Identifier: Apache-2.0
#include "reports.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "csv.hpp"
#include "models/error.hpp"
#include "study.hpp"

namespace prelude::calibration {

namespace {

constexpr double kBand = 0.8;

std::vector<double> ratios(std::span<const Report> reports, std::optional<double> Report::*above, std::optional<double> Report::*below) {
    std::vector<double> values;
    for (const auto& report : reports)
        if (report.*above && report.*below) values.push_back(*(report.*above) / *(report.*below));
    return values;
}

}  // namespace

std::vector<Report> read_reports(const std::filesystem::path& csv) {
    std::vector<Report> reports;
    for (const auto& row : read_csv(csv)) {
        const auto number = [&](const char* name) {
            const auto& cell = row.at(name);
            return cell.empty() ? std::nullopt : std::optional(std::stod(cell));
        };
        reports.push_back({.design = row.at("design"), .source = row.at("source"), .csynth_lut = number("csynth_lut"), .csynth_ff = number("csynth_ff"),
                           .csynth_dsp = number("csynth_dsp"), .synth_cells = number("synth_cells"), .synth_lut = number("synth_lut"), .synth_ff = number("synth_ff"),
                           .placed_lut = number("placed_lut"), .placed_ff = number("placed_ff")});
    }
    return reports;
}

std::vector<double> placed_lut_ratios(std::span<const Report> reports) { return ratios(reports, &Report::placed_lut, &Report::synth_cells); }
std::vector<double> placed_ff_ratios(std::span<const Report> reports) { return ratios(reports, &Report::placed_ff, &Report::synth_ff); }

std::vector<double> csynth_lut_ratios(std::span<const Report> reports) {
    auto values = ratios(reports, &Report::synth_lut, &Report::csynth_lut);
    const auto placed = ratios(reports, &Report::placed_lut, &Report::csynth_lut);
    values.insert(values.end(), placed.begin(), placed.end());
    return values;
}

std::vector<double> csynth_ff_ratios(std::span<const Report> reports) {
    auto values = ratios(reports, &Report::synth_ff, &Report::csynth_ff);
    const auto placed = ratios(reports, &Report::placed_ff, &Report::csynth_ff);
    values.insert(values.end(), placed.begin(), placed.end());
    return values;
}

Band band_of(std::vector<double> x) {
    std::sort(x.begin(), x.end());
    const auto n = static_cast<double>(x.size());
    const auto low = static_cast<std::size_t>(std::floor(0.5 * (1 - kBand) * (n + 1) + 1e-9)), high = static_cast<std::size_t>(std::ceil(0.5 * (1 + kBand) * (n + 1) - 1e-9));
    models::check(low >= 1 && high <= x.size(), "a band needs nine ratios");
    const auto middle = x.size() / 2;
    return {.median = x.size() % 2 == 1 ? x[middle] : 0.5 * (x[middle - 1] + x[middle]), .low = x[low - 1], .high = x[high - 1]};
}

double mean(std::span<const double> values) {
    double sum = 0;
    for (const double v : values) sum += v;
    return sum / static_cast<double>(values.size());
}

LeftOut leave_one_out(const std::vector<double>& all) {
    LeftOut result;
    std::vector<double> widths;
    for (std::size_t i = 0; i < all.size(); ++i) {
        auto others = all;
        others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
        const auto band = band_of(others);
        if (all[i] >= band.low && all[i] <= band.high) result.coverage += 1.0 / static_cast<double>(all.size());
        widths.push_back(0.5 * (band.high - band.low) / band.median);
    }
    std::sort(widths.begin(), widths.end());
    result.median_half_width = widths[widths.size() / 2];
    return result;
}

std::map<std::string, sim::Figure, std::less<>> band_figures(std::span<const Report> reports) {
    std::map<std::string, sim::Figure, std::less<>> figures;
    const auto set = [&](const char* term, const char* of, const std::vector<double>& ratios) {
        const auto band = band_of(ratios);
        const auto left_out = leave_one_out(ratios);
        figures[term] = {.value = rounded(band.median),
                         .status = sim::Provenance::calibrated,
                         .unit = "factor",
                         .source = fmt::format("{} of {} designs, placed over synthesized (reports.csv); left out one by one {:.0f} % are in the band of the others; "
                                               "docs/resources.md", of, ratios.size(), 100 * left_out.coverage),
                         .low = rounded(band.low),
                         .high = rounded(band.high)};
    };
    set("band.lut", "LUTs", placed_lut_ratios(reports));
    set("band.ff", "flip-flops", placed_ff_ratios(reports));
    const auto set_csynth = [&](const char* term, const char* of, const std::vector<double>& later_over_csynth) {
        const auto [least, most] = std::ranges::minmax(later_over_csynth);
        figures[term] = {.value = rounded(1 / mean(later_over_csynth)),
                         .status = sim::Provenance::calibrated,
                         .unit = "factor",
                         .source = fmt::format("{} of {} designs, csynth over synthesized or placed (reports.csv); too few for a band: their range; docs/resources.md", of, later_over_csynth.size()),
                         .low = rounded(1 / most),
                         .high = rounded(1 / least)};
    };
    set_csynth("csynth.lut", "LUTs", csynth_lut_ratios(reports));
    set_csynth("csynth.ff", "flip-flops", csynth_ff_ratios(reports));
    return figures;
}

std::optional<sim::UnitForm> counterpart(const std::string& design) {
    using namespace sim;
    if (design == "gelu") return table_form({.lanes = 1, .input_bits = 12, .entry_bits = 17, .word_bits = 9});
    if (design == "exp<32;10>") return softmax_exponentials({.lanes = 1});
    if (design == "softmax of six") return softmax_form({.lanes = 1, .max_words = 64});
    if (design == "compute_norm") return layernorm_form({.lanes = 8, .word_bits = 16, .log_channels = 8});
    if (design == "matmul_hls") {  // one output, 32 products of 32 bits and their sum
        const ArrayShape array{.depth = 32, .left_bits = 15, .right_bits = 15, .sum_bits = 32, .corrects_zero_points = false};
        auto form = array_trees(array);
        form.slice_ff = 32.0 * 32;
        form.append(array_accumulators(array));
        form.append(array_frame(array));
        form.dsp += 32 * slices_of(32, 32);
        return form;
    }
    return std::nullopt;
}

}  // namespace prelude::calibration
