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

/// A resource, what it is made of and where reports say it.
struct Resource {
    std::string_view name;
    LinearForm Expected::*form;
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
    const auto at = [](Stage stage, const auto& value) {
        return value ? std::optional(std::pair{stage, static_cast<double>(*value)}) : std::nullopt;
    };
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
                problems.push_back(fmt::format("{}: {} is {} here and {} in {}; one report of each kind is taken, that of the top function",
                                               file, resource.name, observation.measured, known.measured, known.file));
            }
        }
        for (const auto& [stage, entry] : found) all.push_back(entry.first);
    }
    if (!problems.empty()) throw models::InputError(fmt::format("{}", fmt::join(problems, "\n")));
    return all;
}

double deviation_of(const sim::Figure& figure) {
    return (figure.high - figure.low) / (2 * kBandDeviations);
}
double rounded(double value) {
    return std::stod(fmt::format("{:.4g}", value));
}

/// One resource of one group of builds.
class Fitter {
  public:
    Fitter(std::span<const Build> builds, const Resource& resource, const sim::CostTable& costs)
        : builds_(builds), resource_(resource), costs_(costs), observations_(observations_of(builds, resource)) {
        for (const auto& observation : observations_) see(observation);
        choose_terms();
        for (const auto& observation : observations_) rows_.push_back(row_of(observation));
        hold_the_unsaid();
    }

    ResourceFit run(sim::CostTable& table) {
        result_.resource = resource_.name;
        result_.num_reports = rows_.size();
        std::set<std::size_t> seen;
        for (const auto& observation : observations_) seen.insert(observation.build);
        for (const auto b : seen) result_.builds.push_back(builds_[b].name);
        result_.before = errors([&](std::size_t) { return prior_.value; });
        if (seen.empty())
            result_.not_fitted = "no report says anything of it";
        else if (seen.size() < kFewestBuilds)
            result_.not_fitted =
                fmt::format("reports of {} design{}; leaving one out needs {}", seen.size(), seen.size() == 1 ? "" : "s", kFewestBuilds);
        if (!result_.not_fitted.empty()) return std::move(result_);

        std::map<std::size_t, Eigen::VectorXd> without;
        for (const auto b : seen) without[b] = fit([&](const Observation& observation) { return observation.build != b; }).value;
        result_.left_out = errors([&](std::size_t row) { return without.at(observations_[row].build); });
        if (result_.left_out.mean_pct >= result_.before.mean_pct) {
            result_.not_fitted =
                fmt::format("designs left out one by one are off by {:.1f} %, by the table as it is {:.1f} %: nothing is gained",
                            result_.left_out.mean_pct, result_.before.mean_pct);
            return std::move(result_);
        }
        take(fit([](const Observation&) { return true; }), table);
        return std::move(result_);
    }

  private:
    const LinearForm& form(std::size_t build) const { return builds_[build].expected.*resource_.form; }

    /// Takes the counts of a measured design into the ranges seen; what one design has and another has not begins at 0.
    void see(const Observation& observation) {
        const auto& counts = form(observation.build).counts;
        for (const auto& [term, count] : counts) {
            const auto [range, is_new] = result_.seen.try_emplace(term, CountRange{is_first_ ? count : 0.0, count});
            range->second = {std::min(range->second.least, count), std::max(range->second.most, count)};
        }
        for (auto& [term, range] : result_.seen)
            if (!counts.contains(term)) range.least = 0;
        is_first_ = false;
        for (const auto& term : builds_[observation.build].expected.not_linear) not_linear_.insert(term);
    }

    /// Terms that the reports may say something of, and their prior; of the others why they stay.
    void choose_terms() {
        for (const auto& term : sim::cost_terms()) {
            const auto name = std::string(term.name);
            const bool used = result_.seen.contains(name);
            if (used && deviation_of(costs_.at(name)) > 0)
                names_.push_back(name);
            else if (used)
                keep(name, "has no band");
            else if (is_of_resource(term))
                keep(name, not_linear_.contains(name) ? "enters, but not as a count" : "no design with a report has it");
        }
        num_terms_ = static_cast<Eigen::Index>(names_.size());
        const auto has = [&](auto stages) { return std::ranges::any_of(observations_, [&](const auto& o) { return stages(o.stage); }); };
        const auto factor = [&](std::string_view name, bool there) {
            if (there && !name.empty())
                names_.emplace_back(name);
            else if (!name.empty())
                keep(std::string(name), "no report is of that stage");
        };
        factor(resource_.band, has([](Stage s) { return s != Stage::synthesized; }));
        factor(resource_.csynth, has([](Stage s) { return s == Stage::csynth; }));
        const auto size = static_cast<Eigen::Index>(names_.size());
        prior_ = {.value = Eigen::VectorXd::Zero(size), .deviation = Eigen::VectorXd::Zero(size)};
        for (Eigen::Index i = 0; i < size; ++i)
            prior_.value(i) = costs_.at(name(i)).value, prior_.deviation(i) = deviation_of(costs_.at(name(i)));
    }
    void keep(std::string term, std::string reason) { result_.kept.push_back({std::move(term), std::move(reason)}); }

