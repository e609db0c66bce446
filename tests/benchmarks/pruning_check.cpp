// SPDX-License-Identifier: Apache-2.0
// How well the analytic lower bound of a network, which sweeps are pruned by, orders design points as their simulation does:
//   pruning_check [STRIDE]     one in STRIDE points of a grid of 432 of sam_nano, and one in 2 x STRIDE of shapes like SAM ViT-B's (default: 1)
// Prints Spearman's rank correlation of all points and of the best decile. A bound above its simulation ends with exit code 1.

#include <fmt/format.h>

#include <cstdlib>

#include "tests/support/pruning_grid.hpp"

using namespace prelude;
using namespace prelude::sim::testing;

int main(int count, char** words) {
    const auto stride = static_cast<std::size_t>(count > 1 ? std::max(std::atoi(words[1]), 1) : 1);
    bool broken = false;
    for (const auto& [name, config, each] : {std::tuple{"sam_nano", *models::sam_preset("sam_nano"), stride}, {"like SAM ViT-B", like_sam_b(), 2 * stride}}) {
        const auto points = bounded(models::build_sam(config), design_grid(each));
        double tightest = 0, loosest = 1, sum = 0;
        for (const auto& [bound, simulated] : points) {
            const auto ratio = static_cast<double>(bound) / static_cast<double>(simulated);
            tightest = std::max(tightest, ratio), loosest = std::min(loosest, ratio), sum += ratio;
            broken |= bound > simulated;
        }
        fmt::print("{:<16}{:>4} points: rank correlation {:.4f}, of the best decile {:.4f}; bound / simulated {:.3f}..{:.3f}, mean {:.3f}\n", name, points.size(), spearman(points),
                   spearman(best_decile(points)), loosest, tightest, sum / static_cast<double>(points.size()));
    }
    return broken ? 1 : 0;
}
