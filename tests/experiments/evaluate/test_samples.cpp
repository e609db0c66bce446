// SPDX-License-Identifier: Apache-2.0
#include "experiments/evaluate/samples.hpp"

#include <catch2/catch.hpp>

#include "experiments/base64.hpp"
#include "experiments/evaluate/accuracy.hpp"
#include "models/metrics.hpp"
#include "quant/calibration/calibrate.hpp"
#include "quant/quantize.hpp"
#include "tests/support/program.hpp"
#include "tests/support/tiny_configuration.hpp"

#include "experiments/config/configuration.hpp"
#include "tests/paths.hpp"

using namespace prelude;
using namespace prelude::experiments;

namespace {

Settings settings_of(const std::string& data) {
    return read_configuration_text(testing::tiny_model() + "data: {" + data + "}\n", "f.yaml", {}, PRELUDE_SOURCE_DIR "/arch_configs").base;
}

models::PromptedMask prompt(models::PromptKind kind, int pixels) {
    models::PromptedMask result{.kind = kind, .prompt = {}, .truth = models::Mask(4, 4)};
    for (int i = 0; i < pixels; ++i) result.truth.values[static_cast<std::size_t>(i)] = 1;
    return result;
}

}  // namespace

TEST_CASE("A picture's sample is its largest box, without boxes its largest point, and only the first pictures have one") {
    using enum models::PromptKind;
    models::EvaluationImage item{.name = "", .image = {}, .prompts = {prompt(point, 9), prompt(box, 2), prompt(box, 5), prompt(box, 5)}};
    CHECK(sample_prompt(0, item) == &item.prompts[2]);
    CHECK(sample_prompt(kNumSamples - 1, item) == &item.prompts[2]);
    CHECK(sample_prompt(kNumSamples, item) == nullptr);
    item.prompts = {prompt(point, 3), prompt(point, 9)};
    CHECK(sample_prompt(0, item) == &item.prompts[1]);
    item.prompts.clear();
    CHECK(sample_prompt(0, item) == nullptr);
}

TEST_CASE("Samples carry the FP32 model's masks, and every quantized model's answers to them are those its accuracy counts") {
    const auto settings = settings_of("kind: [phantom, scene], num_images: 3, prompts_per_image: 2, prompts: [point, box]");
    const auto model = load_model(settings.model);
    const auto set = evaluation_set(settings.data, model.config);
    const auto answers = evaluate_reference(model, *set, settings.data).answers;
    const auto samples = samples_of(*set, answers);
    REQUIRE(samples.size() == 3);

    models::Predictor predictor(model.config, *model.weights);
    const auto quantized = quant::quantize(model.config, models::build_sam(model.config), *model.weights, settings.quant,
                                           quant::calibrate(predictor, *set, settings.quant));
    const auto accuracy = quantized_accuracy(model, quantized, *set, answers, settings.data);
    REQUIRE(accuracy.at("samples").size() == samples.size());
    for (int i = 0; i < 3; ++i) {
        const auto item = set->image(i);
        const auto& sample = samples[static_cast<std::size_t>(i)];
        const auto* asked = sample_prompt(i, item);
        CHECK(sample.name == item.name);
        CHECK(sample.png == base64(models::encode_png(item.image)));
        CHECK(sample.box == asked->prompt.box);
        CHECK(sample.truth == asked->truth);
        CHECK(sample.reference_iou == models::intersection_over_union(sample.reference, sample.truth));
        const auto encoded = predictor.encode(item.image);
        CHECK(sample.reference == predictor.predict(encoded, asked->prompt).mask(0));
        const auto answer = sample_answer(accuracy.at("samples").at(static_cast<std::size_t>(i)));
        CHECK(answer.iou == models::intersection_over_union(answer.mask, sample.truth));
    }
}

TEST_CASE("Samples are read as they were written, a large picture is kept reduced and its masks whole") {
    const testing::TemporaryFolder folder;
    Sample sample{.name = "a \xff b", .png = "AAAA", .box = {}, .point = models::Point{1, 2.5}, .truth = models::Mask(700, 300), .reference = models::Mask(700, 300), .reference_iou = 0.25};
    sample.truth.values[5] = 1;
    const auto file = samples_file(folder.path(), "key");
    save_samples({sample}, file);
    const auto read = load_samples(file);
    REQUIRE(read);
    CHECK(read->at(0).point == sample.point);
    CHECK_FALSE(read->at(0).box);
    CHECK(read->at(0).truth == sample.truth);
    CHECK(read->at(0).png == sample.png);
    CHECK_FALSE(load_samples(folder / "nothing"));

    class Large final : public models::EvaluationSet {
      public:
        [[nodiscard]] int size() const noexcept override { return 1; }
        [[nodiscard]] models::EvaluationImage image(int) const override {
            auto asked = prompt(models::PromptKind::box, 1);
            return {.name = "large", .image = {700, 300, std::vector<std::uint8_t>(630'000, 7)}, .prompts = {asked}};
        }
    };
    const auto large = samples_of(Large(), {.logits = {}, .masks = {sample.truth}, .iou = {0.5}});
    const models::Image reduced{256, 109, std::vector<std::uint8_t>(256 * 109 * 3, 7)};
    CHECK(large.at(0).png == base64(models::encode_png(reduced)));
    CHECK(large.at(0).reference == sample.truth);
}
