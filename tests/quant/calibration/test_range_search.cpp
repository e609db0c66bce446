// SPDX-License-Identifier: Apache-2.0
// The search by descent against the whole grid of candidates.
#include <catch2/catch.hpp>

#include <cmath>

#include "quant/calibration/range_search.hpp"
#include "tests/support/adversarial.hpp"

using namespace prelude;
using namespace prelude::tests;

namespace {

/// Rows as weights come: normal, uniform, heavy-tailed, with outliers, of two peaks, off centre.
std::vector<float> make_row(Random& random, int kind, std::size_t count) {
    std::vector<float> row(count);
    for (auto& value : row) {
        const double normal = random.normal();
        switch (kind) {
            case 0: value = static_cast<float>(normal); break;
            case 1: value = static_cast<float>(2 * random.real() - 1); break;
            case 2: value = static_cast<float>(std::copysign(std::pow(std::abs(normal), 2.5), normal)); break;
            case 3: value = static_cast<float>(normal * (random.one_in(50) ? 8 : 1)); break;
            case 4: value = static_cast<float>(0.3 * normal + (random.one_in(3) ? 2 : -1)); break;
            default: value = static_cast<float>(normal + 1.5); break;
        }
    }
    return row;
}

}  // namespace

TEST_CASE("the grid search by descent finds what the whole grid finds, to 1 % of its loss", "[property]") {
    for (const int bits : {2, 3, 4, 5, 6, 8}) {
        for (const bool symmetric : {true, false}) {
            Random random(static_cast<std::uint64_t>(500 + bits));
            for (int i = 0; i < 120; ++i) {
                const auto row = make_row(random, i % 6, static_cast<std::size_t>(random.of<int>({6, 24, 97, 384})));
                const auto sides = quant::sides_of(row);
                const auto all = quant::search_grid(row, bits, symmetric, sides, quant::GridVisit::all), descent = quant::search_grid(row, bits, symmetric, sides);
                INFO(bits << (symmetric ? " bits, symmetric, " : " bits, asymmetric, ") << row.size() << " values of kind " << i % 6);
                REQUIRE(descent.loss >= all.loss);  // a part of the same candidates
                REQUIRE(descent.loss <= 1.01 * all.loss);
            }
        }
    }
}
