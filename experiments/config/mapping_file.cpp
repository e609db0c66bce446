// SPDX-License-Identifier: Apache-2.0
#include "experiments/config/mapping_file.hpp"

#include "experiments/config/located_yaml.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace prelude::experiments {

namespace {

constexpr std::string_view kKey = "hw.mapping";
constexpr std::int64_t kMaxExtent = std::int64_t{1} << 40;

/// A field of an entry: a number with its range, or one of two words.
struct Field {
    std::string_view name;
    std::int64_t low = 1, high = kMaxExtent;
    std::array<std::string_view, 2> words{};
    void (*set)(sim::Mapping&, std::int64_t) = nullptr;

    [[nodiscard]] std::string allowed() const { return words[0].empty() ? (high == kMaxExtent ? std::string("1 or more") : fmt::format("{}..{}", low, high)) : fmt::format("{}, {}", words[0], words[1]); }
};

const std::vector<Field>& fields() {
    using sim::Mapping;
    static const std::vector<Field> kFields{
        {"rows", 1, kMaxExtent, {}, [](Mapping& m, std::int64_t v) { m.tile_rows = v; }},
        {"cols", 1, kMaxExtent, {}, [](Mapping& m, std::int64_t v) { m.tile_cols = v; }},
        {"depth", 1, kMaxExtent, {}, [](Mapping& m, std::int64_t v) { m.tile_depth = v; }},
        {"queries", 1, kMaxExtent, {}, [](Mapping& m, std::int64_t v) { m.tile_rows = v; }},
        {"keys", 1, kMaxExtent, {}, [](Mapping& m, std::int64_t v) { m.tile_cols = v; }},
        {"order", 0, 1, {"rows_outer", "cols_outer"}, [](Mapping& m, std::int64_t v) { m.order = v == 0 ? sim::LoopOrder::rows_outer : sim::LoopOrder::cols_outer; }},
        {"dataflow", 0, 1, {"output_stationary", "weight_stationary"}, [](Mapping& m, std::int64_t v) { m.weight_stationary = v != 0; }},
        {"swap", 0, 1, {"false", "true"}, [](Mapping& m, std::int64_t v) { m.swap = v != 0; }},
        {"slots", 1, 2, {}, [](Mapping& m, std::int64_t v) { m.slots = static_cast<int>(v); }},
        {"score_slots", 1, sim::kMaxScoreSlots, {}, [](Mapping& m, std::int64_t v) { m.score_slots = static_cast<int>(v); }},
        {"key_slots", 1, 2, {}, [](Mapping& m, std::int64_t v) { m.key_slots = static_cast<int>(v); }},
    };
    return kFields;
}

/// What a kind of segment has: fields that must be there, and that may.
struct Form {
    std::string_view what;
    std::vector<std::string_view> needed, optional;
};
const std::array<Form, 3>& forms() {
    static const std::array<Form, 3> kForms{{{"fused attention", {"queries", "keys"}, {"slots", "score_slots", "key_slots"}},
                                             {"a product", {"rows", "cols", "depth"}, {"order", "dataflow", "swap", "slots"}},
                                             {"rows", {"rows"}, {"slots"}}}};
    return kForms;
}

std::optional<std::int64_t> number_in(const Field& field, const Node& node) {
    if (node.kind != Node::Kind::scalar || node.quoted) return std::nullopt;
    if (!field.words[0].empty()) {
        const auto word = std::ranges::find(field.words, node.text);
        return word == field.words.end() ? std::nullopt : std::optional<std::int64_t>(word - field.words.begin());
    }
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(node.text.data(), node.text.data() + node.text.size(), number);
    if (error != std::errc{} || end != node.text.data() + node.text.size() || number < field.low || number > field.high) return std::nullopt;
    return number;
}

/// Whether the fields of an entry are those of one kind of segment.
void check_form(const MappingEntry& entry, Problems& problems) {
    const auto has = [&](std::string_view name) { return entry.fields.contains(name); };
    const auto& form = has("queries") || has("keys") ? forms()[0] : has("cols") || has("depth") ? forms()[1] : forms()[2];
    std::vector<std::string_view> missing;
    std::ranges::copy_if(form.needed, std::back_inserter(missing), [&](auto name) { return !has(name); });
    if (!missing.empty())
        problems.add({entry.where, std::string(kKey), fmt::format("{}: no {}", entry.pin.pattern, fmt::join(missing, ", ")),
                      "products: rows, cols, depth; fused attention: queries, keys; other segments: rows", {}});
    for (const auto& [name, where] : entry.fields)
        if (std::ranges::find(form.needed, name) == form.needed.end() && std::ranges::find(form.optional, name) == form.optional.end())
            problems.add({where, std::string(kKey), fmt::format("{}: the mapping of {} has no {}", entry.pin.pattern, form.what, name),
                          fmt::format("{}, {}", fmt::join(form.needed, ", "), fmt::join(form.optional, ", ")), {}});
}

std::optional<MappingEntry> read_entry(const Node& node, Problems& problems) {
    const auto refuse = [&](const Location& where, std::string message, std::string allowed) { problems.add({where, std::string(kKey), std::move(message), std::move(allowed), {}}); };
    const auto before = problems.size();
    if (node.kind != Node::Kind::mapping) {
        refuse(node.where, "got " + node.describe(), "{segment: NAME, rows: ..., ...}");
        return std::nullopt;
    }
    MappingEntry entry{.pin = {}, .where = node.where, .fields = {}};
    const auto* segment = node.find("segment");
    if (segment == nullptr || segment->kind != Node::Kind::scalar || segment->text.empty()) refuse(segment ? segment->where : node.where, segment ? "segment: got " + segment->describe() : "no segment", "segment: the name of one, or a pattern with * and ?");
    else entry.pin.pattern = segment->text;
    for (const auto& member : node.members) {
        if (member.name == "segment") continue;
        const auto field = std::ranges::find(fields(), member.name, &Field::name);
        if (field == fields().end()) {
            std::vector<std::string> names{"segment"};
            for (const auto& each : fields()) names.emplace_back(each.name);
            const auto near = closest(member.name, names);
            refuse(member.where, fmt::format("{}: unknown field{}", shown(member.name), near.empty() ? "." : fmt::format(". Did you mean '{}'?", near)), fmt::format("{}", fmt::join(names, ", ")));
            continue;
        }
        const auto number = number_in(*field, member.value);
        if (!number) refuse(member.value.kind == Node::Kind::null ? member.where : member.value.where, fmt::format("{}: got {}", member.name, member.value.describe()), field->allowed());
        else field->set(entry.pin.mapping, *number);
        entry.fields.emplace(member.name, member.value.where);
    }
    if (problems.size() != before) return std::nullopt;
    check_form(entry, problems);
    return problems.size() == before ? std::optional(std::move(entry)) : std::nullopt;
}

}  // namespace

