// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the model expects of a build that implements exactly some nodes of a network: cycles, resources and power, each with its band and its grounds,
// and what every term of the cost table contributes. Written beside the words that are handed to HLS; reports of the build are held against it.

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/evaluate/design_point.hpp"

namespace prelude::experiments {

/// A figure that is linear in terms of the cost table: fixed + sum over terms of count * term.
struct LinearForm {
    double fixed = 0;
    std::map<std::string, double, std::less<>> counts;  ///< by the term's name; terms that do not enter are left out
    friend bool operator==(const LinearForm&, const LinearForm&) = default;
};

/// `figure(costs)` by its terms among `names`, from three differences around their values.
///
/// Limits    terms for which these disagree by more than a millionth enter `not_linear` instead; their share stays in `fixed`
[[nodiscard]] LinearForm linear_form(const sim::CostTable& costs, std::span<const std::string_view> names,
                                     const std::function<double(const sim::CostTable&)>& figure, std::vector<std::string>& not_linear);

/// A unit of the datapath that the nodes run on. LUT and FF after implementation.
struct ExpectedUnit {
    std::string unit;
    sim::Estimate lut, ff, dsp, bram18, uram;
};

/// Contract
///  - a figure that the model does not have (cycles of a part that cannot run) is none, never 0;
///  - names of figures are those of a report (ToolReport), with the ending _csynth for what high-level synthesis books.
struct Expected {
    std::string design;                        ///< name of the configuration, for people
    std::vector<std::string> nodes;            ///< implemented, in order; parameters aside
    std::vector<std::string> not_on_datapath;  ///< of these: left to the host, or constant
    std::string infeasible;                    ///< why the design, or the part on it, cannot be; empty: it can
    std::string device, part, family, dsp_generation, cost_table;
    double clock_target_ns = 0;
    int rows = 0, cols = 0, depth = 0, weight_bits = 0, activation_bits = 0;  ///< the array of the whole design, its ports
    std::optional<sim::Estimate> latency_min, latency_max, interval_min, interval_max;
    std::optional<sim::Estimate> lut, ff, lut_csynth, ff_csynth, dsp, bram18, uram;
    std::optional<sim::Estimate> static_w, dynamic_w, total_w;
    std::vector<ExpectedUnit> units;
    LinearForm lut_form, ff_form;         ///< LUTs and flip-flops after synthesis: lut = lut_form * band.lut, lut_csynth = lut * csynth.lut
    LinearForm dynamic_form;              ///< W, in the energies of the device's family, at the present resources
    std::vector<std::string> not_linear;  ///< terms that enter, but not as a count
};

/// A figure by its name and unit.
struct ExpectedFigure {
    std::string_view name, unit;
    std::optional<sim::Estimate> Expected::*figure;
};
[[nodiscard]] std::span<const ExpectedFigure> expected_figures();
/// The figure of this name, or none. A name that no figure has is none, too.
[[nodiscard]] const sim::Estimate* find_figure(const Expected& expected, std::string_view name);

/// What a build of `part` is expected to give.
///
/// Meaning   array, buffers, ports, clock and device are those of `point`, resolved for the whole network; what its units have to be able to do follows from the
///           formats of the part; units that no node of the part runs on do not count, and neither does what the platform takes before the design is placed
/// Cycles    the simulation of the part alone, its inputs and outputs in external memory; one figure, so minimum and maximum are the same. A new run begins when
///           the last has ended: interval = latency. The band is band.latency
/// Power     of the FPGA in runs without a pause between; the processing system is not part of the top, external memory is not on the chip
/// Counts    by differences: the forms are linear in every term wherever no register of a product more or less than its slice holds is at stake; terms for
///           which two differences disagree are named in not_linear. Terms that decide on structure (products per slice) are no counts and left out
/// Throws    sim::SimulationError
[[nodiscard]] Expected expect(const DesignPoint& point, const models::Graph& part, const sim::CostTable& costs, std::string design);

/// "prelude.expected/1"
[[nodiscard]] nlohmann::ordered_json to_json(const Expected& expected);
/// Reads what to_json wrote.
/// Throws    models::DataError listing every problem of the file
[[nodiscard]] Expected expected_of(std::string_view text, const std::string& file);
[[nodiscard]] Expected read_expected(const std::filesystem::path& file);

}  // namespace prelude::experiments
