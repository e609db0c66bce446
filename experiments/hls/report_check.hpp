// SPDX-License-Identifier: Apache-2.0
#pragma once

// Reports of a build against what was expected of it, term by term.

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "experiments/hls/expected.hpp"
#include "experiments/hls/report_terms.hpp"
#include "experiments/hls/tolerances.hpp"

namespace prelude::experiments {

enum class Verdict { pass, fail, unknown };
[[nodiscard]] std::string_view name_of(Verdict verdict) noexcept;

/// One term of one report. A status has words instead of numbers.
struct TermCheck {
    std::string file;
    ReportKind kind = ReportKind::csynth;
    std::string term, unit;
    std::optional<double> expected, low, high;  ///< low..high: the figure's band
    std::optional<double> actual;
    std::optional<double> allowed_low, allowed_high;  ///< what passes; of a clock no low
    std::string expected_status, actual_status;
    std::string tolerance;  ///< in words
    Verdict verdict = Verdict::unknown;
    bool may_be_unknown = false;  ///< the tolerances name the term

    [[nodiscard]] std::optional<double> residual() const;      ///< actual - expected
    [[nodiscard]] std::optional<double> residual_pct() const;  ///< of the expected value; none where that is 0
    [[nodiscard]] bool acceptable() const noexcept { return verdict == Verdict::pass || (verdict == Verdict::unknown && may_be_unknown); }
};

struct ReportCheck {
    std::vector<TermCheck> terms;
    std::vector<std::string> notes;  ///< what a reader of the verdicts should know: another device, another clock, a stage before placement
    [[nodiscard]] bool passed() const noexcept;
};

/// Contract
///  - csynth: latency, interval, clock, LUT and FF as high-level synthesis books them, DSP, BRAM18, URAM; cosim: latency, interval, its status; export: clock,
///    resources after implementation, its status; utilization: resources; power: powers; timing: clock, its status;
///  - a clock passes up to its target; everything else within its tolerance on both sides: a build that is much smaller is not what was modelled either;
///  - what a report, or the model, does not know is unknown and never a pass.
[[nodiscard]] ReportCheck check_reports(const Expected& expected, std::span<const NamedReport> reports, const Tolerances& tolerances);

/// A table, the notes below it, and the counts of verdicts; every line begins with `indent`.
[[nodiscard]] std::string print_check(const ReportCheck& check, std::string_view indent);
[[nodiscard]] nlohmann::ordered_json to_json(const ReportCheck& check);

}  // namespace prelude::experiments
