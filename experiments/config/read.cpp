// SPDX-License-Identifier: Apache-2.0
#include "experiments/config/check.hpp"
#include "experiments/config/configuration.hpp"
#include "experiments/config/layers_file.hpp"
#include "experiments/config/located_yaml.hpp"
#include "experiments/config/methods.hpp"
#include "experiments/config/tables.hpp"
#include "experiments/sweep/grid.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace prelude::experiments {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxAxisValues = 10'000;
constexpr std::string_view kAxes = "sweep.axes";

std::string allowed_text(const Key& key) {
    auto text = key.domain.allowed();
    if (!key.unit.empty()) text += fmt::format("   ({})", key.unit);
    return text;
}

void relocate(Node& node, const Location& where) {
    node.where = where;
    for (auto& item : node.items) relocate(item, where);
    for (auto& member : node.members) {
        member.where = where;
        relocate(member.value, where);
    }
}

/// One reading of a configuration: collects problems, builds the Configuration at the end.
class Reader {
  public:
    Reader(std::string source, fs::path folder, fs::path arch_configs)
        : arch_configs_(std::move(arch_configs)), file_folder_(std::move(folder)) {
        configuration_.source = std::move(source);
    }

    void read_root(const Node& root) {
        folder_ = file_folder_;
        if (root.kind == Node::Kind::null)
            problems_.add({configuration_.source}, "the file is empty; a configuration is a mapping of sections");
        else if (root.kind != Node::Kind::mapping)
            problems_.add(root.where, fmt::format("got {}; a configuration is a mapping of sections", root.describe()));
        else
            read_section(root, "");
    }

    void read_set(const std::string& argument) {
        folder_.reset();
        const Location where{"--set " + shown(argument, 200)};
        const auto equals = argument.find('=');
        if (equals == std::string::npos) {
            problems_.add({where, {}, "got no '='", "key=value, the value as in YAML", {}});
            return;
        }
        const auto path = argument.substr(0, equals);
        Problems inner;
        auto node = parse_yaml(std::string_view(argument).substr(equals + 1), where.source, inner);
        relocate(node, where);
        for (auto problem : inner.items()) {
            problem.where = where;
            problems_.add(std::move(problem));
        }
        if (!inner.empty()) return;
        if (path == kAxes) {
            configuration_.axes.clear();
            read_axes(node);
        } else if (path.starts_with("sweep.axes.")) {
            read_axis(path.substr(kAxes.size() + 1), where, node, true);
        } else if (const auto* key = find_key(path)) {
            note_items(*key, node);
            if (const auto value = read_value(*key, node)) set(*key, *value, where);
        } else {
            problems_.add({where, shown(path), unknown_key_message(path), {}, {}, true});
        }
    }

    Problems& problems() noexcept { return problems_; }

    Configuration finish() {
        if (problems_.empty()) put_together();
        load_library();
        read_layer_files();
        check_sweep();
        if (problems_.empty()) check_points(configuration_, problems_);
        if (problems_.empty()) check_pinned_mappings(configuration_, problems_);
        problems_.throw_if_any();
        std::ranges::move(idle_key_warnings(configuration_), std::back_inserter(configuration_.warnings));
        return std::move(configuration_);
    }

  private:
    void read_section(const Node& section, const std::string& prefix) {
        for (const auto& member : section.members) {
            const auto path = prefix.empty() ? member.name : prefix + "." + member.name;
            auto value = member.value;
            if (value.kind == Node::Kind::null) value.where = member.where;
            const bool dotted = member.name.find('.') != std::string::npos;
            if (path == kAxes) {
                read_axes(value);
            } else if (const auto* key = dotted ? nullptr : find_key(path)) {
                note_items(*key, value);
                if (const auto read = read_value(*key, value)) configuration_.assignments.push_back({key, *read, value.where});
            } else if (!dotted && is_section(path)) {
                if (value.kind == Node::Kind::mapping)
                    read_section(value, path);
                else if (value.kind != Node::Kind::null)
                    problems_.add({value.where,
                                   path,
                                   "got " + value.describe(),
                                   fmt::format("a mapping of {}", fmt::join(names_in(path), ", ")),
                                   {}});
            } else if (dotted && (find_key(path) != nullptr)) {
                problems_.add({member.where, path, "dotted keys belong to axes and --set; in a file they are nested", {}, {}, false});
            } else {
                problems_.add({member.where, shown(path), unknown_key_message(path), {}, {}, true});
            }
        }
    }

