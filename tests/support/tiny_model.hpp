// SPDX-License-Identifier: Apache-2.0
#pragma once

// A small network ready to be quantized: float weights, one picture and prompt, the FP32 walk's values and calibrated ranges.

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "models/checkpoint/safetensors.hpp"
#include "models/checkpoint/weights.hpp"
#include "models/graph/sam.hpp"
#include "models/reference/executor.hpp"
#include "models/data/sample.hpp"
#include "models/predictor.hpp"
#include "quant/calibration/calibrate.hpp"
#include "quant/calibration/transforms.hpp"
#include "quant/engine/engine.hpp"
#include "quant/predictor.hpp"
#include "quant/quantize.hpp"
#include "tests/support/adversarial.hpp"
#include "tests/paths.hpp"

namespace prelude::tests {

/// Everything stays at its address: graph and weights are referred to by executors and engines.
struct CalibratedModel {
    models::SamConfig config;
    models::Weights weights{};
    models::Graph graph{};
    models::ReferenceExecutor::Values reference{};  ///< every value of the FP32 walk
    quant::Ranges ranges{};
    quant::Observer calibration_observer = quant::Observer::min_max;
    quant::Words words{};                           ///< the integer inputs

    [[nodiscard]] models::ValueId id(std::string_view name) const { return *graph.find_value(name); }
    [[nodiscard]] quant::QuantizedGraph quantize(const quant::Settings& settings) const { return quant::quantize(config, graph, weights, settings, ranges); }

