// SPDX-License-Identifier: Apache-2.0
#include "experiments/handoff/figures.hpp"

#include <fmt/format.h>

namespace prelude::experiments {

namespace {

std::string number_text(const std::optional<double>& value) {
    return value ? fmt::format("{:.6g}", *value) : "unknown";
}

std::string text_of(const TermCheck& term) {
    if (!term.expected_status.empty())
        return fmt::format("expected {}, found {}", term.expected_status, term.actual_status.empty() ? "unknown" : term.actual_status);
    auto text = fmt::format("expected {}", number_text(term.expected));
    if (term.low && term.high && *term.low != *term.high) text += fmt::format(" ({} to {})", number_text(term.low), number_text(term.high));
    text += fmt::format(", found {}", number_text(term.actual));
    if (const auto percent = term.residual_pct()) text += fmt::format(" ({:+.1f} %)", *percent);
    return text + fmt::format(", tolerance {}", term.tolerance);
}

}  // namespace

std::vector<FigureCheck> figures_of(const ReportCheck& check) {
    std::vector<FigureCheck> figures;
    for (const auto& term : check.terms)
        figures.push_back({.group = std::string(name_of(term.kind)),
                           .name = term.term,
                           .verdict = std::string(name_of(term.verdict)),
                           .failed = !term.acceptable(),
                           .text = text_of(term)});
    return figures;
}

std::vector<FigureCheck> figures_of(const Regression& regression) {
    std::vector<FigureCheck> figures;
    for (const auto& change : regression.changes) {
        const auto share = change.share();
        figures.push_back(
            {.group = "baseline",
             .name = change.term,
             .verdict = std::string(name_of(change.verdict)),
             .failed = change.verdict == Verdict::fail,
             .text = fmt::format("before {}, now {}{}, growth of {:g} % passes", number_text(change.before), number_text(change.now),
                                 share ? fmt::format(" ({:+.1f} %)", 100 * *share) : "", 100 * change.tolerance)});
    }
    return figures;
}

}  // namespace prelude::experiments
