// SPDX-License-Identifier: Apache-2.0
// Whole networks: the engine's words equal the oracle's at every value, zero differences.
#include <catch2/catch.hpp>

#include "tests/support/node_case.hpp"
#include "tests/support/tiny_model.hpp"

using namespace prelude;
using namespace prelude::tests;

namespace {

void check_every_value(const CalibratedModel& model, const quant::Settings& settings) {
    const auto quantized = model.quantize(settings);
    std::map<int, oracle::Array> given;
    for (const auto& [id, words] : model.words) given.emplace(id, to_oracle(words));
    oracle::Overflows overflows;
    const auto expected = oracle::walk(to_oracle(model.graph, quantized), std::move(given), overflows);

    const quant::Engine engine(model.graph, quantized);
    std::int64_t num_values = 0, num_words = 0, num_different = 0;
    const std::vector<models::ValueId> wanted{model.id(models::sam_values::kMasks), model.id(models::sam_values::kIou)};
    (void)engine.run(model.words, wanted, [&](const models::Graph& graph, models::ValueId id, models::IntTensor& words) {
        const auto& oracle_words = expected.at(id);
        INFO(graph.value(id).name << ": " << first_difference(oracle_words.words, words.values()));
        CHECK(oracle_words.shape == words.shape().extents());
        CHECK(first_difference(oracle_words.words, words.values()).empty());
        ++num_values;
        num_words += words.num_elements();
        num_different += !first_difference(oracle_words.words, words.values()).empty();
    });
    INFO(num_values << " values, " << num_words << " words");
    CHECK(num_different == 0);
    CHECK(num_values == static_cast<std::int64_t>(model.graph.nodes().size() + model.graph.inputs().size()));
    CHECK(engine.num_overflows() == overflows.count);
    // With nobody looking, attentions run as a whole.
    const auto results = quant::Engine(model.graph, quantized).run(model.words, wanted);
    for (const auto id : wanted) CHECK(first_difference(expected.at(id).words, results.at(id).values()).empty());
}

quant::Settings w8a8() {
    quant::Settings settings;
    settings.softmax.bits = 8;
    settings.softmax.scheme = quant::SoftmaxScheme::uniform;
    return settings;
}
quant::Settings w4a4() {
    quant::Settings settings;
    settings.weight_bits = settings.activation_bits = 4;
    settings.groups = 4;
    settings.softmax.log_base = quant::LogBase::sqrt_two;
    return settings;
}

/// Every operator and every kind of value in a network that takes milliseconds.
models::SamConfig minute_config() {
    return {.image_size = 40, .patch_size = 8, .width = 24, .mlp_width = 29, .depth = 2, .num_heads = 3, .window_size = 3, .global_blocks = {1}, .prompt_width = 16,
            .decoder_heads = 2, .decoder_mlp_width = 19, .iou_head_width = 13};
}

}  // namespace

