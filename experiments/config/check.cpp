// SPDX-License-Identifier: Apache-2.0
#include "experiments/config/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "experiments/config/canonical.hpp"
#include "experiments/config/layers_file.hpp"
#include "experiments/config/modes.hpp"
#include "experiments/sweep/grid.hpp"
#include "models/graph/sam.hpp"
#include "quant/format_plan.hpp"
#include "quant/probability_code.hpp"

namespace prelude::experiments {

namespace {

/// Grids are checked point by point up to this many points, larger ones in strides.
constexpr std::int64_t kCheckedPoints = 5'000;

template <typename Refuse>
void check_sizes(const Settings& settings, const Configuration& configuration, const Refuse& refuse) {
    const auto& model = settings.model;
    if (model.preset == "custom") {
        std::string missing;
        for (const auto& name : names_in("model.config"))
            if (const auto& key = *find_key("model.config." + name); key.print(settings) == "auto")
                missing += (missing.empty() ? "" : ", ") + name;
        if (!missing.empty())
            refuse("model.preset", "custom without a checkpoint leaves open: " + missing,
                   "model.checkpoint, or every key of model.config", {});
        if (!missing.empty()) return;
    }
    auto config = models::sam_preset(model.preset).value_or(models::SamConfig{});
    model.config.apply(config);
    for (const auto& problem : models::validate(config)) {
        // The place of the first key that the sentence speaks of.
        std::string key = "model.preset";
        for (const auto& assignment : configuration.assignments)
            if (const auto path = assignment.key->path; path.starts_with("model.config.") && problem.find(path.substr(13)) != std::string::npos) {
                key = path;
                break;
            }
        refuse(key, problem, {}, {});
    }
}

/// The network, where the settings alone tell it: a custom one is what its checkpoint says.
std::optional<models::Graph> graph_of(const ModelSettings& model) {
    if (model.kind == ModelKind::layers) return layers_graph(model.path);
    auto config = models::sam_preset(model.preset);
    if (!config) return std::nullopt;
    model.config.apply(*config);
    return models::validate(*config).empty() ? std::optional(models::build_sam(*config)) : std::nullopt;
}

/// What the layers of the network do not allow: groups of channels, entries of quant.layers. A sentence for each key, the first of its layers named.
template <typename Refuse>
void check_layers(const Settings& settings, const Refuse& refuse) {
    if (!settings.quant.is_integer()) return;
    const auto graph = graph_of(settings.model);
    if (!graph) return;
    try {
        (void)quant::make_plan(*graph, settings.quant);
    } catch (const quant::SettingsError& error) {
        std::map<std::string, std::vector<std::string>> by_key;
        std::istringstream lines(error.what());
        for (std::string line; std::getline(lines, line);) {
            const auto colon = std::min(line.find(": "), line.size());
            const auto key = find_key(line.substr(0, colon)) ? line.substr(0, colon) : std::string("quant.layers");
            by_key[key].push_back(find_key(line.substr(0, colon)) ? line.substr(colon + 2) : line);
        }
        for (const auto& [key, found] : by_key)
            refuse(key, found.front() + (found.size() > 1 ? fmt::format("; the same of {} more layers", found.size() - 1) : ""), {}, {});
    }
}

void check_point(const Settings& settings, const Configuration& configuration, std::set<std::string>& checked, std::set<std::string>& reported, Problems& problems) {
    const auto refuse = [&](std::string_view key, std::string message, std::string allowed, std::string because) {
        if (reported.insert(message).second)
            problems.add({configuration.where(key), std::string(key), std::move(message), std::move(allowed), std::move(because)});
    };
    const auto& softmax = settings.quant.softmax;
    if (settings.quant.is_integer() && softmax.bits) {
        const int useful = quant::useful_code_bits(softmax);
        if (*softmax.bits > useful)
            refuse("quant.softmax.bits", fmt::format("got {}", *softmax.bits),
                   fmt::format("2..{} with {}, or activation_bits", useful, softmax_code_text(settings)),
                   std::string(find_key("quant.softmax.bits")->because));
    }
    for (auto& [key, found, allowed, because] : mode_conflicts(settings)) refuse(key, std::move(found), std::move(allowed), std::string(because));
    const auto& kinds = settings.data.kinds;
    const auto has = [&](DataKind kind) { return std::find(kinds.begin(), kinds.end(), kind) != kinds.end(); };
    if ((has(DataKind::coco) || has(DataKind::masks)) && settings.data.path.empty())
        refuse("data.kind", fmt::format("{} needs data.path", has(DataKind::coco) ? "coco" : "masks"), "data.path: FILE or FOLDER",
               "the data set is not part of this project");
    if (has(DataKind::coco) && has(DataKind::masks)) refuse("data.kind", "got coco and masks", "one of the two", "there is one data.path");
    const bool is_sam = settings.model.kind == ModelKind::sam;
    if (!is_sam && settings.model.path.empty()) return refuse("model.kind", "layers needs model.path", "model.path: FILE", "examples are in arch_configs/workloads");
    if (!is_sam && !settings.quant.is_integer())
        return refuse("model.kind", fmt::format("layers with quant.{}", settings.quant.datatype == quant::Datatype::integer ? "mode compat" : "datatype " + find_key("quant.datatype")->print(settings)),
                      "quant.datatype int, quant.mode clean", "a list of layers is laid out in integer codes, and without weights there is no accuracy");
    if (settings.sweep.toggles == ToggleSource::measured && (!is_sam || settings.model.checkpoint == kNoWeights))
        refuse("sweep.toggles", fmt::format("measured with {}", is_sam ? "model.checkpoint none" : "model.kind layers"), "assumed", "without weights there are no words that could toggle");
    // With a checkpoint its tensors have a say; its reader checks the sizes then.
    if (is_sam && (settings.model.checkpoint.empty() || settings.model.checkpoint == kNoWeights)) check_sizes(settings, configuration, refuse);
    if (settings.quant.groups == 1 && settings.quant.layers.empty()) return;
    auto layers = is_sam ? settings.model.preset : settings.model.path;  // many points, few of these
    for (const auto& key : all_keys())
        if (key.path.starts_with("model.config.") || key.path == "quant.groups" || key.path == "quant.layers" || key.path == "quant.group_align") layers += "\n" + key.print(settings);
    if (checked.insert(layers).second) check_layers(settings, refuse);
}

}  // namespace

void check_points(const Configuration& configuration, Problems& problems) {
    const Grid grid(configuration);
    std::set<std::string> checked, reported;
    const auto stride = std::max<std::int64_t>(1, grid.size() / kCheckedPoints);
    for (std::int64_t i = 0; i < grid.size(); i += stride) check_point(grid.at(i).settings, configuration, checked, reported, problems);
}

std::vector<std::string> idle_key_warnings(const Configuration& configuration) {
    std::vector<std::string> warnings;
    const auto& base = configuration.base;
    const auto depends_on_axis = [&](const Key& key) {
        for (const auto& axis : configuration.axes)
            for (const auto* swept : axis.keys)
                if (key.effective.sentence.find(swept->path) != std::string_view::npos || swept->path == "quant.method" ||
                    swept->path == "quant.datatype")
                    return true;
        return false;
    };
    const auto warn = [&](const Key& key, const Location& where) {
        if (!key.has_effect(base) && !depends_on_axis(key))
            warnings.push_back(fmt::format("{}: {} has no effect here; it is effective only while {}", where.text(),
                                                          key.path, key.effective.sentence));
    };
    for (const auto& assignment : configuration.assignments)
        if (!assignment.key->is_fixed() && assignment.key->domain.print(assignment.value) != assignment.key->print(Settings{}))
            warn(*assignment.key, assignment.where);
    for (const auto& axis : configuration.axes)
        for (const auto* key : axis.keys) warn(*key, axis.where);
    return warnings;
}

}  // namespace prelude::experiments
