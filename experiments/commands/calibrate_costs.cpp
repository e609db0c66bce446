// SPDX-License-Identifier: Apache-2.0
#include "experiments/commands/calibrate_costs.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "experiments/cli/program.hpp"
#include "experiments/commands/sweep.hpp"
#include "experiments/config/domain.hpp"
#include "experiments/config/library.hpp"
#include "experiments/hls/cost_fit.hpp"
#include "experiments/output/text_table.hpp"
#include "experiments/store/cache.hpp"
#include "models/error.hpp"

namespace prelude::experiments {

namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

/// A design that is asked about, with the fit of its family.
struct Check {
    std::string file;
    Expected design;
    const CostFit* fit = nullptr;  ///< none: no design of its family was built
};

std::string group_of(const Expected& expected) {
    return expected.family + "_" + expected.dsp_generation;
}

/// The table that all designs of a family were priced with.
sim::CostTable table_of(std::span<const Build> builds) {
    std::map<std::string, std::string> names;
    for (const auto& build : builds) names.emplace(build.expected.cost_table, build.name);
    if (names.size() > 1) {
        std::vector<std::string> told;
        for (const auto& [table, build] : names) told.push_back(fmt::format("{} ({})", table, build));
        throw models::InputError(
            fmt::format("the designs of {} were priced with several cost tables: {}\n    allowed   one table, to which the fit is added",
                        group_of(builds.front().expected), fmt::join(told, ", ")));
    }
    const auto folder = arch_configs_folder() / "costs";
    const auto& name = names.begin()->first;
    const auto known = names_of_files(folder);
    if (std::ranges::find(known, name) == known.end())
        throw models::InputError(fmt::format("{}: priced with the cost table {}; there is none of that name in {}", names.begin()->second,
                                             shown(name), folder.string()));
    Problems problems;
    auto table = read_cost_table(folder / (name + ".yaml"), problems);
    problems.throw_if_any();
    return *table;
}

std::vector<CostFit> fits_of(const std::vector<Build>& builds) {
    std::map<std::string, std::vector<Build>> groups;
    for (const auto& build : builds) groups[group_of(build.expected)].push_back(build);
    std::vector<CostFit> fits;
    for (const auto& [group, members] : groups) fits.push_back(fit_costs(members, table_of(members)));
    return fits;
}

/// Files of the tables to be written, by fit; what stands in the way is refused before anything is written.
std::map<const CostFit*, fs::path> files_of_tables(const CalibrateCostsCommand& command, const std::vector<CostFit>& fits) {
    std::map<const CostFit*, fs::path> files;
    if (command.out.empty()) return files;
    std::vector<std::string> problems;
    const auto stem = command.out.stem().string();
    const auto is_name = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
    if (command.out.extension() != ".yaml" || stem.empty() || !std::ranges::all_of(stem, is_name))
        problems.push_back(
            fmt::format("--out {}: allowed: NAME.yaml, NAME of lower-case letters, digits and underscores, as hw.costs names it",
                        command.out.string()));
    if (const auto folder = fs::absolute(command.out).parent_path(); !fs::is_directory(folder))
        problems.push_back(fmt::format("--out {}: there is no folder {}", command.out.string(), folder.string()));
    for (const auto& fit : fits) {
        if (!fit.is_fitted()) continue;
        const auto file = fits.size() == 1 ? command.out : command.out.parent_path() / fmt::format("{}_{}.yaml", stem, fit.group());
        if (fs::exists(file) && !command.overwrite)
            problems.push_back(fmt::format("--out {}: exists; --overwrite replaces it", file.string()));
        files[&fit] = file;
    }
    if (problems.empty() && files.empty()) problems.push_back(fmt::format("--out {}: no resource could be fitted", command.out.string()));
    if (!problems.empty()) throw models::InputError(fmt::format("{}\nNothing was written.", fmt::join(problems, "\n")));
    return files;
}

std::string figure_text(const sim::Figure& figure) {
    return fmt::format("{:.4g} ({:.4g}..{:.4g}) {}", figure.value, figure.low, figure.high, name_of(figure.status));
}

/// Factors have no count: they stand before everything.
std::string range_text(const ResourceFit& fit, const std::string& term) {
    const auto range = fit.seen.find(term);
    return range == fit.seen.end() ? "" : fmt::format("{:.6g}..{:.6g}", range->second.least, range->second.most);
}

std::string kept_text(const ResourceFit& fit) {
    std::map<std::string, std::vector<std::string>> by_reason;
    for (const auto& kept : fit.kept) by_reason[kept.reason].push_back(kept.term);
    std::string text;
    for (const auto& [reason, terms] : by_reason) text += fmt::format("    kept, {}: {}\n", reason, fmt::join(terms, ", "));
    return text;
}

std::string text_of(const CostFit& fit) {
    auto text = fmt::format("{}, {}: {} design{}: {}\n", fit.family, fit.dsp_generation, fit.builds.size(),
                            fit.builds.size() == 1 ? "" : "s", fmt::join(fit.builds, ", "));
    for (const auto& note : fit.notes) text += fmt::format("  note: {}\n", note);
    TextTable errors({{"resource", false}, {"designs"}, {"reports"}, {"off before %"}, {"worst"}, {"left out %"}, {"worst"}, {"", false}});
    const auto percent = [](double value) { return fmt::format("{:.1f}", value); };
    for (const auto& resource : fit.resources) {
        const bool measured = resource.num_reports > 0, left_out = resource.builds.size() >= kFewestBuilds;
        errors.add({resource.resource, std::to_string(resource.builds.size()), std::to_string(resource.num_reports),
                    measured ? percent(resource.before.mean_pct) : "",
                    measured ? fmt::format("{} {}", percent(resource.before.worst_pct), resource.before.worst) : "",
                    left_out ? percent(resource.left_out.mean_pct) : "",
                    left_out ? fmt::format("{} {}", percent(resource.left_out.worst_pct), resource.left_out.worst) : "",
                    resource.not_fitted.empty() ? fmt::format("{} terms fitted", resource.terms.size())
                                                : "kept as it was: " + resource.not_fitted});
    }
    text += errors.print("  ");
    for (const auto& resource : fit.resources) {
        if (!resource.not_fitted.empty()) continue;
        TextTable terms({{"term", false}, {"before"}, {"after"}, {"counts seen"}});
        for (const auto& term : resource.terms)
            terms.add({term.term, figure_text(term.before), figure_text(term.after), range_text(resource, term.term)});
        text += fmt::format("  {}\n{}{}", resource.resource, terms.print("    "), kept_text(resource));
    }
    return text;
}

std::string text_of(const Check& check) {
    if (check.fit == nullptr) return fmt::format("{}: no design of {} was built\n", check.file, group_of(check.design));
    if (!check.fit->is_fitted()) return fmt::format("{}: nothing of {} was fitted\n", check.file, group_of(check.design));
    const auto after = repriced(check.design, check.fit->table);
    std::string text = check.file + ":";
    if (check.design.lut) text += fmt::format(" LUT {:.0f} -> {:.0f},", check.design.lut->value, after.lut);
    if (check.design.ff) text += fmt::format(" FF {:.0f} -> {:.0f},", check.design.ff->value, after.ff);
    if (check.design.dynamic_w) text += fmt::format(" dynamic power {:.3g} -> {:.3g} W,", check.design.dynamic_w->value, after.dynamic_w);
    const auto outside = extrapolations(*check.fit, check.design);
    text += outside.empty() ? " every count within what the fit saw\n" : " extrapolated:\n";
    for (const auto& entry : outside) {
        text += fmt::format(
            "  warning: {} {}: count {:.6g}, {}\n", entry.resource, entry.term, entry.count,
            entry.seen ? fmt::format("the fit saw {:.6g}..{:.6g}", entry.seen->least, entry.seen->most) : "no design of the fit has it");
    }
    return text;
}

ordered_json json_of(const sim::Figure& figure) {
    return {{"value", figure.value}, {"low", figure.low}, {"high", figure.high}, {"status", name_of(figure.status)}};
}

ordered_json json_of(const FitError& error) {
    return {{"mean_pct", error.mean_pct}, {"worst_pct", error.worst_pct}, {"worst", error.worst}};
}

ordered_json json_of(const CostFit& fit) {
    ordered_json result{{"family", fit.family},
                        {"dsp_generation", fit.dsp_generation},
                        {"designs", fit.builds},
                        {"notes", fit.notes},
                        {"resources", ordered_json::array()}};
    for (const auto& resource : fit.resources) {
        ordered_json entry{{"resource", resource.resource}, {"designs", resource.builds}, {"reports", resource.num_reports}};
        entry["not_fitted"] = resource.not_fitted.empty() ? ordered_json() : ordered_json(resource.not_fitted);
        entry["before"] = resource.num_reports > 0 ? json_of(resource.before) : ordered_json();
        entry["left_out"] = resource.builds.size() >= kFewestBuilds ? json_of(resource.left_out) : ordered_json();
        entry["terms"] = entry["kept"] = ordered_json::array();
        for (const auto& term : resource.terms)
            entry["terms"].push_back(
                {{"term", term.term}, {"unit", term.after.unit}, {"before", json_of(term.before)}, {"after", json_of(term.after)}});
        for (const auto& kept : resource.kept) entry["kept"].push_back({{"term", kept.term}, {"reason", kept.reason}});
        entry["counts_seen"] = ordered_json::object();
        for (const auto& [term, range] : resource.seen) entry["counts_seen"][term] = {range.least, range.most};
        result["resources"].push_back(std::move(entry));
    }
    return result;
}

ordered_json json_of(const Check& check) {
    ordered_json result{
        {"file", check.file}, {"fitted", check.fit != nullptr && check.fit->is_fitted()}, {"extrapolated", ordered_json::array()}};
    if (check.fit == nullptr) return result;
    const auto after = repriced(check.design, check.fit->table);
    result["after"] = {{"lut", after.lut}, {"ff", after.ff}, {"dynamic_w", after.dynamic_w}};
    for (const auto& entry : extrapolations(*check.fit, check.design)) {
        result["extrapolated"].push_back(
            {{"resource", entry.resource},
             {"term", entry.term},
             {"count", entry.count},
             {"counts_seen", entry.seen ? ordered_json{entry.seen->least, entry.seen->most} : ordered_json()}});
    }
    return result;
}

}  // namespace

