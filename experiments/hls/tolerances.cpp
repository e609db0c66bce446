// SPDX-License-Identifier: Apache-2.0
#include "experiments/hls/tolerances.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "experiments/config/located_yaml.hpp"
#include "experiments/config/section.hpp"
#include "experiments/hls/report_terms.hpp"
#include "models/error.hpp"

namespace prelude::experiments {

namespace {

constexpr double kMostRelative = 100, kMostAbsolute = 1e15;
constexpr std::string_view kDefault = "default", kStatus = "status";

/// Whether a name is a term; a problem where it is not.
bool is_term(std::string_view name, const Location& where, std::string_view section, bool with_status, Problems& problems) {
    if (std::ranges::find(term_names(), name) != term_names().end() && (with_status || name != kStatus)) return true;
    const auto near = closest(name, term_names());
    problems.add({where,
                  {},
                  fmt::format("{}: {} is no term.{}", section, shown(name), near.empty() ? "" : fmt::format(" Did you mean '{}'?", near)),
                  fmt::format("{}", fmt::join(term_names(), ", ")),
                  {}});
    return false;
}

void read_terms(const Node& node, Tolerances& tolerances, Problems& problems) {
    Section section(node, "terms", problems);
    for (const auto& member : node.members) {
        if (!is_term(member.name, member.where, "terms", false, problems)) continue;
        Section inner(member.value, "terms." + member.name, problems);
        Tolerance tolerance{.relative = inner.number("relative", 0, kMostRelative, 0.0),
                            .absolute = inner.number("absolute", 0, kMostAbsolute, 0.0)};
        if (inner.get("band", false) != nullptr) tolerance.band = inner.word("band", {"true", "false"}) == "true";
        inner.finish();
        tolerances.terms[member.name] = tolerance;
    }
}

void read_unknown(const Node& node, Tolerances& tolerances, Problems& problems) {
    if (node.kind != Node::Kind::sequence)
        problems.add({node.where, {}, fmt::format("unknown: got {}", node.describe()), "a list of terms", {}});
    for (const auto& item : node.items) {
        if (item.kind != Node::Kind::scalar)
            problems.add({item.where, {}, fmt::format("unknown: got {}", item.describe()), "a term", {}});
        else if (is_term(item.text, item.where, "unknown", true, problems))
            tolerances.unknown.insert(item.text);
    }
}

void read_regression(const Node& node, Tolerances& tolerances, Problems& problems) {
    Section section(node, "regression", problems);
    for (const auto& member : node.members) {
        if (member.name == kDefault)
            tolerances.regression_default = section.number(member.name, 0, kMostRelative);
        else if (is_term(member.name, member.where, "regression", false, problems))
            tolerances.regression[member.name] = section.number(member.name, 0, kMostRelative);
    }
}

}  // namespace

std::string to_text(const Tolerance& tolerance) {
    std::string text = tolerance.band ? "band" : "";
    const auto add = [&](const std::string& more) { text += (text.empty() ? "" : ", ") + more; };
    if (tolerance.relative > 0) add(fmt::format("{:g} %", 100 * tolerance.relative));
    if (tolerance.absolute > 0) add(fmt::format("{:g}", tolerance.absolute));
    return text.empty() ? "none" : text;
}

const Tolerance& Tolerances::of(std::string_view term) const {
    const auto found = terms.find(term);
    models::check(found != terms.end(), fmt::format("no tolerance for {}", term));
    return found->second;
}

double Tolerances::regression_of(std::string_view term) const {
    const auto found = regression.find(term);
    return found == regression.end() ? regression_default : found->second;
}

Tolerances default_tolerances() {
    Tolerances tolerances;
    for (const auto& name : term_names())
        if (name != kStatus) tolerances.terms[name] = {.band = true};
    for (const auto* name : {"latency_min", "latency_max", "interval_min", "interval_max"})
        tolerances.terms[name] = {.relative = 0.02, .absolute = 2, .band = true};
    tolerances.terms["dsp"].relative = 0.1;
    tolerances.terms["bram18"] = {.relative = 0.1, .absolute = 2, .band = true};
    tolerances.terms["uram"].absolute = 1;
    for (const auto* name : {"total_w", "dynamic_w", "static_w"}) tolerances.terms[name].relative = 0.1;
    tolerances.terms["clock_estimated_ns"] = {};
    return tolerances;
}

Tolerances read_tolerances(const std::filesystem::path& file) {
    Problems problems;
    const auto root = read_yaml(file, problems);
    auto tolerances = default_tolerances();
    if (problems.empty()) {
        Section section(root, "", problems);
        if (const auto* terms = section.get("terms", false)) read_terms(*terms, tolerances, problems);
        if (const auto* unknown = section.get("unknown", false)) read_unknown(*unknown, tolerances, problems);
        if (const auto* regression = section.get("regression", false)) read_regression(*regression, tolerances, problems);
        section.finish();
    }
    problems.throw_if_any();
    return tolerances;
}

}  // namespace prelude::experiments
