// SPDX-License-Identifier: Apache-2.0
#include "quant/compat/points.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace prelude::quant::compat {

namespace {

constexpr std::array kGroupReaders{".qkv", ".lin1", ".q_proj", ".k_proj", ".v_proj"};
constexpr std::string_view kHiddenReader = ".lin2";

/// Quantized layers by the names of their weights.
bool is_quantized(std::string_view weight) {
    if (weight.starts_with("image_encoder.")) return !weight.starts_with("image_encoder.patch_embed.");
    return weight.starts_with("mask_decoder.transformer.");
}

PointKind kind_of_input(const models::Node& layer) {
    const auto ends = [&](std::string_view suffix) { return layer.name.ends_with(suffix); };
    if (std::ranges::any_of(kGroupReaders, ends)) return PointKind::group;
    return ends(kHiddenReader) ? PointKind::hidden : PointKind::uniform;
}

}  // namespace

const std::string* weight_of(const models::Node& reader) noexcept {
    if (const auto* linear = std::get_if<models::Linear>(&reader.op)) return &linear->weight;
    if (const auto* conv = std::get_if<models::Conv>(&reader.op)) return &conv->weight;
    return nullptr;
}

std::vector<Point> quantized_points(const models::Graph& graph) {
    std::vector<Point> points;
    for (models::NodeId id = 0; id < static_cast<models::NodeId>(graph.nodes().size()); ++id) {
        const auto& node = graph.node(id);
        if (const auto* weight = weight_of(node)) {
            if (is_quantized(*weight)) points.push_back({node.inputs[0], kind_of_input(node), id});
        } else if (const auto* product = std::get_if<models::MatMul>(&node.op)) {
            const auto* left = graph.producer(node.inputs[0]);
            const bool mixes = left != nullptr && std::holds_alternative<models::Softmax>(left->op);
            if (!mixes && !product->transpose_right) continue;  // the masks' products with the upscaled picture
            points.push_back({node.inputs[0], mixes ? PointKind::probability : PointKind::uniform, id});
            points.push_back({node.inputs[1], !mixes && node.part == models::Part::decoder ? PointKind::key : PointKind::uniform, id});
        }
    }
    return points;
}

}  // namespace prelude::quant::compat
