// SPDX-License-Identifier: Apache-2.0
// Whether designs can use the mappings that a configuration pins.
#include "experiments/config/check.hpp"
#include "experiments/evaluate/design_point.hpp"
#include "experiments/sweep/grid.hpp"
#include "models/error.hpp"
#include "quant/glob.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace prelude::experiments {

namespace {

/// Points that are asked before a file is left to the rows of the results.
constexpr std::int64_t kAskedPoints = 64;

/// What the points asked so far say of an entry.
struct Verdict {
    bool named = false, usable = false;
    std::string segment;          ///< of the first refusal
    sim::MappingProblem problem;
};

/// Asks a design about every entry; returns the names of its segments.
std::vector<std::string> ask(const DesignPoint& point, const WorkloadSettings& workload, std::vector<Verdict>& verdicts) {
    const auto options = simulation_options(point, workload);
    const auto segments = sim::check_mappings(point.graph, point.plan, point.design, options);
    std::vector<std::string> names;
    for (std::size_t e = 0; e < verdicts.size(); ++e) {
        auto& verdict = verdicts[e];
        bool named = false, refused = false;
        for (const auto& segment : segments) {
            named = named || quant::glob_matches(options.pinned[e].pattern, segment.segment);
            if (segment.pinned != &options.pinned[e] || segment.problems.empty()) continue;
            refused = true;
            if (verdict.segment.empty()) verdict.segment = segment.segment, verdict.problem = segment.problems.front();
        }
        verdict.named |= named;
        verdict.usable |= named && !refused;
    }
    for (const auto& segment : segments) names.push_back(segment.segment);
    return names;
}

}  // namespace

void check_pinned_mappings(const Configuration& configuration, Problems& problems) {
    const Grid grid(configuration);
    const auto stride = std::max<std::int64_t>(1, grid.size() / kAskedPoints);
    for (const auto& [path, entries] : configuration.mappings) {
        std::vector<Verdict> verdicts(entries.size());
        std::vector<std::string> names;
        const auto all_usable = [&] { return std::ranges::all_of(verdicts, &Verdict::usable); };
        bool asked = false;
        for (std::int64_t i = 0; i < grid.size() && !(asked && all_usable()); i += stride) {
            const auto settings = grid.at(i).settings;
            if (settings.mapping.path != path || !settings.quant.is_integer()) continue;
            try {
                const auto point = resolve_design(settings, configuration.costs.at(settings.cost_table));
                names = ask(point, workload_of(settings), verdicts);
                asked = true;
            } catch (const models::InputError&) {  // an unreadable checkpoint, layers that the settings do not fit: the point says so itself
            }
        }
        if (!asked || stride > 1) continue;  // what no point can use is infeasible in its rows
        for (std::size_t e = 0; e < entries.size(); ++e) {
            const auto& entry = entries[e];
            const auto& verdict = verdicts[e];
            if (verdict.usable) continue;
            if (!verdict.named) {
                const auto near = closest(entry.pin.pattern, names);
                problems.add({entry.where, "hw.mapping", fmt::format("no segment is named {}{}", shown(entry.pin.pattern), near.empty() ? "" : fmt::format(". Did you mean '{}'?", near)),
                              "the segments that `explore inspect --all` lists", {}});
                continue;
            }
            const auto field = entry.fields.find(verdict.problem.field);
            problems.add({field == entry.fields.end() ? entry.where : field->second, "hw.mapping", fmt::format("{}: {}", verdict.segment, verdict.problem.text), {}, {}});
        }
    }
}

}  // namespace prelude::experiments
