// SPDX-License-Identifier: Apache-2.0
// Linear, convolution, transposed convolution, patch embedding: engine == oracle == row functions, zero differences.
#include <catch2/catch.hpp>

#include "quant/arithmetic/dot.hpp"
#include "quant/arithmetic/rescale.hpp"
#include "quant/engine/products.hpp"
#include "quant/format_plan.hpp"
#include "tests/support/node_case.hpp"

using namespace prelude;
using namespace prelude::tests;
using quant::AccumulatorOverflow;

namespace {

struct Widths {
    int activation_bits = 8, weight_bits = 8;
    bool symmetric = true;
};

/// Weights with all-zero and all-extreme outputs among the random ones.
std::vector<std::int32_t> make_weights(Random& random, std::int64_t outputs, std::int64_t depth, const Widths& widths) {
    const std::int64_t top = (1 << (widths.weight_bits - 1)) - 1;
    std::vector<std::int32_t> weights;
    for (std::int64_t n = 0; n < outputs; ++n) {
        const std::int64_t zero = widths.symmetric ? top : random.in(0, 2 * top + 1);  // asymmetric: codes 0 .. 2^b - 1 minus z
        const std::int64_t lo = -zero, hi = widths.symmetric ? top : 2 * top + 1 - zero;
        const auto pattern = n % 4 == 1 ? Pattern::highest : n % 4 == 2 ? Pattern::alternating : Pattern::random;
        for (auto word : words(random, pattern, depth, lo, hi, depth)) weights.push_back(n % 5 == 3 ? 0 : word);
    }
    return weights;
}

/// `groups` 0: one per channel. `repeat`: positions of k per channel.
quant::Contraction make_contraction(Random& random, std::int64_t outputs, std::int64_t channels, std::int64_t repeat, std::int64_t groups,
                                    const Widths& widths, Scaling scaling, std::int64_t outputs_per_channel = 1) {
    quant::Contraction form{.num_outputs = outputs, .depth = channels * repeat, .weight_bits = widths.weight_bits, .weight_symmetric = widths.symmetric};
    form.weights = make_weights(random, outputs, form.depth, widths);
    const auto count = groups == 0 ? channels : std::min(groups, channels);
    form.product_bits = quant::product_width(widths.activation_bits, widths.weight_bits, widths.symmetric, form.depth, 0);
    const int exponent = quant::max_term_exponent(form.product_bits, 16);
    form.accumulator_bits = form.product_bits + (count > 1 ? 16 + exponent : 0);
    REQUIRE(form.accumulator_bits <= 63);
    for (std::int64_t t = 0; t < count; ++t) {
        form.terms.push_back({.zero_point = static_cast<std::int32_t>(random.in(0, (1 << widths.activation_bits) - 1))});
        if (count > 1) {
            form.terms.back().multiplier = static_cast<std::uint32_t>(t == 0 ? 65535 : t == 1 ? 1 : random.in(1, 65535));
            form.terms.back().exponent = t == 0 ? exponent : static_cast<int>(random.in(0, exponent));
        }
    }
    if (count > 1) {
        std::vector<std::int32_t> of_channel;
        for (std::int64_t c = 0; c < channels; ++c) of_channel.push_back(static_cast<std::int32_t>(c < count ? count - 1 - c : random.in(0, count - 1)));
        for (std::int64_t k = 0; k < form.depth; ++k) form.term_of.push_back(of_channel[static_cast<std::size_t>(k / repeat)]);
    }
    const int operand_shift = std::max(scaling == Scaling::ties ? static_cast<int>(random.in(0, 3)) : 0, form.accumulator_bits - 32);
    const bool fixed = random.one_in(3);
    const int bits = fixed ? 16 : static_cast<int>(random.in(2, 8));
    form.rescale = make_rescale(random, outputs / outputs_per_channel, form.accumulator_bits - 2, fixed ? -(1 << 15) : 0,
                                fixed ? (1 << 15) - 1 : (1 << bits) - 1, operand_shift, scaling);
    return form;
}

std::string describe(const quant::Contraction& form, const Widths& widths, Pattern pattern, int scaling) {
    return "N " + std::to_string(form.num_outputs) + " K " + std::to_string(form.depth) + " terms " + std::to_string(form.terms.size()) + " W" +
           std::to_string(widths.weight_bits) + (widths.symmetric ? "" : " asymmetric") + " A" + std::to_string(widths.activation_bits) + " operands " +
           name(pattern) + " scaling " + std::to_string(scaling);
}

constexpr Scaling kScalings[] = {Scaling::ordinary, Scaling::ties, Scaling::saturating, Scaling::denormal};

/// The row functions of quant/arithmetic, one output at a time, cut at random positions.
void check_row_functions(const quant::Contraction& form, const models::IntTensor& in, const models::IntTensor& out, Random& random) {
    const auto order = quant::term_order(form);
    for (std::int64_t row = 0; row < in.shape().num_rows(); ++row) {
        for (std::int64_t o = 0; o < form.num_outputs; ++o) {
            quant::OutputAccumulator accumulator;
            const auto weights = std::span(form.weights).subspan(static_cast<std::size_t>(o * form.depth), static_cast<std::size_t>(form.depth));
            const auto cut = random.in(0, form.depth);
            quant::accumulate(form, order, in.row(row), weights, 0, cut, accumulator);
            quant::accumulate(form, order, in.row(row), weights, cut, form.depth, accumulator);
            REQUIRE(quant::rescale(form.rescale, static_cast<std::size_t>(o), accumulator.accumulator) == out[static_cast<std::size_t>(row * form.num_outputs + o)]);
        }
    }
}

}  // namespace