    /// Holds terms, the one that is narrowed least first, until the reports narrow all that are left.
    void hold_the_unsaid() {
        while (!rows_.empty()) {
            const auto all = fitted(rows_, prior_, kBuildNoise);
            Eigen::Index widest = -1;
            double ratio = 1 - kLeastNarrowing;
            for (Eigen::Index i = 0; i < prior_.deviation.size(); ++i)
                if (prior_.deviation(i) > 0 && all.deviation(i) > ratio * prior_.deviation(i))
                    widest = i, ratio = all.deviation(i) / prior_.deviation(i);
            if (widest < 0) return;
            prior_.deviation(widest) = 0;
            keep(name(widest), "the reports say next to nothing of it");
        }
    }
    bool is_of_resource(const sim::CostTerm& term) const {
        if (term.unit == "factor") return term.name == "lut_multiplier.lut_factor" && resource_.name == "lut";
        const bool has_unit = std::ranges::find(resource_.units, term.unit) != resource_.units.end();
        if (resource_.name == "dynamic_w") return has_unit && term.name.ends_with("." + builds_.front().expected.family);
        return term.unit == resource_.units.front() || term.unit.starts_with(std::string(resource_.units.front()) + "/");
    }
    const std::string& name(Eigen::Index i) const { return names_[static_cast<std::size_t>(i)]; }

    ProductRow row_of(const Observation& observation) const {
        ProductRow row{.measured = observation.measured,
                       .fixed = form(observation.build).fixed,
                       .counts = Eigen::VectorXd::Zero(num_terms_),
                       .factors = {}};
        const auto index_of = [&](std::string_view wanted) {
            return static_cast<Eigen::Index>(std::ranges::find(names_, wanted) - names_.begin());
        };
        for (const auto& [term, count] : form(observation.build).counts) {
            if (const auto i = index_of(term); i < num_terms_)
                row.counts(i) = count;
            else
                row.fixed += count * costs_.at(term).value;
        }
        const auto factor = [&](std::string_view name) {
            if (!name.empty()) row.factors.push_back(static_cast<int>(index_of(name) - num_terms_));
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
            if (prior_.deviation(i) == 0) continue;
            const bool is_factor = i >= num_terms_;
            auto& figure = table.terms.find(name(i))->second;
            FittedTerm term{.term = name(i), .before = figure, .after = figure};
            const double value = rounded(fit.value(i)), own = kBandDeviations * fit.deviation(i);
            const double half = is_factor ? own : std::max(own, left_out * value);
            term.after.value = value;
            term.after.low = rounded(std::max(0.0, value - half)), term.after.high = rounded(value + half);
            term.after.low = std::min(term.after.low, value), term.after.high = std::max(term.after.high, value);
            term.after.status = sim::Provenance::calibrated;
            term.after.source = fmt::format("{} reports of {} designs, leave-one-out {:.1f} %", result_.num_reports, result_.builds.size(),
                                            result_.left_out.mean_pct);
            figure = term.after;
            result_.terms.push_back(std::move(term));
        }
    }
    std::span<const Build> builds_;
    const Resource& resource_;
    const sim::CostTable& costs_;
    std::vector<Observation> observations_;
    std::set<std::string> not_linear_;
    bool is_first_ = true;
    std::vector<std::string> names_;  ///< terms, then factors
    Eigen::Index num_terms_ = 0;
    Prices prior_;  ///< of what is held the deviation is 0
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
    CostFit result{
        .family = first.family, .dsp_generation = first.dsp_generation, .builds = {}, .resources = {}, .table = costs, .notes = {}};
    for (const auto& build : builds) {
        models::check(build.expected.family == first.family && build.expected.dsp_generation == first.dsp_generation,
                      "a fit is of one family");
        result.builds.push_back(build.name);
        const auto now = repriced(build.expected, costs);
        const auto differs = [](const std::optional<sim::Estimate>& then, double today) {
            return then && std::abs(then->value - today) > 1e-6 * today;
        };
        if (differs(build.expected.lut, now.lut) || differs(build.expected.ff, now.ff))
            result.notes.push_back(
                fmt::format("{}: expected.json was written with other values of the cost table {}; its power is counted at those",
                            build.name, costs.name));
        if (!build.expected.infeasible.empty())
            result.notes.push_back(fmt::format("{}: expected to be infeasible: {}", build.name, build.expected.infeasible));
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
            const auto range = resource.seen.find(name);
            const bool seen = range != resource.seen.end();
            if (!seen || count < range->second.least * (1 - kGrain) || count > range->second.most * (1 + kGrain))
                found.push_back({.resource = resource.resource,
                                 .term = name,
                                 .count = count,
                                 .seen = seen ? std::optional(range->second) : std::nullopt});
        }
    }
    return found;
}

Repriced repriced(const Expected& design, const sim::CostTable& costs) {
    return {.lut = value_of(design.lut_form, costs) * costs.at("band.lut").value,
            .ff = value_of(design.ff_form, costs) * costs.at("band.ff").value,
            .dynamic_w = value_of(design.dynamic_form, costs)};
}

}  // namespace prelude::experiments
