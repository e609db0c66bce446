// SPDX-License-Identifier: Apache-2.0
#include "experiments/config/keys.hpp"

#include "experiments/config/methods.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

namespace prelude::experiments {

namespace {

const std::vector<Key>& table() {
    static const std::vector<Key> keys = [] {
        std::vector<Key> declared;
        declare_model_keys(declared);
        declare_quant_keys(declared);
        declare_hw_keys(declared);
        declare_sweep_keys(declared);
        return declared;
    }();
    return keys;
}

std::string_view leaf(std::string_view path) {
    const auto dot = path.rfind('.');
    return dot == std::string_view::npos ? path : path.substr(dot + 1);
}

std::string_view parent(std::string_view path) {
    const auto dot = path.rfind('.');
    return dot == std::string_view::npos ? std::string_view{} : path.substr(0, dot);
}

std::string_view type_name(Domain::Kind kind) {
    switch (kind) {
        case Domain::Kind::boolean: return "true or false";
        case Domain::Kind::integer: return "integer";
        case Domain::Kind::real: return "number";
        case Domain::Kind::choice: return "word";
        case Domain::Kind::choices: return "word or list of words";
        case Domain::Kind::integers: return "list of integers";
        case Domain::Kind::text: return "text";
        case Domain::Kind::texts: return "list of texts";
        case Domain::Kind::name: return "name";
        case Domain::Kind::path: return "path";
        case Domain::Kind::layers: return "list of mappings";
    }
    return {};
}

std::string explain_key(const Key& key) {
    std::string text = fmt::format("{}\n    {}\n", key.path, key.sentence);
    const auto line = [&](std::string_view name, std::string_view value) {
        if (!value.empty()) text += fmt::format("    {:<9} {}\n", name, value);
    };
    line("type", key.path == "sweep.axes" ? "mapping" : type_name(key.domain.kind()));
    line("unit", key.unit);
    line("allowed", key.domain.allowed());
    line("default", key.print(Settings{}));
    line("affects", name_of(key.affects));
    if (!key.effective.sentence.empty()) line("effective", fmt::format("only while {}", key.effective.sentence));
    if (key.is_fixed() && key.path != "sweep.axes") line("version", fmt::format("only {} in this version", key.fixed));
    line("because", key.because);
    line("source", key.source);
    if (key.path == "quant.method")
        for (const auto& method : all_methods()) {
            text += fmt::format("    {:<9} {}\n", method.name, method.sentence);
            for (const auto& preset : method.defaults) text += fmt::format("              {}: {}\n", preset.key, preset.value);
        }
    return text;
}

std::string markdown_cell(std::string_view text) {
    std::string result;
    for (const char c : text) {
        if (c == '|') result += '\\';
        result += c;
    }
    return result;
}

}  // namespace

std::string Key::print(const Settings& settings) const {
    return is_fixed() ? std::string(fixed) : domain.print(get(settings));
}

std::span<const Key> all_keys() {
    return table();
}

const Key* find_key(std::string_view path) {
    static const auto index = [] {
        std::unordered_map<std::string_view, const Key*> map;
        for (const auto& key : table()) map.emplace(key.path, &key);
        return map;
    }();
    const auto found = index.find(path);
    return found == index.end() ? nullptr : found->second;
}

bool is_section(std::string_view path) {
    const auto prefix = std::string(path) + ".";
    return std::any_of(table().begin(), table().end(), [&](const Key& key) { return key.path.starts_with(prefix); });
}

std::vector<std::string> names_in(std::string_view section) {
    const auto prefix = section.empty() ? std::string{} : std::string(section) + ".";
    std::vector<std::string> names;
    for (const auto& key : table()) {
        if (!key.path.starts_with(prefix)) continue;
        const auto rest = key.path.substr(prefix.size());
        const auto name = std::string(rest.substr(0, rest.find('.')));
        if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    return names;
}

std::string unknown_key_message(std::string_view path) {
    if (is_section(path)) return fmt::format("is a section, not a key; it has {}", fmt::join(names_in(path), ", "));
    const auto name = leaf(path);
    if (const auto near = closest(name, names_in(parent(path))); !near.empty()) return fmt::format("unknown key. Did you mean '{}'?", near);
    for (const auto& key : table())
        if (leaf(key.path) == name) return fmt::format("unknown key. Did you mean '{}'?", key.path);
    std::vector<std::string> paths;
    for (const auto& key : table()) paths.emplace_back(key.path);
    if (const auto near = closest(path, paths); !near.empty()) return fmt::format("unknown key. Did you mean '{}'?", near);
    return "unknown key";
}

std::optional<std::string> explain(std::string_view path) {
    if (path.starts_with("sweep.axes.")) path = "sweep.axes";
    if (const auto* key = find_key(path)) return explain_key(*key);
    const bool everything = path.empty() || path == "all";
    if (!everything && !is_section(path)) return std::nullopt;
    const auto prefix = everything ? std::string{} : std::string(path) + ".";
    std::string text;
    for (const auto& key : table())
        if (key.path.starts_with(prefix))
            text += fmt::format("{} = {}\n    {}\n    allowed   {}\n", key.path, key.print(Settings{}), key.sentence, key.domain.allowed());
    return text;
}

std::string keys_overview() {
    std::string text = "Configuration keys (`explore explain KEY` or SECTION says more):\n";
    for (const auto& section : names_in("")) {
        std::string line = fmt::format("  {:<9}", section);
        for (const auto& name : names_in(section)) {
            const auto word = is_section(fmt::format("{}.{}", section, name)) ? name + ".*" : name;
            if (line.size() + word.size() > 100) {
                text += line + "\n";
                line = std::string(11, ' ');
            }
            line += " " + word;
        }
        text += line + "\n";
    }
    return text;
}

std::string keys_page() {
    std::string page =
        "# Configuration keys\n\n"
        "Written from the key table (`experiments/config/keys_*.cpp`) by `scripts/update_expected_texts.sh`; do not edit.\n"
        "`explore explain KEY` prints one entry. Precedence: method preset, then file, then axis; `--set key=value` replaces the file's\n"
        "value, and on an axis key the axis. *Affects* says which cached results a key invalidates: `numeric` keys may change output "
        "bits,\n"
        "`hardware` keys never do.\n";
    std::string_view section;
    for (const auto& key : table()) {
        const auto top = key.path.substr(0, key.path.find('.'));
        if (top != section) {
            page += fmt::format("\n## {}\n\n| key | default | allowed | unit | affects | meaning |\n|---|---|---|---|---|---|\n", top);
            section = top;
        }
        std::string meaning{key.sentence};
        if (!key.effective.sentence.empty()) meaning += fmt::format(" Effective while {}.", key.effective.sentence);
        if (!key.because.empty()) meaning += fmt::format(" ({})", key.because);
        if (!key.source.empty()) meaning += fmt::format(" *{}*", key.source);
        page += fmt::format("| `{}` | `{}` | {} | {} | {} | {} |\n", key.path, markdown_cell(key.print(Settings{})),
                            markdown_cell(key.domain.allowed()), key.unit, name_of(key.affects), markdown_cell(meaning));
    }
    page += "\n## Methods\n\nWhat the presets of `quant.method` set.\n";
    for (const auto& method : all_methods()) {
        page += fmt::format("\n* `{}`: {}", method.name, method.sentence);
        for (const auto& preset : method.defaults) page += fmt::format(" `{}: {}`", preset.key, preset.value);
    }
    return page + "\n";
}

std::string_view name_of(Affects affects) noexcept {
    switch (affects) {
        case Affects::numeric: return "numeric";
        case Affects::hardware: return "hardware";
        case Affects::workload: return "workload";
        case Affects::none: return "none";
    }
    return {};
}

}  // namespace prelude::experiments
