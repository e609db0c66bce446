// SPDX-License-Identifier: Apache-2.0
#include "experiments/handoff/selection.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "models/error.hpp"
#include "models/overloaded.hpp"
#include "quant/glob.hpp"

namespace prelude::experiments {

namespace {

/// Names that share the pattern's longest literal piece: what somebody may have meant.
std::vector<std::string> close_names(const models::Graph& graph, std::string_view pattern) {
    constexpr std::size_t kShown = 8;
    const auto last = pattern.substr(pattern.find_last_of('.') + 1);
    std::vector<std::string> names;
    for (const auto& node : graph.nodes())
        if (!unit_of(node).empty() && names.size() < kShown && !last.empty() && node.name.find(last) != std::string::npos)
            names.push_back(node.name);
    return names;
}

/// A value that attention reads or makes: its outermost axis holds windows and heads.
bool is_of_heads(const models::Graph& graph, models::ValueId id) {
    const auto of_attention = [](const models::Node& node) {
        return std::holds_alternative<models::MatMul>(node.op) || std::holds_alternative<models::Softmax>(node.op) ||
               std::holds_alternative<models::RelativePosition>(node.op);
    };
    const auto* producer = graph.producer(id);
    if (producer != nullptr && of_attention(*producer)) return true;
    return std::ranges::any_of(graph.consumers(id), [&](models::NodeId consumer) { return of_attention(graph.node(consumer)); });
}

/// Scores and probabilities: a row per query, a column per key.
bool is_of_keys(const models::Node* producer) {
    if (producer == nullptr) return false;
    if (const auto* product = std::get_if<models::MatMul>(&producer->op)) return product->transpose_right;
    return std::holds_alternative<models::Softmax>(producer->op) || std::holds_alternative<models::RelativePosition>(producer->op);
}

}  // namespace

std::string_view unit_of(const models::Node& node) {
    using namespace models;
    return std::visit(
        Overloaded{[](const Linear&) { return kHandedUnits[0]; }, [](const MatMul&) { return kHandedUnits[0]; },
                   [](const Conv&) { return kHandedUnits[0]; }, [](const ConvTranspose&) { return kHandedUnits[0]; },
                   [](const RelativePosition&) { return kHandedUnits[0]; }, [](const Add&) { return kHandedUnits[1]; },
                   [](const Requantize&) { return kHandedUnits[1]; }, [](const Resize&) { return kHandedUnits[1]; },
                   [](const PromptEmbedding&) { return kHandedUnits[1]; }, [](const Softmax&) { return kHandedUnits[2]; },
                   [](const LayerNorm&) { return kHandedUnits[3]; }, [](const Gelu&) { return kHandedUnits[4]; },
                   [](const Relu&) { return kHandedUnits[4]; }, [](const Rearrange&) { return kHandedUnits[5]; },
                   [](const Concat&) { return kHandedUnits[5]; }, [](const WindowPartition&) { return kHandedUnits[5]; },
                   [](const WindowUnpartition&) { return kHandedUnits[5]; }, [](const Parameter&) { return std::string_view{}; },
                   [](const DensePositionCode&) { return std::string_view{}; }},
        node.op);
}

std::vector<models::NodeId> select_nodes(const models::Graph& graph, std::span<const std::string> patterns,
                                         std::span<const std::string> units) {
    std::vector<std::string> problems;
    for (const auto& unit : units)
        if (std::ranges::find(kHandedUnits, unit) == kHandedUnits.end())
            problems.push_back(fmt::format("unit '{}': allowed: {}", unit, fmt::join(kHandedUnits, ", ")));
    for (const auto& pattern : patterns) {
        const auto matches = [&](const models::Node& node) { return !unit_of(node).empty() && quant::glob_matches(pattern, node.name); };
        if (std::ranges::any_of(graph.nodes(), matches)) continue;
        const auto close = close_names(graph, pattern);
        problems.push_back(fmt::format("no layer matches '{}'{}{}; `explore inspect --all` lists all", pattern,
                                       close.empty() ? "" : "; there are ", fmt::join(close, ", ")));
    }
    if (!problems.empty()) throw models::InputError(fmt::format("{}", fmt::join(problems, "\n")));
    std::vector<models::NodeId> nodes;
    for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
        const auto& node = graph.nodes()[i];
        const auto unit = unit_of(node);
        const bool named =
            patterns.empty() || std::ranges::any_of(patterns, [&](const auto& pattern) { return quant::glob_matches(pattern, node.name); });
        if (named && !unit.empty() && (units.empty() || std::ranges::find(units, unit) != units.end()))
            nodes.push_back(static_cast<models::NodeId>(i));
    }
    if (nodes.empty()) throw models::InputError("no layer of these units matches");
    return nodes;
}

std::vector<Coordinate> coordinates_of(const models::Graph& graph, models::ValueId id, const models::SamConfig& config) {
    const auto& value = graph.value(id);
    const auto& shape = value.shape;
    const auto* producer = graph.producer(id);
    if (shape.rank() == 4) return {{"image", shape[0]}, {"channel", shape[1]}, {"y", shape[2]}, {"x", shape[3]}};
    if (shape.rank() == 3) {
        std::vector<Coordinate> coordinates;
        if (is_of_heads(graph, id)) {
            const bool of_encoder = value.name.starts_with("encoder.");
            const auto heads = of_encoder ? config.num_heads : config.decoder_heads;
            const auto num_heads = heads > 0 && shape[0] % heads == 0 ? heads : 1;
            coordinates = {{"window", shape[0] / num_heads}, {"head", num_heads}};
        } else {
            coordinates = {{"window", shape[0]}};
        }
        const bool of_keys = is_of_keys(producer);
        coordinates.push_back({of_keys ? "query" : "token", shape[1]});
        coordinates.push_back({of_keys ? "key" : "channel", shape[2]});
        return coordinates;
    }
    std::vector<Coordinate> coordinates;
    for (std::size_t axis = 0; axis < shape.rank(); ++axis) coordinates.push_back({axis == 0 ? "point" : "axis", shape[axis]});
    return coordinates;
}

std::string c_name(std::string_view name) {
    std::string result(name);
    for (auto& c : result)
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))) c = '_';
    return result;
}

}  // namespace prelude::experiments
