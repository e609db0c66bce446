// SPDX-License-Identifier: Apache-2.0
// Weight rounding by the outputs of a layer: what it promises on its own sample, and closed cases.
#include <catch2/catch.hpp>
#include <cmath>

#include "models/data/random.hpp"
#include "quant/calibration/rounding.hpp"
#include "quant/calibration/rows.hpp"

using namespace prelude;
using namespace prelude::quant;

namespace {

struct Layer {
    std::int64_t outputs, depth, rows;
    std::vector<float> weights, real, coded;
};

/// Correlated inputs of different energy, coded with a coarse step.
Layer random_layer(models::Random& random, std::int64_t outputs, std::int64_t depth, std::int64_t rows, double step) {
    Layer layer{.outputs = outputs, .depth = depth, .rows = rows, .weights = {}, .real = {}, .coded = {}};
    for (std::int64_t i = 0; i < outputs * depth; ++i) layer.weights.push_back(static_cast<float>(random.normal()));
    for (std::int64_t r = 0; r < rows; ++r) {
        const double common = random.normal();
        for (std::int64_t k = 0; k < depth; ++k) {
            const double x = (common + 0.5 * random.normal() + 0.3) * (1 + 3.0 * static_cast<double>(k % 5));
            layer.real.push_back(static_cast<float>(x));
            layer.coded.push_back(static_cast<float>(step > 0 ? step * std::nearbyint(x / step) : x));
        }
    }
    return layer;
}

/// Squared error of the outputs against the float ones of `inputs`.
double output_error(const Layer& layer, const RoundedLayer& rounded, const std::vector<float>& inputs) {
    double sum = 0;
    for (std::int64_t r = 0; r < layer.rows; ++r) {
        for (std::int64_t n = 0; n < layer.outputs; ++n) {
            double wanted = 0, actual = rounded.bias_change[static_cast<std::size_t>(n)];
            for (std::int64_t k = 0; k < layer.depth; ++k) {
                const auto w = static_cast<std::size_t>(n * layer.depth + k), x = static_cast<std::size_t>(r * layer.depth + k);
                wanted += static_cast<double>(layer.weights[w]) * inputs[x];
                actual += rounded.weights.codes[w] * rounded.weights.scale[static_cast<std::size_t>(n)] * layer.coded[x];
            }
            sum += (wanted - actual) * (wanted - actual);
        }
    }
    return sum;
}

RoundedLayer nearest(const Layer& layer, const std::vector<WeightGrid>& grids) {
    return {round_to_nearest(layer.weights, grids), std::vector<double>(grids.size(), 0.0)};
}

}  // namespace

TEST_CASE("Rounding by outputs stays on the grid and keeps the outputs of its sample better than nearest codes do", "[property][mutation]") {
    models::Random random(11);
    Settings settings;
    for (const auto& [outputs, depth, rows] : {std::tuple{13, 17, 300}, std::tuple{5, 31, 40}, std::tuple{3, 29, 11}}) {
        for (const int bits : {2, 3, 4, 8}) {
            for (const bool symmetric : {false, true}) {
                settings.weight_symmetric = symmetric;
                const auto layer = random_layer(random, outputs, depth, rows, 2.0);
                const auto grids = weight_grids(layer.weights, outputs, depth, 1, bits, settings);
                const LayerSample sample{.real = layer.real, .coded = layer.coded};
                const auto plain = nearest(layer, grids);
                const auto feedback = round_to_outputs(layer.weights, grids, sample, WeightRounding::gptq);
                const auto squares = round_to_outputs(layer.weights, grids, sample, WeightRounding::least_squares);
                INFO(outputs << " x " << depth << ", " << rows << " rows, " << bits << " bits");
                // Up to the damping, a hundredth of the mean energy.
                CHECK(output_error(layer, feedback, layer.coded) <= 1.02 * output_error(layer, plain, layer.coded));
                CHECK(output_error(layer, squares, layer.real) <= 1.02 * output_error(layer, plain, layer.real));
                if (rows > 10 * depth && bits <= 4) {
                    CHECK(output_error(layer, feedback, layer.coded) < 0.6 * output_error(layer, plain, layer.coded));
                    CHECK(output_error(layer, squares, layer.real) < output_error(layer, feedback, layer.real));
                }
                for (const auto* rounded : {&feedback, &squares}) {
                    for (std::size_t i = 0; i < rounded->weights.codes.size(); ++i) {
                        const auto& grid = grids[i / static_cast<std::size_t>(depth)];
                        REQUIRE((rounded->weights.codes[i] >= grid.least && rounded->weights.codes[i] <= grid.most));
                    }
                }
            }
        }
    }
}