    /// Runs the FP32 walk over the inputs, keeps every value and calibrates on them.
    void calibrate(const models::ReferenceExecutor::Values& given) {
        std::vector<models::ValueId> wanted{id(models::sam_values::kMasks), id(models::sam_values::kIou)};
        auto rows = quant::layer_rows(graph);
        rows.merge(quant::attention_rows(graph));
        for (const auto& keys : quant::token_to_image_keys(graph)) rows.emplace(keys, quant::RowForm{});
        quant::RangeObserver observer(calibration_observer, std::move(rows));
        const models::ReferenceExecutor executor(graph, weights);
        (void)executor.run(given, wanted, [&](const models::Node*, models::ValueId value, models::Tensor& tensor) {
            observer.observe(graph.value(value), tensor);
            reference[value] = tensor;
        });
        observer.end_image();
        ranges = observer.ranges(1.0);
    }
};

/// Signal to quantization noise, pooled over what is added.
struct Sqnr {
    double signal = 0, noise = 0;
    void add(std::span<const float> reference, std::span<const float> approximation) {
        for (std::size_t i = 0; i < reference.size(); ++i) {
            signal += std::pow(static_cast<double>(reference[i]), 2);
            noise += std::pow(static_cast<double>(reference[i]) - static_cast<double>(approximation[i]), 2);
        }
    }
    [[nodiscard]] double db() const { return 10 * std::log10(signal / noise); }
};

/// A network of random weights: normal, 1/sqrt(fan in), norms near 1; a smooth random picture and one point.
inline CalibratedModel random_model(const models::SamConfig& config, std::uint64_t seed) {
    CalibratedModel model{.config = config};
    Random random(seed);
    const auto shapes = models::expected_tensors(config);
    model.weights = models::Weights::generate(shapes, [&](const std::string& name, std::span<float> values) {
        const auto& shape = std::ranges::find(shapes, name, &models::NamedShape::name)->shape;
        const bool norm = name.find("norm") != std::string::npos || name.find("neck.1") != std::string::npos || name.find("neck.3") != std::string::npos ||
                          name.find("upscaling.1") != std::string::npos;
        const bool gain = norm && name.ends_with("weight") && shape.rank() == 1;
        const auto fan_in = shape.rank() > 1 ? shape.num_elements() / shape[0] : 0;
        const double deviation = fan_in > 0 ? 1.0 / std::sqrt(static_cast<double>(fan_in)) : 0.2;
        for (auto& value : values) value = static_cast<float>((gain ? 1.0 : 0.0) + deviation * random.normal());
    });
    const auto side = config.image_size, height = side * 3 / 4;
    model.graph = models::build_sam(config, {.num_prompt_tokens = 2, .input_height = height, .input_width = side, .original_height = height + 7, .original_width = side + 3});
    models::Tensor image({1, 3, side, side});
    models::IntTensor pixels({1, 3, side, side});
    constexpr double mean[] = {123.675, 116.28, 103.53}, deviation[] = {58.395, 57.12, 57.375};
    for (std::int64_t c = 0; c < 3; ++c) {
        for (std::int64_t y = 0; y < height; ++y) {
            for (std::int64_t x = 0; x < side; ++x) {
                const auto at = static_cast<std::size_t>((c * side + y) * side + x);
                const double wave = 128 + 70 * std::sin(0.11 * static_cast<double>(x + 7 * c)) + 40 * std::cos(0.17 * static_cast<double>(y)) + 8 * random.normal();
                pixels[at] = static_cast<std::int32_t>(std::clamp(std::nearbyint(wave), 0.0, 255.0));
                image[at] = static_cast<float>((pixels[at] - mean[c]) / deviation[c]);
            }
        }
    }
    const models::Tensor coordinates({2, 2}, {static_cast<float>(side) * 0.4f, static_cast<float>(side) * 0.3f, 0.0f, 0.0f}), labels({2}, {1.0f, -1.0f});
    model.calibrate({{model.id("image"), image}, {model.id("prompt.coordinates"), coordinates}, {model.id("prompt.labels"), labels}});
    models::IntTensor coordinate_words({2, 2}), label_words({2}, {1, -1});
    for (std::size_t i = 0; i < 4; ++i) coordinate_words[i] = quant::coordinate_word(coordinates[i]);
    model.words = {{model.id("image"), pixels}, {model.id("prompt.coordinates"), coordinate_words}, {model.id("prompt.labels"), label_words}};
    return model;
}

/// The shipped sam_nano with picture `index` of the test scenes and the box of its first instance, calibrated on just that.
inline CalibratedModel trained_nano(std::int64_t index) {
    CalibratedModel model{.config = *models::sam_preset("sam_nano"), .weights = models::Weights::open(PRELUDE_SOURCE_DIR "/models/weights/sam_nano.safetensors")};
    const auto sample = models::generate(models::DataKind::scene, models::Split::test, 1, index, static_cast<int>(model.config.image_size));
    const auto input = models::preprocess(sample.image, static_cast<int>(model.config.image_size));
    const auto& box = sample.instances.front().prompts.box;
    models::Prompt prompt;
    prompt.box = box;
    model.graph = models::build_sam(model.config, models::workload_of(prompt, input.frame, models::MaskSelection::single, model.config));
    prompt = models::to_input_frame(prompt, input.frame);
    auto given = models::prompt_values(model.graph, prompt);
    given.emplace(model.id(models::sam_values::kImage), input.image);
    model.calibrate(given);
    model.words = quant::prompt_words(model.graph, prompt);
    model.words.emplace(model.id(models::sam_values::kImage), quant::pixel_words(sample.image, static_cast<int>(model.config.image_size)).pixels);
    return model;
}

/// `golden/sam/<file>`: tests/data/golden, else $PRELUDE_GOLDEN; empty if neither holds it.
inline std::filesystem::path golden_file(const std::string& file) {
    std::vector<std::filesystem::path> roots{PRELUDE_SOURCE_DIR "/tests/data/golden"};
    if (const char* given = std::getenv("PRELUDE_GOLDEN")) roots.insert(roots.begin(), given);
    for (const auto& root : roots) {
        if (std::filesystem::exists(root / "sam" / file)) return root / "sam" / file;
    }
    return {};
}

/// Prompts of the golden data that are one mask: points and boxes.
inline const std::vector<std::string> kGoldenPrompts{"point1", "points2", "box", "box_point"};

/// The tiny reference model of the golden data with its picture and a prompt; nothing if the files are not there.
inline std::optional<CalibratedModel> tiny_model(const std::string& prompt = "point1") {
    const auto weights = golden_file("tiny-a.safetensors"), inputs_file = golden_file("tiny-a.inputs.safetensors");
    if (weights.empty() || inputs_file.empty()) return std::nullopt;
    CalibratedModel model{.config = {.image_size = 128, .patch_size = 16, .width = 64, .mlp_width = 256, .depth = 4, .num_heads = 4, .window_size = 3,
                                     .global_blocks = {1, 3}, .prompt_width = 32, .decoder_heads = 4, .decoder_mlp_width = 64, .iou_head_width = 32},
                          .weights = models::Weights::open(weights)};
    const auto file = models::read_safetensors(inputs_file);
    const auto floats = models::Weights::from(file);
    std::vector<float> xy, kinds;
    if (const auto name = "prompt." + prompt + ".point_coords"; floats.contains(name)) {
        const auto points = floats.values(name);
        const auto labels = file.view<std::int64_t>("prompt." + prompt + ".point_labels");
        xy.assign(points.begin(), points.end());
        for (const auto label : labels) kinds.push_back(static_cast<float>(label));
    }
    if (const auto name = "prompt." + prompt + ".boxes"; floats.contains(name)) {
        for (const auto corner : floats.values(name)) xy.push_back(corner);
        kinds.insert(kinds.end(), {2.0f, 3.0f});
    } else {  // points without a box: one padding point
        xy.insert(xy.end(), {0.0f, 0.0f});
        kinds.push_back(-1.0f);
    }
    const auto tokens = static_cast<std::int64_t>(kinds.size());
    constexpr std::int64_t side = 128, height = 77, width = 128;
    model.graph = models::build_sam(
        model.config, {.num_prompt_tokens = tokens, .input_height = height, .input_width = width, .original_height = 90, .original_width = 150});
    const auto image = floats.values("preprocessed");
    model.calibrate({{model.id("image"), models::Tensor({1, 3, side, side}, {image.begin(), image.end()})},
                     {model.id("prompt.coordinates"), models::Tensor({tokens, 2}, xy)},
                     {model.id("prompt.labels"), models::Tensor({tokens}, kinds)}});
    const auto bytes = file.view<std::uint8_t>("image_resized_u8_hwc");
    models::IntTensor pixels({1, 3, side, side}), coordinates({tokens, 2}), labels({tokens});
    for (std::int64_t y = 0; y < height; ++y) {
        for (std::int64_t x = 0; x < width; ++x) {
            for (std::int64_t c = 0; c < 3; ++c) pixels[static_cast<std::size_t>((c * side + y) * side + x)] = bytes[static_cast<std::size_t>((y * width + x) * 3 + c)];
        }
    }
    for (std::size_t i = 0; i < xy.size(); ++i) coordinates[i] = quant::coordinate_word(xy[i]);
    for (std::size_t i = 0; i < kinds.size(); ++i) labels[i] = static_cast<std::int32_t>(kinds[i]);
    model.words = {{model.id("image"), pixels}, {model.id("prompt.coordinates"), coordinates}, {model.id("prompt.labels"), labels}};
    return model;
}

}  // namespace prelude::tests