TEST_CASE("a linear layer of any width, grouping and operand pattern equals the oracle on both product paths", "[equality][mutation]") {
    Random random(101);
    for (const int bits : {2, 3, 4, 5, 6, 7, 8, 16}) {
        for (const std::int64_t groups : {1, 4, 0, 17}) {
            for (const auto pattern : kPatterns) {
                for (int scaling = 0; scaling < 4; ++scaling) {
                    const Widths widths{bits, random.one_in(2) ? bits : static_cast<int>(random.in(2, 8)), bits == 16 || random.one_in(2)};
                    const auto outputs = random.of<std::int64_t>({1, 3, 7}), channels = random.of<std::int64_t>({17, 29, 53}), rows = random.of<std::int64_t>({1, 5});
                    const auto form = make_contraction(random, outputs, channels, 1, groups, widths, kScalings[scaling]);
                    INFO(describe(form, widths, pattern, scaling));
                    const auto in = tensor(random, pattern, {1, rows, channels}, 0, (1 << bits) - 1);
                    const auto out = check_node({models::Linear{.in_features = channels, .out_features = outputs}, form, {in}, {}});
                    check_row_functions(form, in, out, random);
                }
            }
        }
    }
}

TEST_CASE("a linear layer as deep as SAM-H's largest, with extreme operands everywhere, equals the oracle", "[equality]") {
    Random random(102);
    for (const std::int64_t groups : {1, 4}) {
        for (const auto pattern : {Pattern::highest, Pattern::lowest, Pattern::alternating}) {
            const Widths widths{8, 8, true};
            auto form = make_contraction(random, 5, 5120, 1, groups, widths, Scaling::ordinary);
            for (auto& term : form.terms) term.zero_point = pattern == Pattern::highest ? 0 : 255;
            const auto in = tensor(random, pattern, {1, 2, 5120}, 0, 255);
            INFO(describe(form, widths, pattern, 0));
            check_node({models::Linear{.in_features = 5120, .out_features = 5}, form, {in}, {}});
        }
    }
}

TEST_CASE("narrow accumulators wrap and saturate as the oracle's do, overflows counted alike", "[equality][mutation]") {
    Random random(103);
    for (const auto overflow : {AccumulatorOverflow::wrap, AccumulatorOverflow::saturate}) {
        for (const int accumulator_bits : {8, 12, 16, 20}) {
            for (const int chunk : {1, 7, 16, 64}) {
                for (const std::int64_t groups : {1, 4, 0}) {
                    const Widths widths{static_cast<int>(random.in(4, 8)), static_cast<int>(random.in(4, 8)), true};
                    auto form = make_contraction(random, 5, 31, 1, groups, widths, Scaling::ordinary);
                    form.accumulator = {overflow, accumulator_bits, chunk};
                    const auto pattern = random.of(kPatterns);
                    INFO(describe(form, widths, pattern, 0) << " accumulator " << accumulator_bits << " chunk " << chunk);
                    const auto in = tensor(random, pattern, {1, 3, 31}, 0, (1 << widths.activation_bits) - 1);
                    const auto out = check_node({models::Linear{.in_features = 31, .out_features = 5}, form, {in}, {}});
                    check_row_functions(form, in, out, random);
                }
            }
        }
    }
}

