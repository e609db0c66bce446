// SPDX-License-Identifier: Apache-2.0
// Everything that is not a matrix product: engine == oracle, zero differences.
#include <catch2/catch.hpp>

#include <cmath>
#include <numeric>

#include "quant/arithmetic/softmax.hpp"
#include "tests/support/node_case.hpp"
#include "tests/support/oracle/constants.hpp"
#include "tests/support/softmax_forms.hpp"

using namespace prelude;
using namespace prelude::tests;
using quant::ScaleMode;

TEST_CASE("softmax of every scheme, width, scale and zero code equals the oracle", "[equality][mutation]") {
    Random random(301);
    for (const auto scale : {ScaleMode::row, ScaleMode::tensor, ScaleMode::one}) {
        for (const int tau : {0, 1, 2, 4}) {
            for (int bits = 2; bits <= 8; ++bits) {
                for (const bool zero : {true, false}) {
                    if (tau == 0 && zero) continue;
                    const int fraction = static_cast<int>(random.in(0, 14));
                    auto form = make_softmax(fraction, bits, tau, 15, zero, scale, scale == ScaleMode::tensor ? 0.01 + random.real() : 1.0);
                    for (const auto pattern : kPatterns) {
                        set_exponential(form, random.of(kExponentials), 16);
                        INFO("tau " << tau << " bits " << bits << " scale " << static_cast<int>(scale) << (zero ? " zero code" : "") << " F " << fraction
                                    << " form " << static_cast<int>(form.exponential) << ", scores " << name(pattern));
                        const auto reach = std::min<std::int64_t>(32767, std::int64_t{24} << fraction);
                        check_node({models::Softmax{}, form, {tensor(random, pattern, {2, 3, 37}, -reach, reach)}, {}});
                    }
                }
            }
        }
    }
}

TEST_CASE("probabilities above eight bits are multiplied by the sum's reciprocal as in the oracle", "[equality][mutation]") {
    Random random(302);
    for (const int bits : {9, 12, 16}) {
        for (const auto scale : {ScaleMode::row, ScaleMode::one}) {
            for (const auto pattern : kPatterns) {
                auto form = make_softmax(static_cast<int>(random.in(0, 14)), bits, 0, 15, false, scale, 1.0);
                set_exponential(form, random.of(kExponentials), 20);
                INFO("bits " << bits << ", scores " << name(pattern) << " F " << form.score_fraction << " form " << static_cast<int>(form.exponential));
                check_node({models::Softmax{}, form, {tensor(random, pattern, {1, 3, 41}, -32768, 32767)}, {}});
            }
        }
    }
}

TEST_CASE("probabilities that lie exactly on a threshold take the code the oracle gives them", "[equality][mutation]") {
    // 2^k equal scores make e = EXP(0) and sum = 2^k e: thresholds that are powers of two meet them exactly.
    for (const int tau : {0, 1}) {
        auto form = make_softmax(8, 4, tau, 15, true, ScaleMode::one, 1.0);
        form.threshold_mantissa.assign(form.threshold_mantissa.size(), 1 << 15);
        for (std::size_t c = 0; c < form.threshold_exponent.size(); ++c) {
            form.threshold_exponent[c] = -15 - static_cast<std::int32_t>(tau > 0 ? c : form.threshold_exponent.size() - 1 - c);
        }
        for (const std::int64_t equal : {1, 2, 4, 8, 16, 64, 256}) {
            INFO("tau " << tau << ", " << equal << " equal scores");
            const models::IntTensor scores(models::Shape{1, 1, equal}, std::vector<std::int32_t>(static_cast<std::size_t>(equal), -5));
            check_node({models::Softmax{}, form, {scores}, {}});
        }
    }
}

