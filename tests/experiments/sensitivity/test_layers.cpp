// SPDX-License-Identifier: Apache-2.0
#include "experiments/sensitivity/layers.hpp"

#include <catch2/catch.hpp>

#include "models/graph/sam.hpp"
#include "quant/format_plan.hpp"

using namespace prelude;
using namespace prelude::experiments;

namespace {

const models::Graph& nano() {
    static const auto graph = models::build_sam(*models::sam_preset("sam_nano"));
    return graph;
}

const Layer& layer_in(const std::vector<Layer>& layers, std::string_view node) {
    const auto found = std::ranges::find(layers, node, &Layer::node);
    REQUIRE(found != layers.end());
    return *found;
}

}  // namespace

TEST_CASE("Floors hold the layers that the settings keep wider, and say by which key") {
    const auto layers = layers_of(nano(), {.weight_bits = 4, .activation_bits = 4, .edge_bits = 8, .decoder_bits = 6});
    const auto& qkv = layer_in(layers, "encoder.block0.qkv");
    CHECK((qkv.weights.bits == 4 && qkv.weights.floor == 2 && qkv.weights.may_fall() && qkv.weights.held.empty()));
    const auto& patch = layer_in(layers, "encoder.patch_embed");
    CHECK((patch.weights.bits == 8 && !patch.weights.may_fall() && patch.weights.held == "quant.edge_bits"));
    CHECK_FALSE(patch.activations.exists());  // pixels
    const auto& query = layer_in(layers, "decoder.layer0.self_attn.q_proj");
    CHECK((query.weights.bits == 8 && query.weights.held == "quant.edge_bits"));
    CHECK((query.activations.bits == 6 && !query.activations.may_fall() && query.activations.held == "quant.decoder_bits"));
    const auto& product = layer_in(layers, "encoder.block0.qk");
    CHECK((!product.weights.exists() && product.activations.bits == 4 && product.num_weights == 0));
    CHECK(qkv.num_weights == 128 * 384);
    CHECK(layer_in(layers, "encoder.neck.conv2").num_weights == 64 * 64 * 9);
}

TEST_CASE("An entry of quant.layers pins a width and stands above floors") {
    quant::Settings settings{.weight_bits = 4, .activation_bits = 4};
    settings.layers = {{.match = "encoder.patch_embed", .weight_bits = 6, .activation_bits = {}, .groups = {}}};
    const auto layers = layers_of(nano(), settings);
    const auto& patch = layer_in(layers, "encoder.patch_embed");
    CHECK((patch.weights.pinned && patch.weights.bits == 6 && patch.weights.floor == 2 && patch.weights.may_fall()));
    CHECK_FALSE(layer_in(layers, "encoder.block0.qkv").weights.pinned);
}

TEST_CASE("The widths of a choice are the widths of the plan") {
    const quant::Settings settings{.weight_bits = 4, .activation_bits = 4};
    const auto layers = layers_of(nano(), settings);
    WidthChoice choice;
    int number = 0;
    for (const auto& layer : layers)
        if (layer.weights.may_fall()) choice[layer.node] = {.weight_bits = 2 + number % 7, .activation_bits = 2 + number % 5}, ++number;
    auto changed = settings;
    changed.layers = with_widths(settings, layers, choice);
    const auto after = layers_of(nano(), changed);
    for (const auto& [node, bits] : choice) {
        CAPTURE(node);
        CHECK(layer_in(after, node).weights.bits == bits.weight_bits);
        if (layer_in(layers, node).activations.exists()) CHECK(layer_in(after, node).activations.bits == bits.activation_bits);
    }
    double bytes = 0;
    for (const auto& layer : after) bytes += static_cast<double>(layer.num_weights) * layer.weights.bits / 8;
    CHECK(weight_bytes(layers, choice) == bytes);
}

TEST_CASE("Layers that read the same codes move together, others alone") {
    const quant::Settings settings{.weight_bits = 4, .activation_bits = 4};
    const auto layers = layers_of(nano(), settings);
    for (const auto& layer : layers) {
        if (!layer.activations.may_fall()) continue;
        auto changed = settings;
        WidthChoice choice;
        for (const auto& other : layers)
            if (other.group == layer.group) choice[other.node] = {.weight_bits = 0, .activation_bits = 3};
        changed.layers = with_widths(settings, layers, choice);
        const auto after = layers_of(nano(), changed);
        CAPTURE(layer.node);
        for (const auto& other : after) CHECK((other.activations.bits == 3) == choice.contains(other.node));
    }
}

TEST_CASE("The next narrower width is one that keys allow") {
    CHECK(narrower(16) == 8);
    CHECK(narrower(8) == 7);
    CHECK(narrower(3) == 2);
}
