// SPDX-License-Identifier: Apache-2.0
// What calibration refuses, and what it tells of how far it is.
#include <catch2/catch.hpp>

#include <limits>

#include "quant/calibration/calibrate.hpp"
#include "quant/format_plan.hpp"
#include "tests/support/tiny_model.hpp"

using namespace prelude;
using namespace prelude::tests;
using Catch::Matchers::Contains;

namespace {

const models::SamConfig kConfig{.image_size = 40, .patch_size = 8, .width = 24, .mlp_width = 29, .depth = 2, .num_heads = 3, .window_size = 3, .global_blocks = {1},
                                .prompt_width = 16, .decoder_heads = 2, .decoder_mlp_width = 19, .iou_head_width = 13};

std::unique_ptr<models::EvaluationSet> pictures() { return models::generated_set({models::DataKind::scene}, models::Split::train, 1, 3, 40, {.limit = 2}); }

}  // namespace

TEST_CASE("values that are NaN or infinite are refused with the layer they begin in and their number") {
    auto model = random_model(kConfig, 3);
    const auto shape = model.weights.shape("image_encoder.blocks.1.mlp.lin1.weight");
    models::Tensor weight(shape);
    weight[0] = std::numeric_limits<float>::max();  // the first hidden channel overflows where its input is above 1 or below -1
    for (std::int64_t k = 0; k < shape[1]; ++k) weight[static_cast<std::size_t>(k)] = k % 2 ? std::numeric_limits<float>::max() : 0.5F;
    model.weights.replace("image_encoder.blocks.1.mlp.lin1.weight", std::move(weight));
    models::Predictor predictor(kConfig, model.weights);
    try {
        (void)quant::calibrate(predictor, *pictures(), quant::Settings{});
        FAIL("calibration took values that are not finite");
    } catch (const quant::SettingsError& error) {
        const std::string text = error.what();
        INFO(text);
        CHECK_THAT(text, Contains("calibration picture scene-train-1-000000: the float network has values that are NaN or infinite"));
        CHECK_THAT(text, Contains("    encoder.block1.lin1.out: ") && Contains(" of 725 values are not finite"));
        CHECK_THAT(text, Contains("values after them"));
        CHECK_THAT(text, !Contains("encoder.block0"));
    }
}

TEST_CASE("calibration and quantization tell how far they are, up to the end") {
    const auto model = random_model(kConfig, 4);
    models::Predictor predictor(kConfig, model.weights);
    std::vector<double> shares;
    const auto report = [&](double share) { shares.push_back(share); };
    auto ranges = quant::calibrate(predictor, *pictures(), quant::Settings{}, report);
    REQUIRE(shares.size() == 3);
    CHECK(shares.back() == 1.0);
    shares.clear();
    (void)quant::quantize(kConfig, model.graph, model.weights, quant::Settings{}, std::move(ranges), report);
    CHECK(std::ranges::is_sorted(shares));
    CHECK(shares.front() < 0.05);
    CHECK(shares.back() == 1.0);
}
