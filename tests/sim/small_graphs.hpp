// SPDX-License-Identifier: Apache-2.0
#pragma once

// Networks small enough to be simulated many times.

#include <utility>
#include <vector>

#include "models/graph/sam.hpp"

namespace prelude::sim::testing {

/// One operator over one input.
inline models::Graph one_layer(models::Operator op, models::Shape shape, std::size_t channel_axis) {
    models::Graph graph;
    const auto x = graph.add_input("x", std::move(shape), channel_axis);
    graph.add("layer", models::Part::encoder, 0, std::move(op), {x});
    return graph;
}

inline models::Graph linear_graph(std::int64_t rows, std::int64_t in, std::int64_t out) { return one_layer(models::Linear{"w", "b", in, out}, {1, rows, in}, 2); }

/// Odd sizes throughout: nothing divides anything.
inline models::SamConfig tiny_config() {
    models::SamConfig config;
    config.image_size = 40, config.patch_size = 8, config.width = 12, config.mlp_width = 20, config.depth = 2, config.num_heads = 2;
    config.window_size = 3, config.global_blocks = {1};
    config.prompt_width = 8, config.mask_in_channels = 8, config.decoder_heads = 2, config.decoder_mlp_width = 14, config.iou_head_width = 10;
    return config;
}

/// 64 tokens in padded windows.
inline models::SamConfig small_config(std::int64_t depth, std::vector<std::int64_t> global_blocks) {
    models::SamConfig config;
    config.image_size = 64, config.patch_size = 8, config.width = 48, config.mlp_width = 96, config.depth = depth, config.num_heads = 3;
    config.window_size = 3, config.global_blocks = std::move(global_blocks);
    config.prompt_width = 16, config.decoder_heads = 2, config.decoder_mlp_width = 32, config.iou_head_width = 16;
    return config;
}

}  // namespace prelude::sim::testing
