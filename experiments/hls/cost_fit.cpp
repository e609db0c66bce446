// SPDX-License-Identifier: Apache-2.0
#include "experiments/hls/cost_fit.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "experiments/hls/product_fit.hpp"
#include "models/error.hpp"

namespace prelude::experiments {

namespace {

constexpr double kBandDeviations = 1.2816;   // of an 80 % band, either side
constexpr double kDeviationOfMean = 1.2533;  // a normal error's deviation over its mean size
constexpr double kLeastShare = 1e-3;
constexpr std::string_view kNotThere = "no design with a report has it";

/// A resource, what it is made of and where reports say it.
struct Resource {
    std::string_view name;
    LinearForm Expected::* form;
    std::string_view band, csynth;  ///< factors; empty: none
    std::array<std::string_view, 2> units;
};
constexpr std::array kResources = {Resource{"lut", &Expected::lut_form, "band.lut", "csynth.lut", {"LUT", "factor"}},
                                   Resource{"ff", &Expected::ff_form, "band.ff", "csynth.ff", {"FF", "FF"}},
                                   Resource{"dynamic_w", &Expected::dynamic_form, {}, {}, {"pJ/cycle", "pJ/access"}}};

/// Up to where a build has come when a report is written.
enum class Stage { csynth, synthesized, implemented };

/// One measurement of one build.
struct Observation {
    std::size_t build = 0;
    Stage stage = Stage::implemented;
    double measured = 0;
    std::string file;
};

std::optional<std::pair<Stage, double>> measurement(const ToolReport& report, const Resource& resource) {
    const auto at = [](Stage stage, const auto& value) { return value ? std::optional(std::pair{stage, static_cast<double>(*value)}) : std::nullopt; };
    if (resource.name == "dynamic_w") return report.kind == ReportKind::power ? at(Stage::implemented, report.dynamic_w) : std::nullopt;
    const auto& value = resource.name == "lut" ? report.used.lut : report.used.ff;
    switch (report.kind) {
        case ReportKind::csynth: return at(Stage::csynth, value);
        case ReportKind::export_rtl: return at(Stage::implemented, value);
        case ReportKind::utilization: return at(report.status == "synthesized" ? Stage::synthesized : Stage::implemented, value);
        default: return std::nullopt;
    }
}

/// One measurement of each stage of each build; several reports may give it, if they agree. What Vivado counts goes before what HLS says of it.
std::vector<Observation> observations_of(std::span<const Build> builds, const Resource& resource) {
    std::vector<Observation> all;
    std::vector<std::string> problems;
    for (std::size_t b = 0; b < builds.size(); ++b) {
        std::map<Stage, std::pair<Observation, ReportKind>> found;
        for (const auto& [file, report] : builds[b].reports) {
            const auto value = measurement(report, resource);
            if (!value || value->second <= 0) continue;
            const Observation observation{.build = b, .stage = value->first, .measured = value->second, .file = file};
            const auto [entry, is_new] = found.try_emplace(value->first, observation, report.kind);
            auto& [known, kind] = entry->second;
            if (is_new) continue;
            if (report.kind != kind) {
                if (report.kind == ReportKind::utilization) entry->second = {observation, report.kind};
            } else if (known.measured != observation.measured) {
                problems.push_back(fmt::format("{}: {} is {} here and {} in {}; one report of each kind is taken, that of the top function", file, resource.name,
                                               observation.measured, known.measured, known.file));
            }
        }
        for (const auto& [stage, entry] : found) all.push_back(entry.first);
    }
    if (!problems.empty()) throw models::InputError(fmt::format("{}", fmt::join(problems, "\n")));
    return all;
}

double deviation_of(const sim::Figure& figure) { return (figure.high - figure.low) / (2 * kBandDeviations); }
double rounded(double value) { return std::stod(fmt::format("{:.4g}", value)); }

/// One resource of one group of builds.
class Fitter {
  public:
    Fitter(std::span<const Build> builds, const Resource& resource, const sim::CostTable& costs)
        : builds_(builds), resource_(resource), costs_(costs), observations_(observations_of(builds, resource)) {
        choose_terms();
        for (const auto& observation : observations_) rows_.push_back(row_of(observation));
    }

