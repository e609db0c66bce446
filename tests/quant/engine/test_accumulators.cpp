// SPDX-License-Identifier: Apache-2.0
// The sums that outputs are made of, as the engine gives them: what HLS is compared with between a product and its rescale.
#include <catch2/catch.hpp>

#include "quant/arithmetic/dot.hpp"
#include "quant/arithmetic/rescale.hpp"
#include "quant/engine/engine.hpp"
#include "tests/support/tiny_model.hpp"

using namespace prelude;

namespace {

models::SamConfig minute() {
    models::SamConfig config;
    config.image_size = 32, config.patch_size = 8, config.width = 8, config.mlp_width = 12, config.depth = 2, config.num_heads = 2, config.window_size = 3;
    config.global_blocks = {1}, config.prompt_width = 16, config.mask_in_channels = 4, config.decoder_depth = 1, config.decoder_heads = 2;
    config.decoder_mlp_width = 10, config.iou_head_width = 6;
    return config;
}

/// Channel of word `i` of a tensor.
std::size_t channel_of(const models::Value& value, std::size_t i) {
    std::int64_t inner = 1;
    for (auto axis = value.channel_axis + 1; axis < value.shape.rank(); ++axis) inner *= value.shape[axis];
    return static_cast<std::size_t>(static_cast<std::int64_t>(i) / inner % value.shape[value.channel_axis]);
}

}  // namespace

TEST_CASE("Rescaled accumulators are the words of every contraction, and those of products are their sums") {
    const auto model = tests::random_model(minute(), 11);
    quant::Settings settings;
    const auto variant = GENERATE(0, 1, 2);
    if (variant == 1) settings.weight_bits = settings.activation_bits = 4, settings.groups = 3, settings.mlp_hidden_scheme = quant::HiddenScheme::hluq;
    if (variant == 2) settings.accumulator.overflow = quant::AccumulatorOverflow::wrap, settings.accumulator.bits = 9, settings.accumulator.chunk = 4;
    const auto quantized = model.quantize(settings);
    const quant::Engine engine(model.graph, quantized);
    std::map<models::ValueId, models::IntTensor> words;
    const std::vector wanted{model.id(models::sam_values::kMasks)};
    (void)engine.run(model.words, wanted, [&](const models::Graph&, models::ValueId id, models::IntTensor& value) { words[id] = value; });
    int contractions = 0, products = 0, narrowed = 0;
    for (const auto& node : model.graph.nodes()) {
        const auto& operation = quantized.operation(node.name);
        if (!words.contains(node.output)) continue;
        std::vector<const models::IntTensor*> inputs;
        for (const auto id : node.inputs) inputs.push_back(&words.at(id));
        INFO(node.name);
        if (const auto* form = std::get_if<quant::Contraction>(&operation)) {
            const auto sums = engine.accumulators(node, inputs);
            const auto& out = words.at(node.output);
            REQUIRE(sums.shape() == out.shape());
            bool equal = true;
            for (std::size_t i = 0; i < sums.values().size(); ++i) equal = equal && quant::rescale(form->rescale, channel_of(model.graph.value(node.output), i), sums[i]) == out[i];
            if (variant != 2) CHECK(equal);
            else narrowed += !equal;
            ++contractions;
        } else if (const auto* product = std::get_if<quant::Product>(&operation)) {
            const auto sums = engine.accumulators(node, inputs);
            const auto &left = *inputs[0], &right = *inputs[1];
            const auto m = left.shape()[1], k = left.shape()[2], n = sums.shape()[2];
            bool equal = true;
            auto exact = *product;
            exact.accumulator = {};
            for (std::int64_t i = 0; i < sums.num_elements(); ++i) {
                const auto batch = i / (m * n), row = i / n, column = i % n;
                const auto* first = right.data() + batch * k * n + (product->transpose_right ? column * k : column);
                quant::ProductAccumulator sum;
                quant::accumulate(exact, left.row(row), first, product->transpose_right ? 1 : n, 0, k, sum);
                equal = equal && quant::combine(exact, sum) == sums[static_cast<std::size_t>(i)];
            }
            CHECK(equal);
            ++products;
        }
    }
    CHECK(contractions > 15);
    CHECK(products > 5);
    CHECK((variant != 2 || narrowed > 3));
}