TEST_CASE("Uncorrelated inputs leave nothing to make up for: every rounding is to nearest") {
    models::Random random(12);
    Layer layer{.outputs = 7, .depth = 4, .rows = 4, .weights = {}, .real = std::vector<float>(16, 0.0F), .coded = {}};
    for (int i = 0; i < 28; ++i) layer.weights.push_back(static_cast<float>(random.normal()));
    for (std::size_t i = 0; i < 4; ++i) layer.real[5 * i] = 1.0F + static_cast<float>(i);
    layer.coded = layer.real;
    const auto grids = weight_grids(layer.weights, 7, 4, 1, 3, {});
    const auto rounded = round_to_outputs(layer.weights, grids, {.real = layer.real, .coded = layer.coded}, WeightRounding::gptq);
    CHECK(rounded.weights.codes == round_to_nearest(layer.weights, grids).codes);
    CHECK(rounded.bias_change == std::vector<double>(7, 0.0));
}

TEST_CASE("Two inputs that are the same leave one rounding error between them, and a constant error of the inputs goes to the bias", "[mutation]") {
    const std::vector<float> weights{0.4F, 0.4F, 1.0F};  // 3 bits symmetric: scale 1/3, codes 1.2 and 1.2
    const std::vector<float> real{1, 1, 0, -1, -1, 0, 2, 2, 0, 0, 0, 1};
    Settings settings;
    const auto grids = weight_grids(weights, 1, 3, 1, 3, settings);
    const auto gptq = round_to_outputs(weights, grids, {.real = real, .coded = real}, WeightRounding::gptq);
    CHECK(gptq.weights.codes[0] + gptq.weights.codes[1] == 2);
    CHECK(gptq.weights.codes[2] == 3);
    std::vector<float> shifted = real;
    for (auto& x : shifted) x += 0.25F;
    const auto squares = round_to_outputs(weights, grids, {.real = real, .coded = shifted}, WeightRounding::least_squares);
    double codes = 0, wanted = 0;
    for (std::size_t k = 0; k < 3; ++k) {
        const double mean = (real[k] + real[3 + k] + real[6 + k] + real[9 + k]) / 4;
        codes += squares.weights.codes[k] * squares.weights.scale[0] * (mean + 0.25);
        wanted += static_cast<double>(weights[k]) * mean;
    }
    CHECK(squares.bias_change[0] == Approx(wanted - codes));
}

TEST_CASE("A narrower weight range errs less where one weight stands out, and never more") {
    models::Random random(13);
    std::vector<float> weights;
    for (int i = 0; i < 4 * 61; ++i) weights.push_back(static_cast<float>(random.normal()));
    weights[5] = 9;
    Settings settings;
    const auto error = [&](WeightRange range, std::size_t row, int bits) {
        settings.weight_range = range;
        const auto grids = weight_grids(weights, 4, 61, 1, bits, settings);
        double sum = 0;
        for (std::size_t k = row * 61; k < (row + 1) * 61; ++k) sum += std::pow(grids[row].code(weights[k]) * grids[row].scale - weights[k], 2);
        return sum;
    };
    for (const bool symmetric : {true, false}) {
        settings.weight_symmetric = symmetric;
        for (const int bits : {2, 3, 4}) {
            for (std::size_t row = 0; row < 4; ++row) CHECK(error(WeightRange::mse, row, bits) <= error(WeightRange::extremes, row, bits));
        }
        CHECK(error(WeightRange::mse, 0, 3) < error(WeightRange::extremes, 0, 3));
    }
}

TEST_CASE("Sampled rows are the patches a convolution multiplies, zeros around the picture") {
    models::Tensor image({1, 2, 3, 4});
    for (std::int64_t i = 0; i < 24; ++i) image[static_cast<std::size_t>(i)] = static_cast<float>(i + 1);
    const RowForm form{.cut = RowCut::patches, .kernel = 3, .stride = 1, .padding = 1};
    std::vector<float> rows;
    sample_rows(form, image, 100, 1000, rows);
    REQUIRE(rows.size() == 12 * 18);
    CHECK(std::vector(rows.begin(), rows.begin() + 9) == std::vector<float>{0, 0, 0, 0, 1, 2, 0, 5, 6});
    std::vector<float> middles;  // every patch once
    for (std::size_t row = 0; row < 12; ++row) {
        middles.push_back(rows[row * 18 + 4]);
        CHECK(rows[row * 18 + 9 + 4] == middles.back() + 12);
    }
    std::ranges::sort(middles);
    for (std::size_t i = 0; i < middles.size(); ++i) CHECK(middles[i] == static_cast<float>(i + 1));
    rows.clear();
    sample_rows(form, image, 3, 40, rows);  // two fit
    REQUIRE(rows.size() == 36);
    const auto first = std::pair{rows[4], rows[22]};
    rows.clear();
    rows.resize(36);
    sample_rows(form, image, 3, 80, rows);  // after two others: elsewhere
    REQUIRE(rows.size() == 72);
    for (const float middle : {rows[40], rows[58]}) CHECK((middle != first.first && middle != first.second));
}
