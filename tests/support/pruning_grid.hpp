// SPDX-License-Identifier: Apache-2.0
#pragma once

// Design points on which the analytic lower bound of a whole network is held against its simulation, and how well one orders the other.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "models/graph/sam.hpp"
#include "quant/format_plan.hpp"
#include "sim/simulate.hpp"

namespace prelude::sim::testing {

struct Bounded {
    Cycle bound = 0, simulated = 0;
};

/// The shapes of SAM ViT-B, a windowed and a global block of them, on a quarter of the picture.
inline models::SamConfig like_sam_b() {
    auto config = *models::sam_preset("sam_vit_b");
    config.image_size = 512, config.depth = 2, config.global_blocks = {1};
    return config;
}

/// Widths x arrays x memories x buffers, lanes and double buffering; one in `stride` points of the cross product.
inline std::vector<std::pair<quant::Settings, Design>> design_grid(std::size_t stride) {
    std::vector<std::pair<quant::Settings, Design>> points;
    std::size_t number = 0;
    for (const auto& [weights, activations] : {std::pair{8, 8}, {4, 8}, {4, 4}}) {
        for (const auto& pe : {std::array{8, 8, 8}, {16, 16, 8}, {32, 8, 16}, {16, 32, 16}}) {
            for (const double gb_per_s : {2.0, 6.4, 19.2}) {
                for (const int kib : {64, 256, 1024}) {
                    for (const int lanes : {4, 16}) {
                        for (const bool double_buffer : {true, false}) {
                            if ((number++ * 2654435761U >> 7) % stride != 0) continue;  // spread over all axes
                            quant::Settings settings;
                            settings.weight_bits = weights, settings.activation_bits = activations;
                            Design design;
                            design.packing = {{4, 2, 2, 2, 1}};
                            design.clock_mhz = 250;
                            design.dram = {.gb_per_s = gb_per_s, .channels = 1};
                            design.pe = {.rows = pe[0], .cols = pe[1], .depth = pe[2]};
                            design.buffers = {.weight_kib = kib, .activation_kib = kib, .partial_sum_kib = kib, .score_kib = 2 * kib};
                            design.softmax_lanes = design.layernorm_lanes = design.gelu_lanes = lanes;
                            design.double_buffer = double_buffer;
                            points.emplace_back(settings, design);
                        }
                    }
                }
            }
        }
    }
    return points;
}

/// Points that are infeasible are left out.
inline std::vector<Bounded> bounded(const models::Graph& graph, const std::vector<std::pair<quant::Settings, Design>>& grid) {
    std::vector<Bounded> points;
    for (const auto& [settings, design] : grid) {
        const auto plan = quant::make_plan(graph, settings);
        const auto result = simulate(graph, plan, design);
        if (result.infeasible.empty()) points.push_back({lower_bound(graph, plan, design), result.total.cycles});
    }
    return points;
}

/// Rank of each value; equal values share the mean of theirs.
inline std::vector<double> ranks(const std::vector<double>& values) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return values[i]; });
    std::vector<double> ranks(values.size());
    for (std::size_t i = 0; i < order.size();) {
        auto end = i;
        while (end < order.size() && values[order[end]] == values[order[i]]) ++end;
        for (auto k = i; k < end; ++k) ranks[order[k]] = static_cast<double>(i + end - 1) / 2;
        i = end;
    }
    return ranks;
}

/// Spearman's rank correlation of bound and simulation.
inline double spearman(const std::vector<Bounded>& points) {
    std::vector<double> a, b;
    for (const auto& point : points) a.push_back(static_cast<double>(point.bound)), b.push_back(static_cast<double>(point.simulated));
    a = ranks(a), b = ranks(b);
    const auto mean = (static_cast<double>(points.size()) - 1) / 2;
    double ab = 0, aa = 0, bb = 0;
    for (std::size_t i = 0; i < a.size(); ++i) ab += (a[i] - mean) * (b[i] - mean), aa += (a[i] - mean) * (a[i] - mean), bb += (b[i] - mean) * (b[i] - mean);
    return aa * bb == 0 ? 1 : ab / std::sqrt(aa * bb);
}

/// The tenth of the points that simulate fastest.
inline std::vector<Bounded> best_decile(std::vector<Bounded> points) {
    std::ranges::stable_sort(points, {}, &Bounded::simulated);
    points.resize((points.size() + 9) / 10);
    return points;
}

}  // namespace prelude::sim::testing