TEST_CASE("a minute network equals the oracle at every value under every kind of setting", "[equality][mutation]") {
    const auto model = random_model(minute_config(), 1);
    SECTION("W8A8, uniform probabilities") { check_every_value(model, w8a8()); }
    SECTION("W4A4, groups 4, base sqrt2") { check_every_value(model, w4a4()); }
    for (const int groups : {0, 3}) {
        for (const auto base : {quant::LogBase::two, quant::LogBase::fourth_root_two}) {
            for (const auto scale : {quant::ScaleMode::tensor, quant::ScaleMode::one}) {
                DYNAMIC_SECTION("W6A6, groups " << groups << ", tau " << quant::tau_of(base) << ", scale " << static_cast<int>(scale)) {
                    auto settings = w4a4();
                    settings.weight_bits = settings.activation_bits = 6;
                    settings.groups = groups;
                    settings.softmax.log_base = base;
                    settings.softmax.scale = scale;
                    settings.softmax.zero_code = groups ? quant::ZeroCode::saturate : quant::ZeroCode::reuse_top;
                    settings.weight_symmetric = groups != 0;
                    settings.weight_per_channel = groups != 0;
                    check_every_value(model, settings);
                }
            }
        }
    }
    SECTION("W16A16, everything 16 bits") {
        auto settings = w8a8();
        settings.weight_bits = settings.activation_bits = settings.gelu_input_bits = settings.rel_pos_bits = 16;
        settings.softmax.bits = 16;
        check_every_value(model, settings);
    }
    SECTION("W2A2, 2-bit log codes, 12-bit scores, narrow constants") {
        auto settings = w4a4();
        settings.weight_bits = settings.activation_bits = settings.edge_bits = 2;
        settings.softmax.bits = 2;
        settings.softmax.log_base = quant::LogBase::fourth_root_two;
        settings.score_bits = 12;
        settings.rescale = {.term_bits = 8, .operand_bits = 24};
        check_every_value(model, settings);
    }
    SECTION("a residual stream of 20 bits") {
        auto settings = w8a8();
        settings.residual_bits = 20;
        settings.rel_pos_bits = 5;
        settings.gelu_input_bits = 12;
        check_every_value(model, settings);
    }
    for (const bool aligned : {false, true}) {
        for (const int bits : {3, 4, 6, 8}) {
            DYNAMIC_SECTION("hidden layers log-uniform, " << bits << " bits, aligned " << aligned) {
                auto settings = w4a4();
                settings.weight_bits = settings.activation_bits = bits;
                settings.mlp_hidden_scheme = quant::HiddenScheme::hluq;
                settings.hluq.aligned = aligned;
                if (bits == 3) settings.accumulator = {.bits = 14, .overflow = quant::AccumulatorOverflow::wrap, .chunk = 5};
                if (bits == 6) settings.hluq.beta = 0.5;
                check_every_value(model, settings);
            }
        }
    }
    for (const auto form : {quant::SoftmaxForm::shift, quant::SoftmaxForm::lut, quant::SoftmaxForm::bucket}) {
        for (const auto scale : {quant::ScaleMode::row, quant::ScaleMode::tensor, quant::ScaleMode::one}) {
            for (const int bits : {2, 4, 5}) {
                DYNAMIC_SECTION("companded probabilities, form " << static_cast<int>(form) << ", scale " << static_cast<int>(scale) << ", " << bits << " bits") {
                    auto settings = w4a4();
                    settings.softmax = {.scheme = quant::SoftmaxScheme::lnq, .form = form, .bits = bits, .scale = scale};
                    if (bits == 2) settings.softmax.log_base = quant::LogBase::search;
                    if (bits == 4) settings.softmax.alpha = 50;
                    if (bits == 5) settings.accumulator = {.bits = 14, .overflow = quant::AccumulatorOverflow::saturate, .chunk = 5};
                    check_every_value(model, settings);
                }
            }
        }
    }
    for (const auto scale : {quant::ScaleMode::row, quant::ScaleMode::tensor}) {
        DYNAMIC_SECTION("searched base, a zero code of its own, scale " << static_cast<int>(scale)) {
            auto settings = w4a4();
            settings.softmax.log_base = quant::LogBase::search;
            settings.softmax.zero_code = quant::ZeroCode::escape;
            settings.softmax.scale = scale;
            check_every_value(model, settings);
        }
    }
    for (const auto rule : {quant::GroupRule::kmeans, quant::GroupRule::kmeans_raw}) {
        for (const auto scales : {quant::GroupScales::free, quant::GroupScales::power_of_two}) {
            DYNAMIC_SECTION("groups by rule " << static_cast<int>(rule) << ", scales " << static_cast<int>(scales)) {
                auto settings = w4a4();
                settings.group_rule = rule;
                settings.group_scales = scales;
                settings.group_align = 2;
                settings.groups = 3;
                check_every_value(model, settings);
                settings.groups = 0;
                check_every_value(model, settings);
            }
        }
    }
    SECTION("reparameterized norms, asymmetric weights by grid search, a wide decoder") {
        auto settings = w4a4();
        settings.reparam = true;
        settings.weight_symmetric = false;
        settings.weight_range = quant::WeightRange::mse_grid;
        settings.decoder_bits = 16;
        settings.mlp_hidden_scheme = quant::HiddenScheme::search;
        check_every_value(model, settings);
    }
    SECTION("narrow saturating accumulators") {
        auto settings = w4a4();
        settings.accumulator = {.bits = 12, .overflow = quant::AccumulatorOverflow::saturate, .chunk = 16};
        check_every_value(model, settings);
    }
}

TEST_CASE("the tiny reference model equals the oracle at every value, W8A8 and W4A4 groups 4 base sqrt2", "[equality]") {
    const auto model = tiny_model();
    if (!model) {
        WARN("skipped: no golden data (tests/data/golden, $PRELUDE_GOLDEN)");
        return;
    }
    check_every_value(*model, w8a8());
    check_every_value(*model, w4a4());
}

TEST_CASE("sam_nano with random weights equals the oracle at every value, W8A8 and W4A4 groups 4 base sqrt2", "[equality]") {
    const auto model = random_model(*models::sam_preset("sam_nano"), 2);
    SECTION("W8A8") { check_every_value(model, w8a8()); }
    SECTION("W4A4") { check_every_value(model, w4a4()); }
}
