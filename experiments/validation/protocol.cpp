// SPDX-License-Identifier: Apache-2.0
#include "experiments/validation/protocol.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/columns.hpp"
#include "experiments/config/section.hpp"

namespace prelude::experiments {

namespace {

namespace fs = std::filesystem;

constexpr double kLargestFigure = 1e15;

/// The members of the one mapping or list that a file holds under `name`.
template <typename Read>
void read_file(const fs::path& file, std::string_view name, Node::Kind kind, Problems& problems, Read read) {
    const auto before = problems.size();
    auto root = read_yaml(file, problems);
    if (root.kind == Node::Kind::null) root.where = {file.string()};
    if (problems.size() != before) return;
    Section section(root, "", problems);
    const auto* content = section.get(name);
    section.finish();
    if (content == nullptr) return;
    if (content->kind == kind) read(*content);
    else section.refuse(name, *content, kind == Node::Kind::mapping ? "a mapping" : "a list");
}

void read_assumption(const Member& member, Problems& problems, std::vector<Assumption>& assumptions) {
    const auto* key = find_key(member.name);
    if (key == nullptr || !key->is_of_a_point() || key->is_fixed()) {
        const bool unknown = key == nullptr;
        problems.add({member.where, shown(member.name), unknown ? unknown_key_message(member.name) : "not a key that a design may leave open", {}, {}, unknown});
        return;
    }
    Section section(member.value, member.name, problems);
    const auto before = problems.size();
    const auto read = [&](std::string_view name) -> Value {
        const auto* node = section.get(name);
        if (node == nullptr) return {};
        std::vector<Refusal> refusals;
        if (auto value = key->domain.read(*node, refusals)) return *std::move(value);
        section.refuse(name, *node, key->domain.allowed());
        return {};
    };
    Assumption result{.key = key, .standard = read("default"), .slow = read("slow"), .fast = read("fast")};
    section.finish();
    if (problems.size() != before) return;
    if (const auto standard = key->print(Settings{}); key->domain.print(result.standard) != standard)
        problems.add({member.value.where, std::string(key->path), "got default " + key->domain.print(result.standard), standard, "it is the key's own default"});
    assumptions.push_back(std::move(result));
}

PublishedDesign read_design(const Node& node, const fs::path& folder, Problems& problems) {
    PublishedDesign design;
    Section section(node, "designs", problems);
    if (node.kind != Node::Kind::mapping) return design;
    design.name = section.text("name");
    design.figure = section.text("figure");
    design.copies = section.integer("copies", 1, 1024).value_or(1);
    const auto* column = find_column(design.figure);
    if (column != nullptr && column->kind == Column::Kind::number) design.unit = column->unit;
    else if (design.figure == kArrayTime) design.unit = "ms";
    else if (const auto* figure = node.find("figure")) section.refuse("figure", *figure, fmt::format("a column of results.csv that is a number, or {}", kArrayTime));
    const auto* runs = section.get("runs");
    if (runs != nullptr && (runs->kind != Node::Kind::sequence || runs->items.empty()))
        section.refuse("runs", *runs, "a list of configurations of the folder, without .yaml");
    for (std::size_t i = 0; runs != nullptr && i < runs->items.size(); ++i) {
        const auto& run = runs->items[i];
        const auto domain = Domain::name("the name of a file in the folder, without .yaml");
        std::vector<Refusal> refusals;
        if (!domain.read(run, refusals)) section.refuse("runs", run, domain.allowed());
        else if (!fs::exists(folder / (run.text + ".yaml"))) problems.add({run.where, {}, fmt::format("designs.runs: no file {}.yaml beside it", run.text), {}, {}});
        else design.runs.push_back(run.text);
    }
    section.finish();
    return design;
}

}  // namespace

Protocol read_protocol(const fs::path& folder, Problems& problems) {
    Protocol protocol;
    read_file(folder / "designs.yaml", "designs", Node::Kind::sequence, problems, [&](const Node& list) {
        for (const auto& node : list.items) {
            auto design = read_design(node, folder, problems);
            if (std::ranges::find(protocol.designs, design.name, &PublishedDesign::name) != protocol.designs.end())
                problems.add(node.where, fmt::format("designs: {} stands twice", shown(design.name)));
            else
                protocol.designs.push_back(std::move(design));
        }
    });
    read_file(folder / "assumptions.yaml", "assumptions", Node::Kind::mapping, problems, [&](const Node& mapping) {
        for (const auto& member : mapping.members) read_assumption(member, problems, protocol.assumptions);
    });
    if (!fs::exists(folder / "published.yaml")) return protocol;
    read_file(folder / "published.yaml", "published", Node::Kind::mapping, problems, [&](const Node& mapping) {
        Section section(mapping, "published", problems);
        for (const auto& design : protocol.designs) {
            if (mapping.find(design.name) != nullptr) protocol.published.emplace(design.name, section.figure(design.name, design.unit, 0, kLargestFigure));
        }
        section.finish();
    });
    return protocol;
}

}  // namespace prelude::experiments
