// SPDX-License-Identifier: Apache-2.0
#include "quant/predictor.hpp"

#include <catch2/catch.hpp>

#include "quant/calibration/calibrate.hpp"
#include "quant/quantize.hpp"
#include "tests/support/tiny_model.hpp"

using namespace prelude;

TEST_CASE("The integer path's estimate of a mask's quality is that of its words, near the float one, and left out unless asked for") {
    const auto model = tests::random_model({.image_size = 40, .patch_size = 8, .width = 24, .mlp_width = 29, .depth = 2, .num_heads = 3, .window_size = 3, .global_blocks = {1},
                                            .prompt_width = 16, .decoder_heads = 2, .decoder_mlp_width = 19, .iou_head_width = 13}, 5);
    models::Predictor reference(model.config, model.weights);
    const auto set = models::generated_set({models::DataKind::scene}, models::Split::dev, 1, 2, 40, {.kinds = {models::PromptKind::box}, .limit = 2});
    quant::Settings settings;
    settings.weight_bits = settings.activation_bits = 8;
    settings.softmax.scheme = quant::SoftmaxScheme::uniform;
    settings.softmax.bits = 8;
    const auto quantized = quant::quantize(model.config, models::build_sam(model.config), model.weights, settings, quant::calibrate(reference, *set, settings));
    quant::IntegerPredictor predictor(quantized);
    for (int i = 0; i < set->size(); ++i) {
        const auto item = set->image(i);
        const auto encoded = predictor.encode(item.image);
        const auto& prompt = item.prompts.at(0).prompt;
        for (const auto selection : {models::MaskSelection::single, models::MaskSelection::multi}) {
            models::Tensor head;
            const auto hook = [&](const models::Graph& graph, models::ValueId id, models::IntTensor& words) {
                const auto& value = graph.value(id);
                if (value.name == models::sam_values::kIou) head = quantized.dequantize(value.name, words, value.channel_axis);
            };
            const auto skipped = predictor.predict(encoded, prompt, selection, hook);
            CHECK(skipped.iou.empty());
            CHECK(head.num_elements() <= 1);  // the head was not run
            const auto computed = predictor.predict(encoded, prompt, selection, hook, quant::IouEstimate::compute);
            CHECK(computed.masks == skipped.masks);
            const auto expected = reference.predict(reference.encode(item.image), prompt, selection).iou;
            const std::size_t first = selection == models::MaskSelection::multi ? 1 : 0;
            REQUIRE(computed.iou.size() == expected.size());
            for (std::size_t m = 0; m < expected.size(); ++m) {
                CHECK(computed.iou[m] == head[first + m]);
                CHECK(computed.iou[m] == Approx(expected[m]).margin(0.1));
            }
        }
    }
}
