// SPDX-License-Identifier: Apache-2.0
// Hybrid codes as they are stored: the encoder against the published quantizer, ties, and what a layer that reads them computes.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "models/data/random.hpp"
#include "quant/fake/nonlinear.hpp"
#include "quant/quantized_graph.hpp"
#include "tests/support/tiny_model.hpp"

using namespace prelude;
using namespace prelude::quant;

namespace {

struct Hybrid {
    Format form{.kind = FormatKind::hybrid};
    Meaning meaning;
};

/// The stored form of a published quantizer.
Hybrid stored(const fake::Hybrid& published, int bits, double lo) {
    Hybrid result;
    result.form.bits = bits;
    set_log_levels(result.form, static_cast<int>(published.log_levels()), 15);
    const double log_scale = static_cast<double>(published.log_scale), step = static_cast<double>(published.uniform_scale);
    result.meaning = {.scale = {std::ldexp(log_scale, -result.form.shift_cap), step}, .zero_point = {0, 0}, .offset = lo};
    for (int code = 0; code < 1 << bits; ++code) {
        const int j = code - result.form.log_levels;
        result.meaning.values.push_back(lo + (j > 0 ? log_scale + j * step : j == 0 ? 0.0 : std::ldexp(log_scale, -code)));
    }
    return result;
}

}  // namespace

TEST_CASE("Stored hybrid codes are those of the published quantizer", "[property][mutation]") {
    models::Random random(21);
    for (const int bits : {3, 4, 5, 6}) {
        for (const float share : {0.125F, 0.25F, 0.5F}) {
            if (share * static_cast<float>(1 << bits) > 16) continue;  // beyond the shift cap ours is zero
            const auto published = fake::hybrid_of_range(-0.17F, 3.1F, 0.3F, share, bits, fake::HybridVariant::intended);
            const auto [form, meaning] = stored(published, bits, -0.17F);
            INFO(bits << " bits, " << share);
            int differing = 0;
            for (int i = 0; i < 20000; ++i) {
                const auto x = static_cast<float>(i % 2 == 0 ? random.uniform(-0.3, 3.5) : -0.17 + std::exp2(random.uniform(-14, 2)));
                const auto word = word_of(form, meaning, 0, x);
                REQUIRE((word >= 0 && word < 1 << bits));
                differing += std::abs(value_of(meaning, 0, word) - static_cast<double>(published(x))) > 1e-5;
            }
            CHECK(differing <= 2);  // beside a tie, by float rounding
            for (std::int32_t code = 0; code < 1 << bits; ++code) CHECK(word_of(form, meaning, 0, meaning.values[static_cast<std::size_t>(code)]) == code);
        }
    }
}

TEST_CASE("A real number half way between two hybrid codes takes the lower code", "[mutation]") {
    Format form{.kind = FormatKind::hybrid, .bits = 4};
    set_log_levels(form, 4, 15);
    const Meaning meaning{.scale = {0.125, 0.25}, .zero_point = {0, 0}, .values = {1, 0.5, 0.25, 0.125, 0, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 2.75, 3, 3.25, 3.5, 3.75}};
    CHECK(word_of(form, meaning, 0, 1.125) == 0);
    CHECK(word_of(form, meaning, 0, std::nextafter(1.125, 2.0)) == 5);
    CHECK(word_of(form, meaning, 0, 1.375) == 5);
    CHECK(word_of(form, meaning, 0, 2.125) == 8);
    CHECK(word_of(form, meaning, 0, 100) == 15);
    CHECK(word_of(form, meaning, 0, 0.125) == 3);
    CHECK(word_of(form, meaning, 0, 0.05) == 4);
    CHECK(word_of(form, meaning, 0, -1) == 4);
    CHECK(word_of(form, meaning, 0, 0) == 4);
}

TEST_CASE("A layer that reads hybrid codes computes what its float weights make of their values", "[mutation]") {
    const auto model = tests::random_model({.image_size = 32, .patch_size = 8, .width = 24, .mlp_width = 40, .depth = 2, .num_heads = 2, .window_size = 3, .global_blocks = {1},
                                            .prompt_width = 16, .decoder_heads = 2, .decoder_mlp_width = 20, .iou_head_width = 12}, 9);
    for (const bool aligned : {false, true}) {
        Settings settings;
        settings.weight_bits = 8, settings.activation_bits = 6;
        settings.mlp_hidden_scheme = HiddenScheme::hluq;
        settings.hluq.aligned = aligned;
        const auto quantized = model.quantize(settings);
        for (const auto& node : model.graph.nodes()) {
            const auto* op = std::get_if<models::Linear>(&node.op);
            if (!op || node.part != models::Part::encoder || quantized.plan.format(model.graph.value(node.inputs[0]).name).kind != FormatKind::hybrid) continue;
            const auto words = Engine(model.graph, quantized).run(model.words, std::array{node.inputs[0], node.output});
            const auto values = [&](models::ValueId id) {
                const auto& value = model.graph.value(id);
                return quantized.dequantize(value.name, words.at(id), value.channel_axis);
            };
            const auto input = values(node.inputs[0]), output = values(node.output);
            const auto weight = model.weights.values(op->weight), bias = model.weights.values(op->bias);
            tests::Sqnr sqnr;
            for (std::int64_t row = 0; row < input.shape().num_rows(); ++row) {
                std::vector<float> wanted(bias.begin(), bias.end());
                for (std::size_t n = 0; n < wanted.size(); ++n) {
                    for (std::size_t k = 0; k < input.row(row).size(); ++k) wanted[n] += weight[n * input.row(row).size() + k] * input.row(row)[k];
                }
                sqnr.add(wanted, output.row(row));
            }
            INFO(node.name << " aligned " << aligned);
            CHECK(sqnr.db() > 35);
        }
    }
}