TEST_CASE("a softmax row of 4096 keys, equal or with one spike, equals the oracle", "[equality]") {
    Random random(303);
    for (const auto scale : {ScaleMode::row, ScaleMode::tensor}) {
        for (const int tau : {0, 2}) {
            auto form = make_softmax(8, tau ? 5 : 8, tau, 15, true, scale, 0.003);
            for (const auto pattern : {Pattern::lowest, Pattern::spike, Pattern::random}) {
                set_exponential(form, random.of(kExponentials), 16);
                check_node({models::Softmax{}, form, {tensor(random, pattern, {1, 1, 4096}, -3000, 0)}, {}});
            }
        }
    }
}

TEST_CASE("layer normalisation of tokens and of pixels equals the oracle for any channel count and any rows", "[equality][mutation]") {
    Random random(304);
    for (const std::int64_t channels : {1, 2, 3, 7, 17, 64, 127, 256, 768, 1280, 4096}) {
        for (const int word_bits : {8, 16, 20}) {
            for (const auto pattern : kPatterns) {
                const bool image = random.one_in(2);
                const std::int64_t top = (1 << (word_bits - 1)) - 1;
                quant::LayerNormOp form{.channels = channels};
                form.epsilon = random.of<std::int64_t>({0, 1, 17, 123456, std::int64_t{1} << 40});
                form.normalised_fraction = oracle::layer_norm_fraction(channels);
                form.root = random.of<quant::Root>({quant::Root::seeded, quant::Root::newton, quant::Root::repeated});
                const bool fixed = random.one_in(2);
                form.rescale = make_rescale(random, channels, 19, fixed ? -32768 : 0, fixed ? 32767 : 255, 0,
                                            random.of<Scaling>({Scaling::ordinary, Scaling::ties, Scaling::saturating}));
                INFO("channels " << channels << " words " << word_bits << " bits, " << name(pattern) << (image ? ", image" : ", tokens") << ", epsilon "
                                 << form.epsilon << ", form " << static_cast<int>(form.root));
                const auto in = image ? tensor(random, pattern, {2, channels, 1, 3}, -top - 1, top) : tensor(random, pattern, {1, 5, channels}, -top - 1, top);
                check_node({models::LayerNorm{}, form, {in}, {image ? std::size_t{1} : std::size_t{2}}});
            }
        }
    }
}

TEST_CASE("tables give the oracle's word for every code, direct up to ten bits and in segments beyond", "[exhaustive][mutation]") {
    Random random(305);
    for (const int bits : {2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16}) {
        quant::TableOp form{.input_bits = bits, .guard_bits = bits > 10 ? 8 : 0, .lo = 0, .hi = 255};
        const auto entries = bits > 10 ? 257 : 1 << bits;
        for (int i = 0; i < entries; ++i) form.table.push_back(static_cast<std::int32_t>(bits > 10 ? random.in(-5000, 70000) : random.in(0, 255)));
        models::IntTensor codes(models::Shape{1, 1, 1 << bits});
        std::iota(codes.values().begin(), codes.values().end(), 0);
        INFO("input bits " << bits);
        check_node({models::Gelu{}, form, {codes}, {}});
    }
}

TEST_CASE("additions align, round half to even once, saturate and broadcast as the oracle", "[equality][mutation]") {
    Random random(306);
    for (int i = 0; i < 60; ++i) {
        const quant::AddOp form{.left_shift = random.one_in(2) ? 0 : static_cast<int>(random.in(0, 12)),
                                .right_shift = random.one_in(2) ? 0 : static_cast<int>(random.in(0, 12)),
                                .output_shift = static_cast<int>(random.in(-2, 6)),
                                .bits = random.of<int>({8, 16, 20})};
        const auto top = (1 << (form.bits - 1)) - 1;
        const auto pattern = random.of(kPatterns);
        INFO("shifts " << form.left_shift << ' ' << form.right_shift << ' ' << form.output_shift << " bits " << form.bits << ' ' << name(pattern));
        const auto left = tensor(random, pattern, {2, 7, 11}, -top - 1, top);
        const auto shape = random.of<models::Shape>({models::Shape{2, 7, 11}, models::Shape{1, 7, 11}, models::Shape{1, 1, 11}, models::Shape{2, 1, 1}});
        check_node({models::Add{}, form, {left, tensor(random, Pattern::random, shape, -top - 1, top)}, {}});
    }
    const quant::AddOp half{.output_shift = 1, .bits = 8};  // every odd sum is a tie
    models::IntTensor left(models::Shape{1, 1, 256}), right(models::Shape{1, 1, 256});
    std::iota(left.values().begin(), left.values().end(), -128);
    for (const int other : {-128, -127, -1, 0, 1, 127}) {
        std::ranges::fill(right.values(), other);
        check_node({models::Add{}, half, {left, right}, {}});
    }
}

