// SPDX-License-Identifier: Apache-2.0
#pragma once

// The study of resource estimates: what Yosys made of the RTL units (arch_configs/costs/synthesis.csv) against the forms of sim/cost.
// Terms of the cost table are fitted to it, and judged on configurations that the fit did not see.

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "sim/cost/unit_forms.hpp"

namespace prelude::calibration {

/// A row of synthesis.csv.
struct Synthesis {
    std::string unit, parameters;
    double lut = 0, ff = 0;  ///< LUTs as logic, shift registers and memory together
    std::int64_t dsp = 0, bram18 = 0;
    sim::UnitForm form;  ///< of sim/cost, with the row's parameters
};

/// Throws    models::InputError for a row of an unknown unit or without one of its parameters
[[nodiscard]] std::vector<Synthesis> read_synthesis(const std::filesystem::path& csv);

/// Units that share terms, fitted together: the terms are those of their forms that start with one of the prefixes.
struct Group {
    std::string name;
    std::vector<std::string> units;
    std::vector<std::string> prefixes;
};
[[nodiscard]] const std::vector<Group>& groups();

enum class Resource { lut, ff };

/// How far predictions are from rows that the fit did not see.
struct Judged {
    std::vector<double> predicted;  ///< by the fit without the row's fold, in the order of the rows
    double smape = 0;               ///< mean of 2 |p - y| / (p + y)
    double spread = 0;              ///< 80 % of the rows are within this share of the prediction
};

/// Value of every term of the group, all rows seen: non-negative, least squares of relative errors. Terms of other groups are taken from `costs`.
[[nodiscard]] std::map<std::string, double> fit(std::span<const Synthesis> rows, const Group& group, Resource resource, const sim::CostTable& costs);

/// Five folds: the rows of the group in the order of a hash of their parameters, dealt in turn.
[[nodiscard]] Judged cross_validated(std::span<const Synthesis> rows, const Group& group, Resource resource, const sim::CostTable& costs);

/// smape of the rows of one unit.
[[nodiscard]] double smape_of(std::span<const Synthesis> rows, const Judged& judged, Resource resource, const std::string& unit);

/// All rows of a group, in the order of the file.
[[nodiscard]] std::vector<Synthesis> rows_of(std::span<const Synthesis> all, const Group& group);

/// The table with every group's terms fitted, in the order of groups(): a later group may use terms of an earlier one. `judged` by group and resource.
struct Calibration {
    std::map<std::string, sim::Figure, std::less<>> figures;  ///< low and high: the cross-validated spread
    std::map<std::pair<std::string, Resource>, Judged> judged;
};
[[nodiscard]] Calibration calibrate(std::span<const Synthesis> all);

/// Rounded as the cost table prints it: four significant digits.
[[nodiscard]] double rounded(double value);

/// A figure as a line of a cost table.
[[nodiscard]] std::string line_of(const std::string& term, const sim::Figure& figure);
/// The text of a cost table with the lines of these terms replaced.
///
/// Throws    models::InputError that names a term the text does not have
[[nodiscard]] std::string updated(const std::string& table, const std::map<std::string, sim::Figure, std::less<>>& figures);

}  // namespace prelude::calibration