    /// Where each text of a list stands: constraints and objectives are checked once everything is read.
    void note_items(const Key& key, const Node& node) {
        auto& places = item_places_[&key];
        places.clear();
        for (const auto& item : node.items) places.push_back(item.where);
    }

    std::optional<Value> read_value(const Key& key, const Node& node) {
        std::vector<Refusal> refusals;
        auto value = key.domain.read(node, refusals);
        if (key.is_fixed() && (value ? key.domain.print(*value) != key.fixed : key.domain.words().size() == 1)) {
            problems_.add({node.where,
                           std::string(key.path),
                           fmt::format("{} is not available in this version", node.describe()),
                           std::string(key.fixed),
                           {}});
            return std::nullopt;
        }
        for (auto& refusal : refusals) {
            auto allowed = refusal.allowed.empty() ? allowed_text(key) : std::move(refusal.allowed);
            problems_.add({refusal.where, std::string(key.path), std::move(refusal.found), std::move(allowed),
                           refusal.unavailable ? "" : std::string(key.because)});
        }
        if (value && key.domain.kind() == Domain::Kind::path) return locate(key, std::get<std::string>(*value), node.where);
        return value;
    }

    /// A path as written when it exists from the working directory, else beside the file that names it.
    std::optional<Value> locate(const Key& key, const std::string& text, const Location& where) {
        for (const auto& word : key.domain.words())
            if (word.name == text) return text;
        std::error_code failure;
        auto path = fs::path(text);
        if (!fs::exists(path, failure) && folder_ && path.is_relative()) path = (*folder_ / path).lexically_normal();
        const auto status = fs::status(path, failure);
        if (fs::is_regular_file(status) || (fs::is_directory(status) && key.domain.may_be_folder())) return path.string();
        problems_.add({where, std::string(key.path),
                       fmt::format("{}: {}", fs::exists(status) ? "not a file" : "no such file", shown(text, 200)), allowed_text(key),
                       std::string(key.because)});
        return std::nullopt;
    }

    void read_axes(const Node& axes) {
        if (axes.kind != Node::Kind::mapping) {
            if (axes.kind != Node::Kind::null)
                problems_.add({axes.where, std::string(kAxes), "got " + axes.describe(), allowed_text(*find_key(kAxes)), {}});
            return;
        }
        for (const auto& member : axes.members) {
            auto values = member.value;
            if (values.kind == Node::Kind::null) values.where = member.where;
            read_axis(member.name, member.where, values, false);
        }
    }

    void read_axis(const std::string& name, const Location& where, const Node& values, bool replaces) {
        Axis axis;
        axis.where = where;
        if (!read_axis_keys(name, axis, replaces)) return;
        const auto full = axis.name();
        if (values.kind != Node::Kind::sequence || values.items.empty()) {
            problems_.add({values.where,
                           fmt::format("{}.{}", kAxes, full),
                           values.kind == Node::Kind::sequence ? "got an empty list" : "got " + values.describe(),
                           axis.keys.size() == 1 ? "a list of values" : fmt::format("a list of lists of {} values", axis.keys.size()),
                           {}});
            return;
        }
        if (values.items.size() > kMaxAxisValues) {
            problems_.add({values.where,
                           fmt::format("{}.{}", kAxes, full),
                           fmt::format("{} values", values.items.size()),
                           fmt::format("up to {} values on an axis", kMaxAxisValues),
                           {}});
            return;
        }
        bool complete = true;
        std::set<std::string> seen;
        for (const auto& item : values.items) {
            auto tuple = read_tuple(axis, item);
            if (!tuple) {
                complete = false;
                continue;
            }
            std::string text;
            for (std::size_t k = 0; k < tuple->size(); ++k) text += (k == 0 ? "" : ", ") + axis.keys[k]->domain.print((*tuple)[k]);
            if (seen.insert(text).second) {
                axis.tuples.push_back(std::move(*tuple));
            } else {
                problems_.add({item.where,
                               fmt::format("{}.{}", kAxes, full),
                               fmt::format("{} is listed twice", axis.keys.size() == 1 ? text : "[" + text + "]"),
                               "different values",
                               {}});
                complete = false;
            }
        }
        if (!complete) return;
        if (replaces)
            for (auto& existing : configuration_.axes)
                if (existing.keys == axis.keys) {
                    existing = std::move(axis);
                    return;
                }
        configuration_.axes.push_back(std::move(axis));
    }

