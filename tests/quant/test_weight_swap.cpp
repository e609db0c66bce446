// SPDX-License-Identifier: Apache-2.0
#include "quant/weight_swap.hpp"

#include <catch2/catch.hpp>

#include "tests/support/tiny_model.hpp"

using namespace prelude;

namespace {

quant::Words logits(const tests::CalibratedModel& model, const quant::QuantizedGraph& quantized) {
    const std::vector<models::ValueId> wanted{model.id(models::sam_values::kLowResLogits)};
    return quant::Engine(model.graph, quantized).run(model.words, wanted);
}

}  // namespace

TEST_CASE("Swapped weights are what quantization with these widths gives, for every rounding and search") {
    const auto model = tests::trained_nano(0);
    const std::vector<std::string> nodes{"encoder.block1.qkv", "encoder.neck.conv2", "decoder.layer0.lin1", "decoder.upscaling.conv1"};
    for (const bool elaborate : {false, true}) {
        CAPTURE(elaborate);
        quant::Settings settings{.weight_bits = 4, .activation_bits = 4, .edge_bits = 4};
        if (elaborate) {
            settings.weight_rounding = quant::WeightRounding::least_squares;
            settings.mlp_hidden_scheme = quant::HiddenScheme::search;
            settings.softmax.log_base = quant::LogBase::search;
            settings.reparam = true;
            settings.smooth = 0.5;
        }
        auto narrow = settings, mixed = settings;
        narrow.layers = {{.match = "*", .weight_bits = 3, .activation_bits = {}, .groups = {}}};
        for (const auto& node : nodes) mixed.layers.push_back({.match = node, .weight_bits = 3, .activation_bits = {}, .groups = {}});
        const auto base = model.quantize(settings), wanted = model.quantize(mixed);
        const auto swapped = quant::with_weights_of(base, model.quantize(narrow), nodes);
        CHECK(swapped.plan.contractions == wanted.plan.contractions);
        CHECK(swapped.plan.formats == wanted.plan.formats);
        CHECK(logits(model, swapped) == logits(model, wanted));
        CHECK(logits(model, swapped) != logits(model, base));
    }
}
