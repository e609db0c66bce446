// SPDX-License-Identifier: Apache-2.0
#include "quant/compat/points.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <set>

#include "models/graph/sam.hpp"

using namespace prelude;
using namespace prelude::quant::compat;

TEST_CASE("A quantized value is read by its one product, the encoder's q by the relative positions too, and by nothing else") {
    for (const auto* preset : {"sam_nano", "sam_vit_b"}) {
        const auto graph = models::build_sam(*models::sam_preset(preset));
        std::set<models::ValueId> seen;
        for (const auto& point : quantized_points(graph)) {
            INFO(preset << " " << graph.value(point.value).name);
            CHECK(seen.insert(point.value).second);
            for (const auto user : graph.consumers(point.value)) {
                const auto& reader = graph.node(user);
                const bool rel_pos = std::holds_alternative<models::RelativePosition>(reader.op) && reader.inputs[1] == point.value;
                CHECK((user == point.reader || rel_pos));
            }
        }
    }
}

TEST_CASE("The published places are quantized: eight values a block and attention, two of the neck, two of a decoder MLP") {
    const auto config = *models::sam_preset("sam_vit_b");
    const auto graph = models::build_sam(config);
    std::map<PointKind, int> count;
    std::vector<std::string> weights;
    for (const auto& point : quantized_points(graph)) {
        ++count[point.kind];
        if (const auto* weight = weight_of(graph.node(point.reader))) weights.push_back(*weight);
    }
    const int blocks = 12, attentions = 7, mlps = 2;
    CHECK(count[PointKind::group] == 2 * blocks + 3 * attentions + mlps);
    CHECK(count[PointKind::hidden] == blocks + mlps);
    CHECK(count[PointKind::probability] == blocks + attentions);
    CHECK(count[PointKind::key] == attentions);
    CHECK(count[PointKind::uniform] == (1 + 3) * blocks + (1 + 2) * attentions + 2);
    CHECK(weights.size() == static_cast<std::size_t>(4 * blocks + 4 * attentions + 2 * mlps + 2));
    for (const auto* part : {"patch_embed", "rel_pos", "prompt_encoder", "output_upscaling", "hypernetworks", "iou_prediction", "norm"}) {
        CHECK(std::ranges::none_of(weights, [&](const std::string& name) { return name.find(part) != std::string::npos; }));
    }
}