    ResourceFit run(sim::CostTable& table) {
        result_.resource = resource_.name;
        result_.num_reports = rows_.size();
        std::set<std::size_t> seen;
        for (const auto& observation : observations_) seen.insert(observation.build);
        for (const auto b : seen) result_.builds.push_back(builds_[b].name);
        result_.before = errors([&](std::size_t) { return prior_.value; });
        if (seen.empty()) result_.not_fitted = "no report says anything of it";
        else if (seen.size() < kFewestBuilds) result_.not_fitted = fmt::format("reports of {} design{}; leaving one out needs {}", seen.size(), seen.size() == 1 ? "" : "s", kFewestBuilds);
        if (!result_.not_fitted.empty()) return std::move(result_);

        std::map<std::size_t, Eigen::VectorXd> without;
        for (const auto b : seen) without[b] = fit([&](const Observation& observation) { return observation.build != b; }).value;
        result_.left_out = errors([&](std::size_t row) { return without.at(observations_[row].build); });
        if (result_.left_out.mean_pct >= result_.before.mean_pct) {
            result_.not_fitted = fmt::format("designs left out one by one are off by {:.1f} %, by the table as it is {:.1f} %: nothing is gained", result_.left_out.mean_pct,
                                             result_.before.mean_pct);
            return std::move(result_);
        }
        take(fit([](const Observation&) { return true; }), table);
        return std::move(result_);
    }

  private:
    const LinearForm& form(std::size_t build) const { return builds_[build].expected.*resource_.form; }

    /// Terms that some prediction stands on, and their prior; of the others why they stay.
    void choose_terms() {
        std::set<std::string> in_use;
        for (const auto& observation : observations_) {
            for (const auto& [term, count] : form(observation.build).counts) in_use.insert(term);
            for (const auto& term : builds_[observation.build].expected.not_linear) not_linear_.insert(term);
        }
        for (const auto& term : sim::cost_terms()) {
            const auto name = std::string(term.name);
            const bool used = in_use.contains(name);
            if (!used && !is_of_resource(term)) continue;
            if (used && largest_share(name) >= kLeastShare && deviation_of(costs_.at(name)) > 0) names_.push_back(name);
            else result_.kept.push_back({name, std::string(reason_to_keep(name, used))});
        }
        const auto has = [&](auto stages) { return std::ranges::any_of(observations_, [&](const auto& o) { return stages(o.stage); }); };
        if (!resource_.band.empty() && has([](Stage s) { return s != Stage::synthesized; })) names_factors_.emplace_back(resource_.band);
        if (!resource_.csynth.empty() && has([](Stage s) { return s == Stage::csynth; })) names_factors_.emplace_back(resource_.csynth);
        for (const auto factor : {resource_.band, resource_.csynth})
            if (!factor.empty() && std::ranges::find(names_factors_, factor) == names_factors_.end()) result_.kept.push_back({std::string(factor), "no report is of that stage"});
        const auto size = static_cast<Eigen::Index>(names_.size() + names_factors_.size());
        prior_ = {.value = Eigen::VectorXd::Zero(size), .deviation = Eigen::VectorXd::Zero(size)};
        for (Eigen::Index i = 0; i < size; ++i) prior_.value(i) = costs_.at(name(i)).value, prior_.deviation(i) = deviation_of(costs_.at(name(i)));
    }
    std::string_view reason_to_keep(const std::string& term, bool used) const {
        if (!used) return not_linear_.contains(term) ? "enters, but not as a count" : kNotThere;
        return deviation_of(costs_.at(term)) > 0 ? "makes less than a thousandth of every design" : "has no band";
    }
    bool is_of_resource(const sim::CostTerm& term) const {
        if (term.unit == "factor") return term.name == "lut_multiplier.lut_factor" && resource_.name == "lut";
        if (resource_.name == "dynamic_w") return std::ranges::find(resource_.units, term.unit) != resource_.units.end() && term.name.ends_with("." + builds_.front().expected.family);
        return term.unit == resource_.units.front() || term.unit.starts_with(std::string(resource_.units.front()) + "/");
    }
    const std::string& name(Eigen::Index i) const {
        const auto at = static_cast<std::size_t>(i);
        return at < names_.size() ? names_[at] : names_factors_[at - names_.size()];
    }
    double largest_share(const std::string& term) const {
        double share = 0;
        for (const auto& observation : observations_) {
            const auto& of_build = form(observation.build);
            double sum = of_build.fixed;
            for (const auto& [other, count] : of_build.counts) sum += count * costs_.at(other).value;
            // What its band allows it to be counts: a term of value 0 may be more.
            if (const auto found = of_build.counts.find(term); found != of_build.counts.end() && sum > 0) share = std::max(share, found->second * costs_.at(term).high / sum);
        }
        return share;
    }

