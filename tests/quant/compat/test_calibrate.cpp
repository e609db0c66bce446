// SPDX-License-Identifier: Apache-2.0
// The tiny reference model, quantized as the published code would, on one generated picture: a mean over several would clip each of them.
#include "quant/compat/calibrate.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

#include "models/checkpoint/sam_checkpoint.hpp"
#include "models/metrics.hpp"
#include "quant/calibration/transforms.hpp"
#include "quant/format_plan.hpp"
#include "tests/paths.hpp"

using namespace prelude;
using namespace prelude::quant;
using namespace prelude::quant::compat;

namespace {

const models::SamCheckpoint& tiny() {
    static const auto checkpoint = models::open_sam(PRELUDE_SOURCE_DIR "/tests/data/golden/sam/tiny-a.safetensors",
                                                    {.values = {{"decoder_heads", 4}}, .global_blocks = {}, .relative_positions = {}});
    return checkpoint;
}

const models::EvaluationSet& pictures() {
    static const auto set = models::generated_set({models::DataKind::scene}, models::Split::train, 1, 1, 128, {.kinds = {models::PromptKind::box}, .limit = 2});
    return *set;
}

Settings settings_of(int bits) {
    Settings settings{.mode = Mode::compat, .weight_bits = bits, .activation_bits = bits};
    settings.softmax.scheme = SoftmaxScheme::uniform;
    return settings;
}

FakeQuantizedModel quantized(const Settings& settings) { return calibrate(tiny().config, tiny().weights, pictures(), settings); }

/// Low-resolution logits of the first picture and prompt.
template <class AnyPredictor>
std::vector<float> logits_of(AnyPredictor&& predictor) {
    const auto item = pictures().image(0);
    const auto prediction = predictor.predict(predictor.encode(item.image), item.prompts.front().prompt);
    return {prediction.low_res_logits.values().begin(), prediction.low_res_logits.values().end()};
}

std::vector<float> float_logits() { return logits_of(models::Predictor(tiny().config, tiny().weights)); }
std::vector<float> fake_logits(const FakeQuantizedModel& model) { return logits_of(compat::Predictor(tiny().config, model)); }

template <class Form>
std::vector<Form> forms_of(const FakeQuantizedModel& model) {
    std::vector<Form> forms;
    for (const auto& [name, quantizer] : model.activations) {
        if (const auto* form = std::get_if<Form>(&quantizer)) forms.push_back(*form);
    }
    return forms;
}

}  // namespace

TEST_CASE("Without quantizers the compat walk gives the bits of the FP32 reference") {
    const FakeQuantizedModel model{.weights = tiny().weights, .activations = {}, .notes = {}};
    CHECK(fake_logits(model) == float_logits());
}

TEST_CASE("More bits bring the compat walk nearer to FP32, 16 of them near", "[long]") {
    const auto reference = float_logits();
    double last = -100;
    for (const int bits : {3, 4, 16}) {
        const double db = models::sqnr_db(reference, fake_logits(quantized(settings_of(bits))));
        INFO(bits << " bits: " << db << " dB");
        CHECK(db > last);
        last = db;
    }
    CHECK(last > 60);
}

TEST_CASE("Calibration is a function of its arguments") {
    auto settings = settings_of(3);
    settings.groups = 4;
    settings.mlp_hidden_scheme = HiddenScheme::hluq;
    settings.softmax.scheme = SoftmaxScheme::lnq;
    CHECK(fake_logits(quantized(settings)) == fake_logits(quantized(settings)));
}

TEST_CASE("Schemes choose the quantizers: bases, compandings, shares and groups as the settings say") {
    auto settings = settings_of(3);
    settings.softmax.scheme = SoftmaxScheme::log;
    settings.softmax.log_base = LogBase::two;
    settings.softmax.bits = 4;
    settings.mlp_hidden_scheme = HiddenScheme::hluq;
    settings.hluq = {.alpha = 0.3, .beta = 0.25, .variant = fake::HybridVariant::reference};
    settings.groups = 0;
    const auto log = quantized(settings);
    CHECK(forms_of<fake::Logarithmic>(log).size() == 11);
    for (const auto& form : forms_of<fake::Logarithmic>(log)) CHECK((form.tau == 1 && form.bits == 4));
    for (const auto& form : forms_of<fake::Hybrid>(log)) {
        CHECK((form.log_share == 0.25F && form.variant == fake::HybridVariant::reference));
        CHECK(form.log_scale / form.uniform_scale == Approx(0.3 / 0.7 * 7 * 0.75));
    }
    CHECK(forms_of<fake::Hybrid>(log).size() == 6);
    CHECK(forms_of<ChannelAffine>(log).size() == 2 * 4 + 3 * 7 + 2);

    settings.softmax = {.scheme = SoftmaxScheme::lnq, .alpha = 5.0};
    settings.groups = 1;
    const auto companded = quantized(settings);
    CHECK(forms_of<fake::Companding>(companded).size() == 11);
    for (const auto& form : forms_of<fake::Companding>(companded)) CHECK((form.alpha == 5 && form.steps == 8));
    CHECK(forms_of<ChannelAffine>(companded).empty());
}

TEST_CASE("Hybrid codes of 16 bits stay uniform") {
    auto settings = settings_of(16);
    settings.mlp_hidden_scheme = HiddenScheme::hluq;
    CHECK(forms_of<fake::Hybrid>(quantized(settings)).empty());
}

TEST_CASE("More groups than channels are refused with the layers named") {
    auto settings = settings_of(3);
    settings.groups = 48;
    try {
        (void)quantized(settings);
        FAIL("accepted");
    } catch (const SettingsError& error) {
        const std::string message = error.what();
        CHECK(message.find("quant.groups: 48 groups asked for, but decoder.layer0.self_attn.q_proj has 32 channels") != std::string::npos);
        CHECK(message.find("qkv") == std::string::npos);
    }
}

TEST_CASE("Keys with two peaks are folded to one, which changes no score") {
    // Offsets of +-8 around the keys of the first token-to-image attention.
    const std::string keys = "mask_decoder.transformer.layers.0.cross_attn_token_to_image.k_proj.bias";
    auto weights = tiny().weights;
    const auto view = weights.tensor(keys);
    models::Tensor bias(view.shape, {view.values.begin(), view.values.end()});
    for (std::size_t c = 0; c < bias.values().size(); ++c) bias[c] = c % 2 == 0 ? 8.0F : -8.0F;
    weights.replace(keys, bias);
    const auto before = logits_of(models::Predictor(tiny().config, weights));

    auto settings = settings_of(16);
    settings.big = true;
    const auto model = calibrate(tiny().config, weights, pictures(), settings);
    REQUIRE(model.notes.size() == 1);
    CHECK(model.notes[0] == "quant.big: the signs of decoder.layer0.token_to_image.k_proj.out are folded into its projections");
    for (const float offset : model.weights.values(keys)) CHECK(offset == 8.0F);
    CHECK(models::sqnr_db(before, fake_logits(model)) > 50);
    CHECK(quantized(settings).notes.empty());
}

TEST_CASE("Badly conditioned layers have their weights lifted, the others keep theirs") {
    auto settings = settings_of(16);
    const auto plain = quantized(settings);
    settings.acnr = true;
    const auto lifted = quantized(settings);
    int changed = 0, kept = 0;
    for (const auto& name : plain.weights.names()) {
        if (!name.ends_with("weight")) continue;
        ++(std::ranges::equal(plain.weights.values(name), lifted.weights.values(name)) ? kept : changed);
    }
    CHECK(changed > 0);
    CHECK(kept > 0);
}