    bool read_axis_keys(const std::string& name, Axis& axis, bool replaces) {
        bool good = true;
        const auto refuse = [&](std::string key, std::string message, bool unknown) {
            problems_.add({axis.where, std::move(key), std::move(message), {}, {}, unknown});
            good = false;
        };
        std::size_t start = 0;
        while (start <= name.size()) {
            const auto comma = std::min(name.find(',', start), name.size());
            auto path = name.substr(start, comma - start);
            path.erase(0, path.find_first_not_of(' '));
            path.erase(path.find_last_not_of(' ') + 1);
            start = comma + 1;
            const auto* key = find_key(path);
            if (key == nullptr)
                refuse(shown(path), "on an axis: " + unknown_key_message(path), true);
            else if (!key->is_of_a_point())
                refuse(path, "cannot be an axis: it describes the sweep, not a design point", false);
            else if (std::find(axis.keys.begin(), axis.keys.end(), key) != axis.keys.end())
                refuse(path, "stands twice in one axis", false);
            else
                axis.keys.push_back(key);
        }
        if (!good) return false;
        for (const auto& other : configuration_.axes) {
            if (replaces && other.keys == axis.keys) continue;
            for (const auto* key : axis.keys)
                if (std::find(other.keys.begin(), other.keys.end(), key) != other.keys.end())
                    refuse(std::string(key->path), fmt::format("is on two axes; the first is at {}", other.where.text()), false);
        }
        return good;
    }

    std::optional<std::vector<Value>> read_tuple(const Axis& axis, const Node& item) {
        std::vector<Value> tuple;
        if (axis.keys.size() == 1) {
            if (auto value = read_value(*axis.keys[0], item)) tuple.push_back(std::move(*value));
        } else if (item.kind != Node::Kind::sequence || item.items.size() != axis.keys.size()) {
            const auto found =
                item.kind == Node::Kind::sequence ? fmt::format("got a list of {}", item.items.size()) : "got " + item.describe();
            problems_.add({item.where, fmt::format("{}.{}", kAxes, axis.name()), found,
                           fmt::format("lists of {} values, one for each key", axis.keys.size()), "keys joined by commas move together"});
        } else {
            for (std::size_t k = 0; k < axis.keys.size(); ++k)
                if (auto value = read_value(*axis.keys[k], item.items[k])) tuple.push_back(std::move(*value));
        }
        if (tuple.size() != axis.keys.size()) return std::nullopt;
        return tuple;
    }

    /// --set: overrides the file, and takes the key off its axis. The tuples that are left may coincide; the first of equals stays.
    void set(const Key& key, const Value& value, const Location& where) {
        auto& assignments = configuration_.assignments;
        std::erase_if(assignments, [&](const Assignment& assignment) { return assignment.key == &key; });
        assignments.push_back({&key, value, where});
        for (auto& axis : configuration_.axes) {
            const auto found = std::find(axis.keys.begin(), axis.keys.end(), &key);
            if (found == axis.keys.end()) continue;
            const auto position = found - axis.keys.begin();
            axis.keys.erase(found);
            std::vector<std::vector<Value>> left;
            for (auto& tuple : axis.tuples) {
                tuple.erase(tuple.begin() + position);
                if (std::find(left.begin(), left.end(), tuple) == left.end()) left.push_back(std::move(tuple));
            }
            axis.tuples = std::move(left);
        }
        std::erase_if(configuration_.axes, [](const Axis& axis) { return axis.keys.empty(); });
    }

