// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <cmath>

#include "models/data/random.hpp"
#include "models/data/sample.hpp"
#include "models/metrics.hpp"
#include "models/predictor.hpp"
#include "models/stress.hpp"
#include "tests/paths.hpp"

using namespace prelude::models;

namespace {

Prediction predict(const SamConfig& config, const Weights& weights, const Sample& sample) {
    Predictor predictor(config, weights);
    Prompt prompt;
    prompt.box = sample.instances.front().prompts.box;
    return predictor.predict(predictor.encode(sample.image), prompt);
}

double ratio_of_extremes(std::span<const float> values) {
    const auto [lo, hi] = std::ranges::minmax(values, {}, [](float v) { return std::abs(v); });
    return std::abs(hi / lo);
}

}  // namespace

TEST_CASE("every stress leaves the float masks as they are and shows in the weights") {
    const auto config = *sam_preset("sam_nano");
    const auto weights = Weights::open(PRELUDE_SOURCE_DIR "/models/weights/sam_nano.safetensors");
    const auto sample = generate(DataKind::phantom, Split::dev, 1, 5, 128);
    const auto expected = predict(config, weights, sample);
    StressSettings settings;
    const std::string gain = "image_encoder.blocks.3.norm1.weight";
    SECTION("channel spread") { settings.channel_spread = 100; }
    SECTION("bimodal keys") { settings.bimodal = 5; }
    SECTION("ill-conditioned pairs") { settings.condition = 100; }
    SECTION("long tails") { settings.gelu_tail = 30; }
    SECTION("all at once") { settings = {.channel_spread = 30, .bimodal = 3, .condition = 30, .gelu_tail = 20}; }
    const auto stressed = stress(config, weights, settings);
    const auto actual = predict(stressed.config, stressed.weights, sample);
    CHECK(relative_deviation(expected.masks.values(), actual.masks.values()) < 2e-4);
    CHECK(relative_deviation(expected.masks.values(), actual.masks.values()) > 0);
    CHECK(stressed.config.mlp_width == config.mlp_width + (settings.gelu_tail > 0 ? 8 : 0));
    if (settings.channel_spread > 1) {
        std::vector<float> factors;
        for (std::size_t c = 0; c < 128; ++c) factors.push_back(stressed.weights.values(gain)[c] / weights.values(gain)[c]);
        CHECK(ratio_of_extremes(factors) > 0.5 * settings.channel_spread);
        CHECK(ratio_of_extremes(factors) <= settings.channel_spread * 1.001);
    }
}

TEST_CASE("no stress is no change, equal seeds give equal weights") {
    const auto config = *sam_preset("sam_nano");
    const auto weights = Weights::open(PRELUDE_SOURCE_DIR "/models/weights/sam_nano.safetensors");
    const auto same = stress(config, weights, {});
    const std::string name = "image_encoder.blocks.0.mlp.lin1.weight";
    CHECK(std::ranges::equal(same.weights.values(name), weights.values(name)));
    const StressSettings strong{.channel_spread = 30, .gelu_tail = 10, .seed = 7};
    const auto a = stress(config, weights, strong), b = stress(config, weights, strong);
    for (const auto& tensor : a.weights.names()) CHECK(std::ranges::equal(a.weights.values(tensor), b.weights.values(tensor)));
}
