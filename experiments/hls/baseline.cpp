// SPDX-License-Identifier: Apache-2.0
#include "experiments/hls/baseline.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "experiments/hls/json_fields.hpp"
#include "experiments/output/text_table.hpp"
#include "models/error.hpp"

namespace prelude::experiments {

namespace {

constexpr std::string_view kFormat = "prelude.baseline/1";
constexpr double kLargest = 1e15;
constexpr std::array kKinds{ReportKind::csynth,      ReportKind::cosim, ReportKind::export_rtl,
                            ReportKind::utilization, ReportKind::power, ReportKind::timing};

std::string key_of(ReportKind kind, const ReportTerm& term) {
    return fmt::format("{}.{}", name_of(kind), term.name);
}

/// A term with its report, by its key.
struct Known {
    ReportKind kind = ReportKind::csynth;
    const ReportTerm* term = nullptr;
};
const std::map<std::string, Known, std::less<>>& known_terms() {
    static const std::map<std::string, Known, std::less<>> kKnown = [] {
        std::map<std::string, Known, std::less<>> known;
        for (const auto kind : kKinds)
            for (const auto& term : terms_of(kind)) known[key_of(kind, term)] = {kind, &term};
        return known;
    }();
    return kKnown;
}

std::string value_text(const std::optional<double>& value) {
    return value ? fmt::format("{:.6g}", *value) : "unknown";
}

/// "+12.0 %", or what stands in its place.
std::string change_text(const Change& change) {
    if (!change.before) return "new";
    if (!change.now) return "no longer known";
    const auto share = change.share();
    return share ? fmt::format("{:+.1f} %", 100 * *share) : fmt::format("0 -> {}", value_text(change.now));
}

}  // namespace

Baseline measured(std::span<const NamedReport> reports, std::string design) {
    Baseline result{.design = std::move(design), .terms = {}};
    std::map<std::string, std::string> from;
    std::vector<std::string> problems;
    for (const auto& [file, report] : reports) {
        for (const auto& term : terms_of(report.kind)) {
            const auto value = term.read(report);
            if (!value) continue;
            const auto key = key_of(report.kind, term);
            const auto [entry, is_new] = result.terms.try_emplace(key, *value);
            if (is_new)
                from[key] = file;
            else if (entry->second != *value)
                problems.push_back(fmt::format("{} is {} in {} and {} in {}", key, entry->second, from[key], *value, file));
        }
    }
    if (problems.empty()) return result;
    throw models::InputError(
        fmt::format("reports that disagree; one of each kind is taken, that of the top function:\n    {}", fmt::join(problems, "\n    ")));
}

nlohmann::ordered_json to_json(const Baseline& baseline) {
    nlohmann::ordered_json result{{"format", kFormat}, {"design", baseline.design}, {"terms", nlohmann::ordered_json::object()}};
    for (const auto& [term, value] : baseline.terms) result["terms"][term] = value;
    return result;
}

Baseline baseline_of(std::string_view text, const std::string& file) {
    const auto content = parse_json_file(text, file, kFormat);
    models::DataProblems problems(file);
    const JsonFields fields(content, "", problems);
    Baseline result{.design = fields.text("design"), .terms = {}};
    const auto* terms = fields.find("terms");
    if (terms == nullptr) problems.throw_if_any();
    const JsonFields inner(*terms, "terms", problems);
    if (terms->is_object()) {
        for (const auto& [name, value] : terms->items()) {
            if (known_terms().contains(name))
                result.terms.emplace(name, inner.number(name, 0, kLargest));
            else
                inner.refuse(name, value, "a report and a term of it, as \"utilization.lut\"");
        }
    }
    problems.throw_if_any();
    return result;
}

Baseline read_baseline(const std::filesystem::path& file) {
    return baseline_of(read_json_text(file), file.string());
}

std::optional<double> Change::share() const {
    if (!before || !now) return std::nullopt;
    if (*before == *now) return 0.0;
    return *before == 0 ? std::nullopt : std::optional((*now - *before) / *before);
}

bool Regression::passed() const noexcept {
    return std::ranges::none_of(changes, [](const Change& change) { return change.verdict == Verdict::fail; });
}

std::string Regression::summary() const {
    constexpr double kWorthTelling = 0.0005;  // shows as 0.0 % below
    std::vector<std::string> parts;
    for (const auto& change : changes) {
        const auto share = change.share();
        if (!share || std::abs(*share) >= kWorthTelling) parts.push_back(change.label + (share ? " " : ": ") + change_text(change));
    }
    return fmt::format("{}", fmt::join(parts, ", "));
}

Regression compare(const Baseline& before, const Baseline& now, const Tolerances& tolerances) {
    std::set<std::string> keys;
    for (const auto* side : {&before, &now})
        for (const auto& [key, value] : side->terms) keys.insert(key);
    std::map<std::string_view, int> bearers;  // how many reports have a term of this label
    for (const auto& key : keys) ++bearers[known_terms().at(key).term->label];
    const auto side = [](const Baseline& baseline, const std::string& key) {
        const auto found = baseline.terms.find(key);
        return found == baseline.terms.end() ? std::nullopt : std::optional(found->second);
    };
    Regression result;
    for (const auto& key : keys) {
        const auto& [kind, term] = known_terms().at(key);
        Change change{.term = key, .label = std::string(term->label), .before = side(before, key), .now = side(now, key)};
        change.tolerance = tolerances.regression_of(term->name);
        if (bearers[term->label] > 1) change.label = fmt::format("{} of {}", change.label, name_of(kind));
        if (change.before && !change.now) change.verdict = Verdict::fail;
        if (change.before && change.now)
            change.verdict = *change.now <= *change.before * (1 + change.tolerance + 1e-12) ? Verdict::pass : Verdict::fail;
        result.changes.push_back(std::move(change));
    }
    return result;
}

std::string print_regression(const Regression& regression, std::string_view indent) {
    TextTable table({{"term", false}, {"before"}, {"now"}, {"change"}, {"allowed"}, {"verdict", false}});
    for (const auto& change : regression.changes) {
        table.add({change.term, value_text(change.before), value_text(change.now), change_text(change),
                   fmt::format("+{:g} %", 100 * change.tolerance), change.before ? std::string(name_of(change.verdict)) : "new"});
    }
    const auto summary = regression.summary();
    return table.print(indent) + fmt::format("{}{}\n", indent, summary.empty() ? "nothing changed" : summary);
}

nlohmann::ordered_json to_json(const Regression& regression) {
    nlohmann::ordered_json result{
        {"passed", regression.passed()}, {"summary", regression.summary()}, {"terms", nlohmann::ordered_json::array()}};
    const auto number = [](const std::optional<double>& value) {
        return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
    };
    for (const auto& change : regression.changes) {
        const auto share = change.share();
        result["terms"].push_back({{"term", change.term},
                                   {"before", number(change.before)},
                                   {"now", number(change.now)},
                                   {"change_pct", number(share ? std::optional(100 * *share) : std::nullopt)},
                                   {"allowed_pct", 100 * change.tolerance},
                                   {"verdict", change.before ? std::string(name_of(change.verdict)) : "new"}});
    }
    return result;
}

}  // namespace prelude::experiments
