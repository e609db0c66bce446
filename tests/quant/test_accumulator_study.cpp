// SPDX-License-Identifier: Apache-2.0
// Widths of running sums: the bound holds under adversarial operands, is reached, and one bit less overflows.
#include <catch2/catch.hpp>

#include "quant/accumulator_study.hpp"
#include "quant/arithmetic/dot.hpp"
#include "tests/support/tiny_model.hpp"

using namespace prelude;
using quant::AccumulatorOverflow;

namespace {

std::int64_t overflows(quant::Contraction form, int bits, std::span<const std::int32_t> codes, std::int64_t output, int chunk) {
    form.accumulator = {AccumulatorOverflow::saturate, bits, chunk};
    quant::OutputAccumulator sums;
    quant::accumulate(form, quant::term_order(form), codes, std::span(form.weights).subspan(static_cast<std::size_t>(output * form.depth), static_cast<std::size_t>(form.depth)), 0,
                      form.depth, sums);
    return sums.overflows;
}

}  // namespace

TEST_CASE("the width for a layer's weights holds its worst codes at every chunk, and one bit less does not", "[property][mutation]") {
    tests::Random random(21);
    for (int trial = 0; trial < 60; ++trial) {
        const auto bits = static_cast<int>(random.in(2, 8));
        const auto depth = random.in(1, 61);
        const auto groups = random.in(1, std::min<std::int64_t>(depth, 3));
        quant::Contraction form{.num_outputs = 3, .depth = depth};
        for (std::int64_t g = 0; g < groups; ++g) form.terms.push_back({.zero_point = static_cast<std::int32_t>(random.in(0, (1 << bits) - 1))});
        for (std::int64_t k = 0; groups > 1 && k < depth; ++k) form.term_of.push_back(static_cast<std::int32_t>(k < groups ? k : random.in(0, groups - 1)));
        for (std::int64_t i = 0; i < 3 * depth; ++i) form.weights.push_back(static_cast<std::int32_t>(random.in(-127, 127)));
        const quant::Format input{.kind = quant::FormatKind::code, .bits = bits};
        const int width = quant::width_for_weights(form, input);
        CHECK(width <= quant::product_width(bits, 8, true, depth, 0));
        std::int64_t below = 0;
        for (std::int64_t o = 0; o < 3; ++o) {
            for (const bool upper : {false, true}) {  // the codes that make the output's sums as large, or as low, as they can be
                std::vector<std::int32_t> codes;
                for (std::int64_t k = 0; k < depth; ++k) {
                    const bool high = (form.weights[static_cast<std::size_t>(o * depth + k)] > 0) == upper;
                    codes.push_back(high ? (1 << bits) - 1 : 0);
                }
                for (const int chunk : {1, 5, 64}) CHECK(overflows(form, width, codes, o, chunk) == 0);
                if (width > 1) below += overflows(form, width - 1, codes, o, 64);
            }
        }
        if (width > 1) CHECK(below > 0);
    }
}

TEST_CASE("a study of a network orders its widths: observed within weights within operands, and the observed one suffices", "[property]") {
    const auto model = tests::random_model({.image_size = 40, .patch_size = 8, .width = 24, .mlp_width = 29, .depth = 2, .num_heads = 3, .window_size = 3, .global_blocks = {1},
                                            .prompt_width = 16, .decoder_heads = 2, .decoder_mlp_width = 19, .iou_head_width = 13}, 6);
    quant::Settings settings;
    settings.weight_bits = settings.activation_bits = 4;
    settings.groups = 3;
    settings.mlp_hidden_scheme = quant::HiddenScheme::hluq;
    const auto quantized = model.quantize(settings);
    quant::AccumulatorStudy study(quantized, 16, std::int64_t{1} << 20);
    const std::vector<models::ValueId> wanted{model.id(models::sam_values::kMasks), model.id(models::sam_values::kIou)};
    (void)quant::Engine(model.graph, quantized).run(model.words, wanted, study.hook());
    int widest = 0;
    std::size_t contractions = 0;
    for (const auto& node : model.graph.nodes()) contractions += quant::is_contraction(node.op);
    CHECK(study.widths().size() == contractions);
    for (const auto& [name, widths] : study.widths()) {
        INFO(name);
        CHECK((widths.observed >= 1 && widths.observed <= widths.weights && widths.weights <= widths.operands));
        widest = std::max(widest, widths.observed);
    }
    const auto overflows_at = [&](int bits) {
        settings.accumulator = {.bits = bits, .overflow = AccumulatorOverflow::saturate, .chunk = 16};
        const auto narrow = model.quantize(settings);
        const quant::Engine engine(model.graph, narrow);
        (void)engine.run(model.words, wanted);
        return engine.num_overflows();
    };
    CHECK(overflows_at(widest) == 0);
    CHECK(overflows_at(widest - 1) > 0);
}