    void put_together() {
        auto& base = configuration_.base;
        const auto* method = find_key("quant.method");
        for (const auto& assignment : configuration_.assignments)
            if (assignment.key == method) method->set(base, assignment.value);
        apply_method(std::string(base.quant.method), base);
        for (const auto& assignment : configuration_.assignments)
            if (!assignment.key->is_fixed()) assignment.key->set(base, assignment.value);
        if (base.hw.device.name == Settings{}.hw.device.name) used_devices_.emplace(base.hw.device.name, Location{configuration_.source});
        used_costs_.emplace(base.cost_table, Location{configuration_.source});
    }

    /// Device and cost files of every name in use; an unknown name is a problem of the place that uses it.
    void load_library() {
        const auto* device_key = find_key("hw.device");
        const auto* costs_key = find_key("hw.costs");
        const auto* mapping_key = find_key("hw.mapping");
        const auto note = [&](const Key* key, const Value& value, const Location& where) {
            if (key == device_key) used_devices_.insert_or_assign(std::get<std::string>(value), where);
            if (key == costs_key) used_costs_.insert_or_assign(std::get<std::string>(value), where);
            if (key == mapping_key && std::get<std::string>(value) != mapping_key->domain.word_of(0)) {
                const auto [entries, is_new] = configuration_.mappings.try_emplace(std::get<std::string>(value));
                if (is_new) entries->second = read_mapping_file(entries->first, problems_);
            }
        };
        for (const auto& assignment : configuration_.assignments) note(assignment.key, assignment.value, assignment.where);
        for (const auto& axis : configuration_.axes)
            for (const auto& tuple : axis.tuples)
                for (std::size_t k = 0; k < axis.keys.size(); ++k) note(axis.keys[k], tuple[k], axis.where);
        load(*device_key, used_devices_, arch_configs_ / "devices", read_device, configuration_.devices);
        load(*costs_key, used_costs_, arch_configs_ / "costs", read_cost_table, configuration_.costs);
        configuration_.fill(configuration_.base);
    }

    /// Files of layers are read once here, for what is wrong with them: what a point computes is read where it is computed.
    void read_layer_files() {
        const auto* key = find_key("model.path");
        std::set<std::string> files;
        for (const auto& assignment : configuration_.assignments)
            if (assignment.key == key) files.insert(std::get<std::string>(assignment.value));
        for (const auto& axis : configuration_.axes)
            for (const auto& tuple : axis.tuples)
                for (std::size_t k = 0; k < axis.keys.size(); ++k)
                    if (axis.keys[k] == key) files.insert(std::get<std::string>(tuple[k]));
        for (const auto& file : files)
            if (file != key->domain.word_of(0)) (void)read_layers(file, problems_);
    }

    template <typename Entry>
    void load(const Key& key, const std::map<std::string, Location>& used, const fs::path& folder,
              std::optional<Entry> (*read)(const fs::path&, Problems&), std::map<std::string, Entry>& entries) {
        const auto names = names_of_files(folder);
        for (const auto& [name, where] : used) {
            if (std::find(names.begin(), names.end(), name) == names.end()) {
                const auto near = closest(name, names);
                problems_.add({where, std::string(key.path),
                               fmt::format("got {}{}", name, near.empty() ? "" : fmt::format(". Did you mean '{}'?", near)),
                               fmt::format("{}", fmt::join(names, ", ")),
                               fmt::format("each is a file of arch_configs/{}", folder.filename().string())});
            } else if (auto entry = read(folder / (name + ".yaml"), problems_)) {
                entries.emplace(name, std::move(*entry));
            }
        }
    }