    ProductRow row_of(const Observation& observation) const {
        ProductRow row{.measured = observation.measured, .fixed = form(observation.build).fixed, .counts = Eigen::VectorXd::Zero(static_cast<Eigen::Index>(names_.size())), .factors = {}};
        for (const auto& [term, count] : form(observation.build).counts) {
            const auto found = std::ranges::find(names_, term);
            if (found != names_.end()) row.counts(found - names_.begin()) = count;
            else row.fixed += count * costs_.at(term).value;
        }
        const auto factor = [&](std::string_view wanted) {
            if (const auto found = std::ranges::find(names_factors_, wanted); found != names_factors_.end()) row.factors.push_back(static_cast<int>(found - names_factors_.begin()));
        };
        if (observation.stage != Stage::synthesized) factor(resource_.band);
        if (observation.stage == Stage::csynth) factor(resource_.csynth);
        return row;
    }

    template <class Uses>
    Prices fit(const Uses& uses) const {
        std::vector<ProductRow> chosen;
        for (std::size_t i = 0; i < rows_.size(); ++i)
            if (uses(observations_[i])) chosen.push_back(rows_[i]);
        return fitted(chosen, prior_, kBuildNoise);
    }

    /// `values(row)`: the prices a row is predicted with.
    template <class Values>
    FitError errors(const Values& values) const {
        FitError error;
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            const double off = 100 * std::abs(predicted(rows_[i], values(i)) - rows_[i].measured) / rows_[i].measured;
            error.mean_pct += off / static_cast<double>(rows_.size());
            if (off >= error.worst_pct) error.worst_pct = off, error.worst = builds_[observations_[i].build].name;
        }
        return error;
    }

    void take(const Prices& fit, sim::CostTable& table) {
        const double left_out = result_.left_out.mean_pct / 100 * kDeviationOfMean * kBandDeviations;
        for (Eigen::Index i = 0; i < fit.value.size(); ++i) {
            const bool is_factor = static_cast<std::size_t>(i) >= names_.size();
            auto& figure = table.terms.find(name(i))->second;
            FittedTerm term{.term = name(i), .before = figure, .after = figure};
            if (!is_factor) std::tie(term.least_count, term.most_count) = range_of(name(i));
            const double value = rounded(fit.value(i)), own = kBandDeviations * fit.deviation(i);
            const double half = is_factor ? own : std::max(own, left_out * value);
            term.after.value = value;
            term.after.low = rounded(std::max(0.0, value - half)), term.after.high = rounded(value + half);
            term.after.low = std::min(term.after.low, value), term.after.high = std::max(term.after.high, value);
            term.after.status = sim::Provenance::calibrated;
            term.after.source = fmt::format("{} reports of {} designs, leave-one-out {:.1f} %", result_.num_reports, result_.builds.size(), result_.left_out.mean_pct);
            figure = term.after;
            result_.terms.push_back(std::move(term));
        }
    }
    /// Of the counts of a term over the builds that were measured; a build without it has 0.
    std::pair<double, double> range_of(const std::string& term) const {
        double least = INFINITY, most = 0;
        for (const auto& observation : observations_) {
            const auto& counts = form(observation.build).counts;
            const auto found = counts.find(term);
            const double count = found == counts.end() ? 0 : found->second;
            least = std::min(least, count), most = std::max(most, count);
        }
        return {least, most};
    }