std::vector<MappingEntry> read_mapping_file(const std::filesystem::path& file, Problems& problems) {
    const auto before = problems.size();
    const auto root = read_yaml(file, problems);
    if (problems.size() != before) return {};
    std::vector<MappingEntry> entries;
    const auto* list = root.kind == Node::Kind::mapping && root.members.size() == 1 ? root.find("mappings") : nullptr;
    if (list == nullptr || list->kind != Node::Kind::sequence) {
        problems.add({list ? list->where : root.where, std::string(kKey), list ? "mappings: got " + list->describe() : "no list of mappings", "mappings: [{segment: NAME, rows: ..., ...}, ...]",
                      "`explore inspect --config FILE --mapping-out FILE` writes such a file"});
        return {};
    }
    for (const auto& item : list->items)
        if (auto entry = read_entry(item, problems)) entries.push_back(std::move(*entry));
    return entries;
}

std::string mapping_file_text(std::span<const std::pair<std::string, std::string>> mappings, const std::string& title) {
    auto text = fmt::format("# {}\n# `hw.mapping: FILE` uses them as given; a segment may be a pattern with * and ?, the last entry that matches counts.\nmappings:\n", title);
    for (const auto& [segment, mapping] : mappings) text += fmt::format("  - {{segment: {}, {}}}\n", segment, mapping);
    return text;
}

}  // namespace prelude::experiments
