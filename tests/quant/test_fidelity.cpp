// SPDX-License-Identifier: Apache-2.0
// Fidelity: how far the integer forms lie from FP32 on the tiny reference model. Integer against float is a tolerance: the
// measured figures of the specification less 2 dB. Mask figures are pooled over four prompts, between which single masks lie
// up to 10 dB apart; half a decibel more is allowed them, the resolution of these figures.
#include <catch2/catch.hpp>

#include "tests/support/tiny_model.hpp"

using namespace prelude;
using namespace prelude::tests;

namespace {

struct Fidelity {
    Sqnr embedding, masks;  ///< masks: the low-resolution logits of all mask tokens
};

void measure(const CalibratedModel& model, const quant::Settings& settings, Fidelity& fidelity) {
    const auto quantized = model.quantize(settings);
    const quant::Engine engine(model.graph, quantized);
    const std::vector<models::ValueId> wanted{model.id(models::sam_values::kImageEmbedding), model.id(models::sam_values::kLowResLogits)};
    const auto words = engine.run(model.words, wanted);
    const auto add = [&](Sqnr& sqnr, models::ValueId id) {
        const auto& value = model.graph.value(id);
        sqnr.add(model.reference.at(id).values(), quantized.dequantize(value.name, words.at(id), value.channel_axis).values());
    };
    add(fidelity.embedding, wanted[0]);
    add(fidelity.masks, wanted[1]);
}

quant::Settings uniform(int bits, int probability_bits) {
    quant::Settings settings;
    settings.weight_bits = settings.activation_bits = bits;
    settings.softmax.scheme = quant::SoftmaxScheme::uniform;
    settings.softmax.bits = probability_bits;
    return settings;
}

struct Band {
    const char* name;
    quant::Settings settings;
    double embedding, masks;  ///< figures of the specification, dB
};

std::vector<Band> bands() {
    std::vector<Band> list;
    auto s = uniform(16, 16);
    s.gelu_input_bits = s.rel_pos_bits = 16;
    list.push_back({"W16A16, everything 16", s, 69, 73});
    s.gelu_input_bits = s.rel_pos_bits = 8;
    list.push_back({"W16A16, GELU input 8, relative positions 8", s, 42, 40});
    s = uniform(8, 8);
    s.softmax.scale = quant::ScaleMode::tensor;
    for (const auto& [groups, embedding] : {std::pair{1, 30.4}, {4, 30.9}, {0, 31.2}}) {
        s.groups = groups;
        list.push_back({groups == 1 ? "W8A8 groups 1" : groups == 4 ? "W8A8 groups 4" : "W8A8 per channel", s, embedding, 32});
    }
    struct FourBits {
        const char *tensor_name, *row_name;
        quant::SoftmaxScheme scheme;
        quant::LogBase base;
        double tensor, row;
    };
    for (const auto& p : {FourBits{"P4 uniform, tensor", "P4 uniform, row", quant::SoftmaxScheme::uniform, quant::LogBase::two, 13.7, 24.8},
                          FourBits{"P4 base 2, tensor", "P4 base 2, row", quant::SoftmaxScheme::log, quant::LogBase::two, 16.2, 23.4},
                          FourBits{"P4 base sqrt2, tensor", "P4 base sqrt2, row", quant::SoftmaxScheme::log, quant::LogBase::sqrt_two, 20.1, 27.2},
                          FourBits{"P4 base 2^(1/4), tensor", "P4 base 2^(1/4), row", quant::SoftmaxScheme::log, quant::LogBase::fourth_root_two, 7.7, 18.5}}) {
        for (const auto scale : {quant::ScaleMode::tensor, quant::ScaleMode::row}) {
            s = uniform(8, 4);
            s.softmax.scheme = p.scheme;
            s.softmax.log_base = p.base;
            s.softmax.scale = scale;
            const bool row = scale == quant::ScaleMode::row;
            list.push_back({row ? p.row_name : p.tensor_name, s, row ? p.row : p.tensor, -100});
        }
    }
    s = {};
    s.weight_bits = s.activation_bits = 6;
    s.groups = 4;
    list.push_back({"W6A6 groups 4", s, 19.0, 23});
    s.weight_bits = s.activation_bits = 4;
    list.push_back({"W4A4 groups 4, base sqrt2", s, 8.5, 11});
    return list;
}

}  // namespace

TEST_CASE("the integer forms keep the specification's fidelity on the tiny reference model, within 2 dB or better", "[fidelity]") {
    std::vector<CalibratedModel> models;
    for (const auto& prompt : kGoldenPrompts) {
        auto model = tiny_model(prompt);
        if (!model) {
            WARN("skipped: no golden data (tests/data/golden, $PRELUDE_GOLDEN)");
            return;
        }
        models.push_back(std::move(*model));
    }
    for (const auto& band : bands()) {
        Fidelity got;
        for (const auto& model : models) measure(model, band.settings, got);
        const double embedding = got.embedding.db(), masks = got.masks.db();
        if (std::getenv("PRELUDE_PRINT_FIDELITY")) WARN(band.name << ": embedding " << embedding << " dB, masks " << masks << " dB");
        INFO(band.name << ": embedding " << embedding << " dB, masks " << masks << " dB");
        CHECK(embedding >= band.embedding - 2);
        CHECK(masks >= band.masks - 2.5);
    }
}

TEST_CASE("more activation groups never cost more than half a decibel", "[fidelity][property]") {
    const auto golden = tiny_model();
    const auto model = golden ? *golden : random_model({.image_size = 64, .patch_size = 8, .width = 32, .mlp_width = 64, .depth = 2, .num_heads = 2, .window_size = 3,
                                                        .global_blocks = {1}, .prompt_width = 16, .decoder_heads = 2, .decoder_mlp_width = 32, .iou_head_width = 16},
                                                       3);
    for (const int bits : {8, 6}) {
        double best = -100;
        for (const int groups : {1, 2, 4, 8, 16, 0}) {
            auto settings = uniform(bits, 8);
            settings.groups = groups;
            Fidelity fidelity;
            measure(model, settings, fidelity);
            const double got = fidelity.embedding.db();
            INFO(bits << " bits, groups " << groups << ": " << got << " dB after " << best << " dB");
            CHECK(got >= best - 0.5);
            best = std::max(best, got);
        }
    }
}