TEST_CASE("requantization of residual words equals the oracle per channel, for tokens and images", "[equality][mutation]") {
    Random random(307);
    for (const int bits : {2, 3, 4, 5, 6, 7, 8, 16}) {
        for (const auto scaling : {Scaling::ordinary, Scaling::ties, Scaling::saturating, Scaling::denormal}) {
            for (const bool image : {false, true}) {
                const quant::RequantizeOp form{make_rescale(random, 7, 15, 0, (1 << bits) - 1, 0, scaling)};
                INFO("bits " << bits << " scaling " << static_cast<int>(scaling));
                const auto in = image ? tensor(random, random.of(kPatterns), {2, 7, 3, 5}, -32768, 32767) : tensor(random, random.of(kPatterns), {2, 13, 7}, -32768, 32767);
                check_node({models::Requantize{}, form, {in}, {image ? std::size_t{1} : std::size_t{2}}});
            }
        }
    }
}

TEST_CASE("relative positions of any window equal the oracle, scores saturated once", "[equality][mutation]") {
    Random random(308);
    for (const auto& [height, width] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {3, 3}, {2, 5}, {5, 3}}) {
        for (const int q_bits : {2, 4, 8, 16}) {
            for (const int table_bits : {4, 8, 16}) {
                constexpr std::int64_t head_dim = 5;
                const std::int64_t top = (1 << (table_bits - 1)) - 1;
                const auto limits = [&](std::int64_t rows) { return words(random, random.of(kPatterns), rows * head_dim, -top, top, head_dim); };
                quant::RelativePositionOp form{.height = height, .width = width, .head_dim = head_dim,
                                               .q_zero_point = static_cast<std::int32_t>(random.in(0, (1 << q_bits) - 1)), .q_bits = q_bits, .table_bits = table_bits};
                form.table_height = limits(2 * height - 1);
                form.table_width = limits(2 * width - 1);
                const auto term = [&] {
                    return make_rescale(random, 1, q_bits + table_bits + 1, -20000, 20000, static_cast<int>(random.in(0, 3)),
                                        random.of<Scaling>({Scaling::ordinary, Scaling::ties, Scaling::saturating}));
                };
                form.rescale_height = term();
                form.rescale_width = term();
                form.score_bits = random.of<int>({12, 16});
                INFO("window " << height << " x " << width << " q " << q_bits << " table " << table_bits << " bits");
                const auto tokens = height * width;
                const auto scores = tensor(random, random.of(kPatterns), {2, tokens, tokens}, -40000, 40000);
                const auto q = tensor(random, random.of(kPatterns), {2, tokens, head_dim}, 0, (1 << q_bits) - 1);
                check_node({models::RelativePosition{.height = height, .width = width, .head_dim = head_dim}, form, {scores, q}, {}});
            }
        }
    }
}