int calibrate_costs(const CalibrateCostsCommand& command) {
    const auto read = read_builds(command.reports);
    if (read.builds.empty())
        throw models::InputError(
            fmt::format("{}: no folder in it holds an expected.json, as `explore export` writes it", command.reports.string()));
    const auto fits = fits_of(read.builds);
    std::vector<Check> checks;
    for (const auto& file : command.checks) {
        Check check{.file = file.string(), .design = read_expected(file)};
        const auto found = std::ranges::find(fits, group_of(check.design), &CostFit::group);
        if (found != fits.end()) check.fit = &*found;
        checks.push_back(std::move(check));
    }
    const auto files = files_of_tables(command, fits);
    std::vector<std::string> written;
    for (const auto& [fit, file] : files) {
        auto table = fit->table;
        table.name = file.stem().string();
        write_atomically(file, to_yaml(table));
        written.push_back(file.string());
    }

    std::string text;
    if (command.json) {
        ordered_json json{
            {"groups", ordered_json::array()}, {"passed_over", read.passed_over}, {"checks", ordered_json::array()}, {"written", written}};
        for (const auto& fit : fits) json["groups"].push_back(json_of(fit));
        for (const auto& check : checks) json["checks"].push_back(json_of(check));
        text = json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    } else {
        for (const auto& passed : read.passed_over) text += fmt::format("passed over: {}\n", passed);
        for (const auto& fit : fits) text += text_of(fit);
        for (const auto& check : checks) text += text_of(check);
        for (const auto& [fit, file] : files)
            text += fmt::format("written: {}; in {} it is `hw.costs: {}`\n", file.string(), (arch_configs_folder() / "costs").string(),
                                file.stem().string());
    }
    std::fputs(text.c_str(), stdout);
    return kDone;
}

}  // namespace prelude::experiments