TEST_CASE("a convolution of any kernel, stride, padding and grouping equals the oracle, padding is the zero point", "[equality][mutation]") {
    Random random(104);
    struct Geometry {
        std::int64_t kernel, stride, padding, height, width;
    };
    for (const auto& g : {Geometry{1, 1, 0, 3, 5}, Geometry{3, 1, 1, 5, 7}, Geometry{2, 2, 0, 6, 4}, Geometry{3, 2, 1, 7, 5}, Geometry{5, 1, 2, 3, 3}}) {
        for (const int bits : {2, 4, 6, 8, 12}) {
            for (const std::int64_t groups : {1, 4, 0}) {
                for (int scaling = 0; scaling < 2; ++scaling) {
                    const Widths widths{bits, static_cast<int>(random.in(2, 8)), random.one_in(2)};
                    const auto form = make_contraction(random, 5, 7, g.kernel * g.kernel, groups, widths, kScalings[scaling]);
                    const auto pattern = random.of(kPatterns);
                    INFO(describe(form, widths, pattern, scaling) << " kernel " << g.kernel << " stride " << g.stride << " padding " << g.padding);
                    const auto in = tensor(random, pattern, {2, 7, g.height, g.width}, 0, (1 << bits) - 1);
                    check_node({models::Conv{.in_channels = 7, .out_channels = 5, .kernel = g.kernel, .stride = g.stride, .padding = g.padding}, form, {in}, {1}});
                }
            }
        }
    }
}

TEST_CASE("a transposed convolution places its kernel outputs as the oracle does", "[equality][mutation]") {
    Random random(105);
    for (const std::int64_t kernel : {2, 3}) {
        for (const int bits : {3, 8, 10}) {
            for (const std::int64_t groups : {1, 4, 0}) {
                const Widths widths{bits, static_cast<int>(random.in(2, 8)), true};
                const auto form = make_contraction(random, 5 * kernel * kernel, 11, 1, groups, widths, Scaling::ordinary, kernel * kernel);
                const auto in = tensor(random, Pattern::random, {2, 11, 3, 5}, 0, (1 << bits) - 1);
                INFO(describe(form, widths, Pattern::random, 0) << " kernel " << kernel);
                check_node({models::ConvTranspose{.in_channels = 11, .out_channels = 5, .kernel = kernel}, form, {in}, {1}});
            }
        }
    }
}

TEST_CASE("patches at the picture's right and bottom edge take the mean of their real pixels only", "[equality][mutation]") {
    Random random(106);
    constexpr std::int64_t patch = 4, side = 12;
    for (const auto& [height, width] : {std::pair<std::int64_t, std::int64_t>{0, 0}, {12, 12}, {7, 12}, {12, 5}, {9, 10}, {4, 8}, {1, 1}}) {
        for (const auto pattern : {Pattern::random, Pattern::highest, Pattern::lowest}) {
            for (int scaling = 0; scaling < 2; ++scaling) {
                auto form = make_contraction(random, 7, 3, patch * patch, 1, {8, 8, true}, kScalings[scaling]);
                form.terms[0].zero_point = 0;
                auto in = tensor(random, pattern, {1, 3, side, side}, 0, 255);
                for (std::int64_t i = 0; i < in.num_elements(); ++i) {  // the caller supplies 0 outside the picture
                    const auto y = i / side % side, x = i % side;
                    if ((height && y >= height) || (width && x >= width)) in[static_cast<std::size_t>(i)] = 0;
                }
                INFO("content " << height << " x " << width << ", " << name(pattern));
                const quant::PatchEmbedding embedding{form, {31661, 29768, 26504}, patch};
                const models::Conv op{.in_channels = 3, .out_channels = 7, .kernel = patch, .stride = patch, .content_height = height, .content_width = width};
                check_node({op, embedding, {in}, {1}});
            }
        }
    }
}
