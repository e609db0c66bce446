// SPDX-License-Identifier: Apache-2.0
#pragma once

// How far a build may be from what was expected of it, and from an earlier build.

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace prelude::experiments {

/// What may lie between a figure and its measurement: the larger of the two shares, and, if asked for, whatever the model's own band spans.
struct Tolerance {
    double relative = 0;  ///< of the expected value
    double absolute = 0;  ///< in the term's unit
    bool band = false;    ///< low..high of the figure is allowed, too
    friend bool operator==(const Tolerance&, const Tolerance&) = default;
};
/// "band, 2 %": for tables.
[[nodiscard]] std::string to_text(const Tolerance& tolerance);

struct Tolerances {
    std::map<std::string, Tolerance, std::less<>> terms;  ///< of every term but "status"
    std::set<std::string, std::less<>> unknown;           ///< terms that need not be known
    double regression_default = 0.02;                     ///< growth over an earlier build, as a share
    std::map<std::string, double, std::less<>> regression;

    [[nodiscard]] const Tolerance& of(std::string_view term) const;
    [[nodiscard]] double regression_of(std::string_view term) const;
};

/// Tolerances where nobody gives any.
///
/// Meaning   every figure within its own band; beyond it latency and interval 2 % or 2 cycles, DSP slices 10 %, block RAM 10 % or 2 halves, UltraRAM 1 block,
///           powers 10 %; nothing for the clock, which has to be met; growth over an earlier build 2 %
[[nodiscard]] Tolerances default_tolerances();

/// Reads a file of tolerances over the defaults.
///
///     terms:      {latency_max: {relative: 0.1}, lut: {relative: 0.25, absolute: 200}, dsp: {band: true, relative: 0.1}}
///     unknown:    [latency_min, status]
///     regression: {default: 0.02, lut: 0.05}
///
/// Contract  a term that is named is as the file says and in nothing as the defaults say
/// Throws    ConfigError with every problem as file:line:column
[[nodiscard]] Tolerances read_tolerances(const std::filesystem::path& file);

}  // namespace prelude::experiments
