// SPDX-License-Identifier: Apache-2.0
#pragma once

// A build against an earlier one: what all reports of it measured, kept in a file, and what has changed since.

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/hls/report_check.hpp"

namespace prelude::experiments {

/// Measured terms by report and name: "utilization.lut". What is not known is not there.
struct Baseline {
    std::string design;
    std::map<std::string, double, std::less<>> terms;
    friend bool operator==(const Baseline&, const Baseline&) = default;
};

/// Throws    models::InputError where two reports of one kind do not say the same of a term
[[nodiscard]] Baseline measured(std::span<const NamedReport> reports, std::string design);

/// "prelude.baseline/1"
[[nodiscard]] nlohmann::ordered_json to_json(const Baseline& baseline);
/// Throws    models::DataError listing every problem of the file
[[nodiscard]] Baseline baseline_of(std::string_view text, const std::string& file);
[[nodiscard]] Baseline read_baseline(const std::filesystem::path& file);

/// A term then and now.
struct Change {
    std::string term;   ///< "utilization.lut"
    std::string label;  ///< "LUT"; with its report where several have one
    std::optional<double> before, now;
    double tolerance = 0;                ///< growth that passes, as a share
    Verdict verdict = Verdict::unknown;  ///< fail: grown beyond the tolerance, or no longer known; unknown: new, nothing to compare with
    [[nodiscard]] std::optional<double> share()
        const;  ///< of growth; none where a side is missing or the earlier one is 0 and the later is not
};

struct Regression {
    std::vector<Change> changes;  ///< in the order of their names
    [[nodiscard]] bool passed() const noexcept;
    /// "latency +3.0 %, LUT +12.0 %": what changed; empty where nothing did.
    [[nodiscard]] std::string summary() const;
};

/// Contract
///  - every term is a cost: growth beyond its tolerance fails, less of it passes;
///  - a term that was known and is not any more fails; one that is new is named and neither passes nor fails.
[[nodiscard]] Regression compare(const Baseline& before, const Baseline& now, const Tolerances& tolerances);

[[nodiscard]] std::string print_regression(const Regression& regression, std::string_view indent);
[[nodiscard]] nlohmann::ordered_json to_json(const Regression& regression);

}  // namespace prelude::experiments