    std::span<const Build> builds_;
    const Resource& resource_;
    const sim::CostTable& costs_;
    std::vector<Observation> observations_;
    std::set<std::string> not_linear_;
    std::vector<std::string> names_, names_factors_;
    Prices prior_;
    std::vector<ProductRow> rows_;
    ResourceFit result_;
};

double value_of(const LinearForm& form, const sim::CostTable& costs) {
    double value = form.fixed;
    for (const auto& [term, count] : form.counts) value += count * costs.at(term).value;
    return value;
}

}  // namespace

bool CostFit::is_fitted() const noexcept {
    return std::ranges::any_of(resources, [](const ResourceFit& fit) { return fit.not_fitted.empty(); });
}

CostFit fit_costs(std::span<const Build> builds, const sim::CostTable& costs) {
    models::check(!builds.empty(), "a fit needs builds");
    const auto& first = builds.front().expected;
    CostFit result{.family = first.family, .dsp_generation = first.dsp_generation, .builds = {}, .resources = {}, .table = costs, .notes = {}};
    for (const auto& build : builds) {
        models::check(build.expected.family == first.family && build.expected.dsp_generation == first.dsp_generation, "a fit is of one family");
        result.builds.push_back(build.name);
        const auto now = repriced(build.expected, costs);
        const auto differs = [](const std::optional<sim::Estimate>& then, double today) { return then && std::abs(then->value - today) > 1e-6 * today; };
        if (differs(build.expected.lut, now.lut) || differs(build.expected.ff, now.ff))
            result.notes.push_back(fmt::format("{}: expected.json was written with other values of the cost table {}; its power is counted at those", build.name, costs.name));
        if (!build.expected.infeasible.empty()) result.notes.push_back(fmt::format("{}: expected to be infeasible: {}", build.name, build.expected.infeasible));
    }
    for (const auto& resource : kResources) result.resources.push_back(Fitter(builds, resource, costs).run(result.table));
    return result;
}

std::vector<Extrapolation> extrapolations(const CostFit& fit, const Expected& design) {
    constexpr double kGrain = 1e-9;
    std::vector<Extrapolation> found;
    for (const auto& resource : fit.resources) {
        if (!resource.not_fitted.empty()) continue;
        const auto form = std::ranges::find(kResources, resource.resource, &Resource::name)->form;
        for (const auto& [name, count] : (design.*form).counts) {
            const auto term = std::ranges::find(resource.terms, name, &FittedTerm::term);
            if (term != resource.terms.end()) {
                if (count < term->least_count * (1 - kGrain) || count > term->most_count * (1 + kGrain))
                    found.push_back({.resource = resource.resource, .term = name, .count = count, .least_seen = term->least_count, .most_seen = term->most_count});
            } else if (const auto kept = std::ranges::find(resource.kept, name, &KeptTerm::term); kept != resource.kept.end() && kept->reason == kNotThere) {
                found.push_back({.resource = resource.resource, .term = name, .count = count, .least_seen = {}, .most_seen = {}});
            }
        }
    }
    return found;
}

Repriced repriced(const Expected& design, const sim::CostTable& costs) {
    return {.lut = value_of(design.lut_form, costs) * costs.at("band.lut").value, .ff = value_of(design.ff_form, costs) * costs.at("band.ff").value,
            .dynamic_w = value_of(design.dynamic_form, costs)};
}

}  // namespace prelude::experiments
