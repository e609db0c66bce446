// SPDX-License-Identifier: Apache-2.0
#include "experiments/config/canonical.hpp"

#include "experiments/config/methods.hpp"
#include "experiments/hash.hpp"
#include "quant/probability_code.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace prelude::experiments {

namespace {

bool is_below(std::string_view path, std::string_view section) {
    return path == section || (path.starts_with(section) && path.size() > section.size() && path[section.size()] == '.');
}

/// A key's line; a path is replaced by what it holds.
std::string line(const Key& key, const Settings& settings, const ContentOf& content) {
    if (!key.is_fixed() && key.domain.kind() == Domain::Kind::path) {
        const auto path = std::get<std::string>(key.get(settings));
        const auto& words = key.domain.words();
        const bool is_word = std::any_of(words.begin(), words.end(), [&](const Word& word) { return word.name == path; });
        if (!is_word) return fmt::format("{}=sha256:{}\n", key.path, content ? content(path) : sha256_of_path(path));
    }
    return fmt::format("{}={}\n", key.path, key.print(settings));
}

template <typename Predicate>
std::string lines(const Settings& settings, const ContentOf& content, Predicate wanted) {
    const auto canonical = normalised(settings);
    std::string text;
    for (const auto& key : all_keys())
        if (key.is_of_a_point() && wanted(key)) text += line(key, canonical, content);
    return text;
}

/// Keys of the method presets that were not written down: with a swept method each point has its own value.
std::set<std::string_view> left_to_methods(const Configuration& configuration) {
    std::set<std::string_view> keys;
    if (!configuration.is_axis(find_key("quant.method"))) return keys;
    for (const auto& method : all_methods())
        for (const auto& preset : method.defaults) keys.insert(preset.key);
    for (const auto& assignment : configuration.assignments) keys.erase(assignment.key->path);
    return keys;
}

std::vector<std::string_view> split(std::string_view path) {
    std::vector<std::string_view> parts;
    while (true) {
        const auto dot = path.find('.');
        parts.push_back(path.substr(0, dot));
        if (dot == std::string_view::npos) return parts;
        path.remove_prefix(dot + 1);
    }
}

}  // namespace

Settings normalised(const Settings& settings) {
    Settings result = settings;
    const Settings defaults;
    for (const auto& key : all_keys())
        if (!key.is_fixed() && !key.has_effect(settings)) key.set(result, key.get(defaults));
    result.quant.method = defaults.quant.method;
    if (result.quant.datatype == quant::Datatype::integer) {
        auto& softmax = result.quant.softmax;
        softmax.bits = std::min(softmax.bits.value_or(result.quant.activation_bits), quant::useful_code_bits(softmax));
    }
    return result;
}

std::string softmax_code_text(const Settings& settings) {
    const auto& softmax = settings.quant.softmax;
    const auto powers = fmt::format("base {} and shift cap {}", find_key("quant.softmax.log_base")->print(settings), softmax.shift_cap);
    if (softmax.scheme == quant::SoftmaxScheme::log) return "log " + powers;
    if (softmax.scheme == quant::SoftmaxScheme::uniform) return "uniform codes";
    return softmax.form == quant::SoftmaxForm::shift ? "lnq powers of " + powers : fmt::format("lnq codes of form {}", find_key("quant.softmax.form")->print(settings));
}

std::string section_text(const Settings& settings, std::span<const std::string_view> sections, const ContentOf& content) {
    return lines(settings, content, [&](const Key& key) {
        return std::any_of(sections.begin(), sections.end(), [&](auto section) { return is_below(key.path, section); });
    });
}

std::string numeric_text(const Settings& settings, const ContentOf& content) {
    return lines(settings, content, [](const Key& key) { return key.affects == Affects::numeric; });
}

std::string hardware_text(const Settings& settings, const ContentOf& content) {
    // Not the device's name: the figures follow, and they alone matter.
    return lines(settings, content,
                 [](const Key& key) {
                     return (key.affects == Affects::hardware || key.affects == Affects::workload) && key.path != "hw.device" &&
                            key.path != "hw.costs";
                 }) +
           device_text(settings.hw.device);
}

std::string resolved_yaml(const Configuration& configuration) {
    std::string text = "# Every key of this configuration, resolved. `explore --config` on this file runs the same points.\n";
    const auto left_out = left_to_methods(configuration);
    std::vector<std::string_view> open;  // sections that the last line stands in
    for (const auto& key : all_keys()) {
        if (key.is_fixed() || left_out.contains(key.path)) continue;
        auto parts = split(key.path);
        const auto leaf = parts.back();
        parts.pop_back();
        const auto common =
            static_cast<std::size_t>(std::mismatch(open.begin(), open.end(), parts.begin(), parts.end()).first - open.begin());
        for (std::size_t depth = common; depth < parts.size(); ++depth) text += fmt::format("{:{}}{}:\n", "", 2 * depth, parts[depth]);
        text += fmt::format("{:{}}{}: {}\n", "", 2 * parts.size(), leaf, key.print(configuration.base));
        open = std::move(parts);
    }
    // The sweep is the last section of the table, so its axes follow it.
    if (configuration.axes.empty()) return text;
    text += "  axes:\n";
    for (const auto& axis : configuration.axes) {
        text += fmt::format("    {}: [", print_quoted(axis.name()));
        for (std::size_t t = 0; t < axis.tuples.size(); ++t) {
            std::string tuple;
            for (std::size_t k = 0; k < axis.keys.size(); ++k)
                tuple += (k == 0 ? "" : ", ") + axis.keys[k]->domain.print(axis.tuples[t][k]);
            text += (t == 0 ? "" : ", ") + (axis.keys.size() == 1 ? tuple : "[" + tuple + "]");
        }
        text += "]\n";
    }
    return text;
}

}  // namespace prelude::experiments
