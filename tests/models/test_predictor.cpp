// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "models/checkpoint/safetensors.hpp"
#include "models/checkpoint/sam_checkpoint.hpp"
#include "models/error.hpp"
#include "models/metrics.hpp"
#include "models/predictor.hpp"
#include "tests/paths.hpp"

using namespace prelude::models;

namespace {

const std::string kFolder = PRELUDE_SOURCE_DIR "/tests/data/golden/sam/";

/// The golden model tiny-a, its picture, and its first prompt in the picture's own frame.
struct Fixture {
    SamCheckpoint checkpoint =
        open_sam(kFolder + "tiny-a.safetensors", {.values = {{"decoder_heads", 4}}, .global_blocks = {}, .relative_positions = {}});
    TensorFile inputs = read_safetensors(kFolder + "tiny-a.inputs.safetensors"),
               outputs = read_safetensors(kFolder + "tiny-a.outputs.safetensors");
    Predictor predictor{checkpoint.config, checkpoint.weights};

    [[nodiscard]] Image image() const {
        const auto pixels = inputs.view<std::uint8_t>("image_u8_hwc");
        return {150, 90, {pixels.begin(), pixels.end()}};
    }
    [[nodiscard]] Prompt box() const {
        const auto box = inputs.view<float>("prompt.box.boxes");  // in the resized frame: 77 x 128
        const double x = 150.0 / 128, y = 90.0 / 77;
        return {.points = {}, .box = Box{box[0] * x, box[1] * y, box[2] * x, box[3] * y}, .mask = {}};
    }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "from pixels to masks of the picture's size, as the official predictor") {
    const auto encoded = predictor.encode(image());
    CHECK(relative_deviation(outputs.view<float>("image_embedding"), encoded.embedding.values()) < 2e-5);
    const auto multi = predictor.predict(encoded, box(), MaskSelection::multi);
    REQUIRE(multi.masks.shape() == Shape{3, 90, 150});
    CHECK(relative_deviation(outputs.view<float>("box.multi.masks_logits_original_size"), multi.masks.values()) < 2e-5);
    CHECK(relative_deviation(outputs.view<float>("box.multi.low_res_logits"), multi.low_res_logits.values()) < 2e-5);
    CHECK(relative_deviation(outputs.view<float>("box.multi.iou"), multi.iou) < 2e-5);
    const auto single = predictor.predict(encoded, box());
    REQUIRE(single.masks.shape() == Shape{1, 90, 150});
    CHECK(relative_deviation(outputs.view<float>("box.single.low_res_logits"), single.low_res_logits.values()) < 2e-5);
    CHECK(relative_deviation(outputs.view<float>("box.single.iou"), single.iou) < 2e-5);

    const auto best = multi.best();
    CHECK(multi.iou[best] == *std::ranges::max_element(multi.iou));
    const auto mask = multi.mask(best);
    const auto expected = outputs.view<std::uint8_t>("box.multi.masks_binary_u8").subspan(best * 90 * 150, 90 * 150);
    CHECK(std::ranges::equal(mask.values, expected));
}

TEST_CASE_METHOD(Fixture, "a prediction's logits can be the mask of the next prompt") {
    const auto encoded = predictor.encode(image());
    auto prompt = box();
    const auto first = predictor.predict(encoded, prompt);
    prompt.mask = first.low_res_logits;
    prompt.mask->reshape(Shape{1, 1, 32, 32});
    const auto second = predictor.predict(encoded, prompt);
    CHECK(second.masks != first.masks);
    const auto only_mask = predictor.predict(encoded, {.points = {}, .box = {}, .mask = prompt.mask});
    CHECK(only_mask.masks.shape() == Shape{1, 90, 150});
}

TEST_CASE_METHOD(Fixture, "prompts do not influence each other, and many workloads may come and go") {
    const auto encoded = predictor.encode(image());
    const auto before = predictor.predict(encoded, box());
    Prompt points;
    for (int count = 1; count <= 20; ++count) {
        points.points.push_back({{double(count), double(count)}, count % 2});
        (void)predictor.predict(encoded, points, MaskSelection::multi);
    }
    CHECK(predictor.predict(encoded, box()).masks == before.masks);
}

TEST_CASE_METHOD(Fixture, "a prompt of nothing and a mask of another size are refused") {
    const auto encoded = predictor.encode(image());
    CHECK_THROWS_WITH(predictor.predict(encoded, {}), "prompt: no point, no box and no mask");
    CHECK_THROWS_WITH(predictor.predict(encoded, {.points = {}, .box = {}, .mask = Tensor(Shape{1, 1, 8, 8})}),
                      "mask prompt: shape [1, 1, 8, 8], this model takes [1, 1, 32, 32]");
}