    void check_sweep() {
        for (const auto& assignment : configuration_.assignments) {
            const auto* texts = std::get_if<std::vector<std::string>>(&assignment.value);
            if (texts == nullptr) continue;
            for (std::size_t i = 0; i < texts->size(); ++i) {
                std::optional<BadConstraint> bad;
                if (assignment.key->path == "sweep.constraints") {
                    auto parsed = parse_constraint((*texts)[i]);
                    if (const auto* constraint = std::get_if<Constraint>(&parsed))
                        configuration_.constraints.push_back(*constraint);
                    else
                        bad = std::get<BadConstraint>(parsed);
                } else {
                    bad = check_objective((*texts)[i]);
                }
                if (bad)
                    problems_.add(
                        {item_places_.at(assignment.key).at(i), std::string(assignment.key->path), bad->message, bad->allowed, {}});
            }
        }
        const auto& sweep = configuration_.base.sweep;
        check_tables(configuration_, problems_);
        for (const auto& column : sweep.maximize)
            if (std::find(sweep.minimize.begin(), sweep.minimize.end(), column) != sweep.minimize.end())
                problems_.add({configuration_.where("sweep.objectives.max"),
                               "sweep.objectives.max",
                               fmt::format("{} is also minimised", column),
                               {},
                               {}});
        const auto count = count_combinations(configuration_.axes);
        const bool random = sweep.strategy == SweepStrategy::random;
        if (!count || (!random && *count > Grid::kMaxGridPoints))
            problems_.add({configuration_.axes.front().where,
                           std::string(kAxes),
                           count ? fmt::format("a grid of {} points", *count) : "a grid of more than 2^62 points",
                           random ? "up to 2^62 combinations"
                                  : fmt::format("up to {} points; more with sweep.strategy: random", Grid::kMaxGridPoints),
                           {}});
    }

    fs::path arch_configs_;
    fs::path file_folder_;
    std::optional<fs::path> folder_;  ///< beside which relative paths are looked up; none for --set
    Problems problems_;
    Configuration configuration_;
    std::map<std::string, Location> used_devices_, used_costs_;
    std::map<const Key*, std::vector<Location>> item_places_;
};

Configuration read(Reader& reader, const Node& root, bool parsed, const std::vector<std::string>& sets) {
    if (parsed) reader.read_root(root);
    for (const auto& argument : sets) reader.read_set(argument);
    return reader.finish();
}

}  // namespace

std::string Axis::name() const {
    std::string text;
    for (const auto* key : keys) text += (text.empty() ? "" : ",") + std::string(key->path);
    return text;
}

bool Configuration::is_axis(const Key* key) const noexcept {
    return std::any_of(axes.begin(), axes.end(),
                       [&](const Axis& axis) { return std::find(axis.keys.begin(), axis.keys.end(), key) != axis.keys.end(); });
}

void Configuration::fill(Settings& settings) const {
    if (const auto device = devices.find(settings.hw.device.name); device != devices.end()) settings.hw.device = device->second;
    settings.mapping.entries.clear();
    if (const auto file = mappings.find(settings.mapping.path); file != mappings.end())
        for (const auto& entry : file->second) settings.mapping.entries.push_back(entry.pin);
}

Location Configuration::where(std::string_view path) const {
    for (const auto& axis : axes)
        for (const auto* key : axis.keys)
            if (key->path == path) return axis.where;
    for (const auto& assignment : assignments)
        if (assignment.key->path == path) return assignment.where;
    return {source};
}

Configuration read_configuration(const fs::path& file, const std::vector<std::string>& sets, const fs::path& arch_configs) {
    Reader reader(file.string(), file.parent_path(), arch_configs);
    const auto root = read_yaml(file, reader.problems());
    const bool parsed = root.kind != Node::Kind::null || reader.problems().empty();
    return read(reader, root, parsed, sets);
}

Configuration read_configuration_text(std::string_view text, const std::string& source, const std::vector<std::string>& sets,
                                      const fs::path& arch_configs) {
    Reader reader(source, {}, arch_configs);
    const auto root = parse_yaml(text, source, reader.problems());
    const bool parsed = root.kind != Node::Kind::null || reader.problems().empty();
    return read(reader, root, parsed, sets);
}

ConfigError rejection(const Configuration& configuration, std::string_view key, std::string message, std::string allowed,
                      std::string because) {
    Problems problems;
    problems.add({configuration.where(key), std::string(key), std::move(message), std::move(allowed), std::move(because)});
    return {problems.text(), problems.size()};
}

}  // namespace prelude::experiments
