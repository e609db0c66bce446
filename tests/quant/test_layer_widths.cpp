// SPDX-License-Identifier: Apache-2.0
// quant.layers gives layers widths of their own: what they write stays within them.
#include <catch2/catch.hpp>

#include "tests/support/tiny_model.hpp"

using namespace prelude;

TEST_CASE("Words stay within their formats where every layer has widths of its own") {
    auto model = tests::trained_nano(1);
    for (auto& [value, seen] : model.ranges)  // so that words saturate
        for (auto& range : seen.channels) range.lo /= 2, range.hi /= 2;
    quant::Settings settings{.weight_bits = 8, .activation_bits = 8};
    for (const auto& [match, bits] : {std::pair{"*.pv", 4}, {"*.qkv", 5}, {"*1.qk", 3}, {"*.lin2", 6}, {"*.v_proj", 4}, {"encoder.neck.*", 7}})
        settings.layers.push_back({.match = match, .weight_bits = bits, .activation_bits = bits, .groups = {}});
    const auto quantized = model.quantize(settings);
    const std::vector<models::ValueId> wanted{model.id(models::sam_values::kLowResLogits)};
    std::size_t values = 0;
    (void)quant::Engine(model.graph, quantized).run(model.words, wanted, [&](const models::Graph& graph, models::ValueId id, models::IntTensor& words) {
        const auto& format = quantized.plan.format(graph.value(id).name);
        if (format.kind != quant::FormatKind::code) return;
        CAPTURE(graph.value(id).name, format.bits);
        CHECK(std::ranges::min(words.values()) >= 0);
        CHECK(std::ranges::max(words.values()) < 1 << format.bits);
        ++values;
    });
    CHECK(values > 50);
}

TEST_CASE("Parts of one projection have one width, the widest that a part is read with") {
    const auto graph = models::build_sam(*models::sam_preset("sam_nano"));
    quant::Settings settings{.weight_bits = 8, .activation_bits = 4};
    settings.layers.push_back({.match = "encoder.block0.pv", .weight_bits = {}, .activation_bits = 7, .groups = {}});
    const auto plan = quant::make_plan(graph, settings);
    for (const auto* value : {"encoder.block0.q.out", "encoder.block0.k.out", "encoder.block0.v.out", "encoder.block0.qkv.out"}) CHECK(plan.format(value).bits == 7);
    CHECK(plan.contraction("encoder.block0.qk").left_bits == 7);
    CHECK(plan.format("encoder.block1.v.out").bits == 4);
}