TEST_CASE("prompt tokens of any coordinate and label equal the oracle", "[equality][mutation]") {
    Random random(309);
    for (const std::int64_t image_size : {64, 128, 1024}) {
        for (const int fraction : {0, 8, 12, 15, 18}) {
            constexpr std::int64_t features = 7, tokens = 23;
            quant::PromptOp form{.image_size = image_size, .num_frequencies = features, .output_fraction = fraction, .bits = 16};
            for (std::int64_t i = 0; i < 2 * features; ++i) form.frequency.push_back(random.in(-(std::int64_t{1} << 22), std::int64_t{1} << 22));
            form.frequency[0] = form.frequency[features] = std::int64_t{1} << 20;  // whole table steps and half steps
            form.label_embedding = words(random, Pattern::random, 5 * 2 * features, -120000, 120000);
            models::IntTensor coordinates = tensor(random, Pattern::random, {tokens, 2}, 0, image_size << 8), labels(models::Shape{tokens});
            for (std::int64_t t = 0; t < tokens; ++t) labels[static_cast<std::size_t>(t)] = static_cast<std::int32_t>(t % 5 - 1);
            for (std::size_t i = 0; i < 8; ++i) coordinates[i] = static_cast<std::int32_t>(i % 4 == 0 ? 0 : i % 4 == 1 ? image_size << 8 : i % 4 == 2 ? image_size << 7 : -(1 << 23));
            INFO("image " << image_size << ", output fraction " << fraction);
            const models::PromptEmbedding op{.labels = {"a", "b", "c", "d"}, .image_size = image_size, .num_frequencies = features};
            check_node({op, form, {coordinates, labels}, {1, 0}});
        }
    }
}

TEST_CASE("resizing between any sizes, with a crop, equals the oracle", "[equality][mutation]") {
    Random random(310);
    for (const std::int64_t from : {1, 2, 7, 16}) {
        for (const std::int64_t to : {1, 3, 7, 13, 32, 61}) {
            for (const int guard : {0, 6}) {
                const quant::ResizeOp form{.guard_bits = guard, .bits = 22};
                const auto in = tensor(random, random.of(kPatterns), {1, 2, from, from + 2}, -32768, 32767);
                const std::int64_t crop = random.one_in(2) ? 0 : (to + 1) / 2;
                INFO("from " << from << " to " << to << " guard " << guard << " crop " << crop);
                check_node({models::Resize{.height = to, .width = to + 4, .crop_height = crop, .crop_width = crop}, form, {in}, {1}});
            }
        }
    }
    for (const int bits : {8, 16}) {  // saturation at the ends of the word
        check_node({models::Resize{.height = 9, .width = 9}, quant::ResizeOp{.guard_bits = 2, .bits = bits}, {tensor(random, Pattern::alternating, {1, 1, 5, 5}, -32768, 32767)}, {1}});
    }
}

TEST_CASE("moves of words equal the oracle: rearrange, windows with padding codes, concatenation", "[equality][mutation]") {
    Random random(311);
    const quant::MoveOp plain;
    check_node({models::Rearrange{.view = {2, 15, 3, 5, 7}, .slice_axis = 2, .slice_begin = 1, .slice_count = 1, .order = {0, 3, 1, 2, 4}, .result = {10, 15, 7}},
                plain, {tensor(random, Pattern::random, {2, 15, 105}, 0, 255)}, {}});
    check_node({models::Rearrange{.view = {1, 5, 7, 11}, .order = {0, 3, 1, 2}, .result = {1, 11, 5, 7}}, plain, {tensor(random, Pattern::random, {1, 35, 11}, 0, 255)}, {}});
    for (const auto& [height, width, window] : {std::tuple<std::int64_t, std::int64_t, std::int64_t>{7, 5, 3}, {6, 6, 3}, {2, 3, 5}}) {
        const auto down = (height + window - 1) / window, across = (width + window - 1) / window;
        check_node({models::WindowPartition{height, width, window}, quant::MoveOp{words(random, Pattern::random, 11, 0, 255)},
                    {tensor(random, Pattern::random, {1, height * width, 11}, 0, 255)}, {}});
        check_node({models::WindowUnpartition{height, width, window}, plain, {tensor(random, Pattern::random, {down * across, window * window, 11}, 0, 255)}, {}});
    }
    check_node({models::Concat{.axis = 1}, plain, {tensor(random, Pattern::random, {1, 3, 5}, 0, 99), tensor(random, Pattern::random, {1, 1, 5}, 0, 99), tensor(random, Pattern::random, {1, 7, 5}, 0, 99)}, {}});
}
