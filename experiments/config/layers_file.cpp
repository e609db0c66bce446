// SPDX-License-Identifier: Apache-2.0
#include "experiments/config/layers_file.hpp"

#include "experiments/config/section.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace prelude::experiments {

namespace {

constexpr std::size_t kMaxNameBytes = 64;

bool is_name(std::string_view text) {
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    return !text.empty() && text.size() <= kMaxNameBytes && is_letter(text[0]) && std::ranges::all_of(text, [&](char c) { return is_letter(c) || is_digit(c); });
}

/// Reads items and remembers where each stands, in the order in which models::LayerProblem counts them.
class ItemReader {
  public:
    explicit ItemReader(Problems& problems) : problems_(problems) {}

    std::vector<models::LayerItem> items(const Node& list, const std::string& path, std::size_t depth) {
        std::vector<models::LayerItem> result;
        const bool is_list = list.kind == Node::Kind::sequence;
        if (depth > models::LayerLimits::kMaxDepth) {
            problems_.add({list.where, {}, fmt::format("{}: groups stand in groups", path), fmt::format("up to {} deep", models::LayerLimits::kMaxDepth), {}});
            return result;
        }
        if (!is_list || list.items.empty()) {
            problems_.add({list.where, {}, fmt::format("{}: got {}", path, is_list ? "an empty list" : list.describe()), "a list of layers", {}});
            return result;
        }
        for (std::size_t i = 0; i < list.items.size(); ++i) {
            const auto& node = list.items[i];
            nodes_.push_back(&node);
            const auto* given = node.find("name");
            const auto shown_path = given != nullptr && is_name(given->text) ? given->text : fmt::format("{}[{}]", path, i);
            if (node.find("layers") != nullptr || node.find("repeat") != nullptr) result.emplace_back(group(node, shown_path, depth));
            else result.emplace_back(layer(node, shown_path));
        }
        return result;
    }

    /// Where a problem of the builder stands: the size it is about, else the item.
    [[nodiscard]] Location place(const models::LayerProblem& problem) const {
        const auto& node = *nodes_.at(problem.item);
        const auto* field = node.find(problem.field);
        return field != nullptr ? field->where : node.where;
    }

  private:
    models::LayerGroup group(const Node& node, const std::string& path, std::size_t depth) {
        Section section(node, path, problems_);
        models::LayerGroup result;
        result.name = name(section);
        result.repeat = section.integer("repeat", 1, models::LayerLimits::kMaxLayers);
        const auto* list = section.get("layers");
        section.finish();
        if (list != nullptr) result.items = items(*list, path + ".layers", depth + 1);
        return result;
    }

    models::Layer layer(const Node& node, const std::string& path) {
        Section section(node, path, problems_);
        models::Layer result;
        if (node.kind != Node::Kind::mapping) return result;
        result.name = name(section);
        std::vector<std::string> kinds;
        for (const auto& kind : models::layer_kinds()) kinds.emplace_back(kind.name);
        const auto op = section.word("op", kinds);
        for (const auto& kind : models::layer_kinds())
            if (kind.name == op) result.kind = kind.kind;
        for (const auto& field : models::layer_fields()) result.*field.value = section.integer(field.name, field.low, field.high);
        result.transposed = section.get("transposed", false) != nullptr && section.word("transposed", {"true", "false"}) == "true";
        if (const auto* of = section.get("of", false)) read_names(section, *of, result.of);
        section.finish();
        return result;
    }

    std::string name(Section& section) {
        const auto* found = section.get("name");
        if (found == nullptr) return {};
        if (found->kind == Node::Kind::scalar && is_name(found->text)) return found->text;
        section.refuse("name", *found, fmt::format("up to {} letters, digits and underscores, a letter first", kMaxNameBytes));
        return {};
    }

    static void read_names(Section& section, const Node& of, std::vector<std::string>& names) {
        const auto read = [&](const Node& item) {
            if (item.kind == Node::Kind::scalar && is_name(item.text)) names.push_back(item.text);
            else section.refuse("of", item, "the name of an earlier layer, previous, input");
        };
        if (of.kind != Node::Kind::sequence) return read(of);
        for (const auto& item : of.items) read(item);
        if (of.items.empty() || of.items.size() > 2) section.refuse("of", of, "one name, or a list of two");
    }

    Problems& problems_;
    std::vector<const Node*> nodes_;
};

}  // namespace

std::optional<models::Graph> read_layers(const std::filesystem::path& file, Problems& problems) {
    const auto before = problems.size();
    auto root = read_yaml(file, problems);
    if (root.kind == Node::Kind::null) root.where = {file.string()};  // an empty file has no first line
    if (problems.size() != before) return std::nullopt;
    Section section(root, "", problems);
    const auto* list = section.get("layers");
    section.finish();
    if (list == nullptr) return std::nullopt;
    ItemReader reader(problems);
    const models::LayerGroup network{.items = reader.items(*list, "layers", 0)};
    if (problems.size() != before) return std::nullopt;  // sizes are in their ranges from here on
    auto built = models::build_layers(network);
    for (const auto& problem : built.problems) problems.add(reader.place(problem), problem.message);
    return problems.size() == before ? std::optional(std::move(built.graph)) : std::nullopt;
}

models::Graph layers_graph(const std::filesystem::path& file) {
    Problems problems;
    auto graph = read_layers(file, problems);
    problems.throw_if_any();
    return std::move(*graph);
}

}  // namespace prelude::experiments
