// SPDX-License-Identifier: Apache-2.0
// The floating-point engine against the FP32 reference walk: a tolerance, in every value of trained and golden networks.
#include <catch2/catch.hpp>

#include "models/metrics.hpp"
#include "quant/float/predictor.hpp"
#include "tests/support/tiny_model.hpp"

using namespace prelude;

namespace {

/// Root of mean squares of what differs, over that of the reference; the worst value of the network.
std::pair<double, std::string> worst_error(const tests::CalibratedModel& model, const quant::Settings& settings) {
    std::vector<models::ValueId> wanted;
    models::SamWorkload workload;  // that of model.graph, in one format
    const auto& masks = model.graph.value(model.id(models::sam_values::kMasks)).shape;
    const auto& cropped = model.graph.value(*model.graph.find_value("postprocess.resize_input.out")).shape;
    workload.num_prompt_tokens = model.graph.value(model.id(models::sam_values::kPromptLabels)).shape[0];
    workload.original_height = masks[2], workload.original_width = masks[3], workload.input_height = cropped[2], workload.input_width = cropped[3];
    workload.one_format = true;
    const auto graph = models::build_sam(model.config, workload);
    const auto floats = quant::make_float_graph(model.config, graph, model.weights, settings);
    quant::FloatEngine::Values given;
    for (const auto name : {models::sam_values::kImage, models::sam_values::kPromptCoordinates, models::sam_values::kPromptLabels}) {
        given.emplace(*graph.find_value(name), model.reference.at(model.id(name)));
    }
    for (const auto& node : graph.nodes()) wanted.push_back(node.output);
    std::pair<double, std::string> worst{0, ""};
    for (const auto& [id, values] : quant::FloatEngine(graph, floats).run(given, wanted)) {
        const auto& name = graph.value(id).name;
        const auto found = model.reference.find(model.id(name));
        if (found == model.reference.end()) continue;
        tests::Sqnr error;
        error.add(found->second.values(), values.values());
        if (const double relative = std::sqrt(error.noise / error.signal); relative > worst.first) worst = {relative, name};
    }
    return worst;
}

quant::Settings of(quant::Datatype datatype) {
    quant::Settings settings;
    settings.datatype = datatype;
    return settings;
}

}  // namespace

TEST_CASE("fp32 is within 1e-5 of the FP32 reference in every value of the trained network, fp16 within half a percent") {
    const auto model = tests::trained_nano(0);
    const auto [fp32, where] = worst_error(model, of(quant::Datatype::fp32));
    INFO("fp32: " << fp32 << " at " << where);
    CHECK(fp32 < 1e-5);
    const auto [fp16, place] = worst_error(model, of(quant::Datatype::fp16));
    INFO("fp16: " << fp16 << " at " << place);
    CHECK(fp16 < 5e-3);
}

TEST_CASE("fp32 is within 1e-5 of the FP32 reference in every value of the golden network, for every prompt") {
    for (const auto& prompt : tests::kGoldenPrompts) {
        const auto model = tests::tiny_model(prompt);
        if (!model) {
            WARN("no golden data: skipped");
            return;
        }
        const auto [fp32, where] = worst_error(*model, of(quant::Datatype::fp32));
        INFO(prompt << ": " << fp32 << " at " << where);
        CHECK(fp32 < 1e-5);
    }
}

TEST_CASE("The float predictor answers as the FP32 model does") {
    const auto config = *models::sam_preset("sam_nano");
    const auto weights = models::Weights::open(PRELUDE_SOURCE_DIR "/models/weights/sam_nano.safetensors");
    const auto sample = models::generate(models::DataKind::scene, models::Split::test, 1, 0, static_cast<int>(config.image_size));
    models::Prompt prompt;
    prompt.box = sample.instances.front().prompts.box;
    models::Predictor reference(config, weights);
    const auto expected = reference.predict(reference.encode(sample.image), prompt).mask(0);
    for (const auto datatype : {quant::Datatype::fp32, quant::Datatype::fp16}) {
        const auto floats = quant::make_float_graph(config, models::build_sam(config, {.one_format = true}), weights, of(datatype));
        quant::FloatPredictor predictor(floats);
        const auto mask = predictor.predict(predictor.encode(sample.image), prompt).mask(0);
        CHECK(models::intersection_over_union(mask, expected) > (datatype == quant::Datatype::fp32 ? 0.999 : 0.98));
    }
}
