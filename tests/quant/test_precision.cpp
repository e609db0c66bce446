// SPDX-License-Identifier: Apache-2.0
// Each operator of a network alone: integer words in, integer words out, against the float operator on the real numbers these
// words mean. The claim is a tolerance in steps of the output, per operator.
#include <catch2/catch.hpp>

#include <cmath>
#include <map>

#include "tests/support/tiny_model.hpp"

using namespace prelude;
using namespace prelude::tests;

namespace {

/// Largest deviation allowed, in steps of the output's grid. Half a step is the last rounding. Weights have 16 bits here, so that
/// what is left is the datapath: 16-bit multipliers (2^-17 of the word), the float walk's own 2^-24 per product.
const std::map<std::string, double, std::less<>> kTolerance{
    {"linear", 1.25},            // 16-bit outputs: 2^15 words * (weight 2^-16 + multiplier 2^-17)
    {"conv", 1.25},
    {"conv_transpose", 1.25},
    {"matmul", 0.9},             // row scale adds the reciprocal's 2^-16
    {"layer_norm", 1.25},        // root: 2 units of 2^-16; t: 20 bits
    {"gelu", 0.51},              // table entries are rounded once
    {"relu", 0.51},
    {"add", 0.51},
    {"requantize", 0.51},
    {"relative_position", 1.6},  // three roundings: two terms and the score they are added to
    {"prompt_embedding", 1.1},   // phase 2^-24, sine 2^-15
    {"dense_position_code", 0.51},
    {"parameter", 0.51},
    {"resize", 100},             // 11-bit weights: 2^-12 of neighbours' difference, in words of 22 bits
};

/// Real numbers of a value's words; probabilities decoded and divided as their scale says.
models::Tensor real_of(const models::Graph& graph, const quant::QuantizedGraph& quantized, models::ValueId id, const models::IntTensor& words) {
    const auto& value = graph.value(id);
    const auto& format = quantized.plan.format(value.name);
    auto real = quantized.dequantize(value.name, words, value.channel_axis);
    if (format.kind == quant::FormatKind::score) {  // log2 units -> natural
        for (auto& x : real.values()) x = static_cast<float>(x * std::log(2.0));
    }
    if (format.kind != quant::FormatKind::probability) return real;
    for (std::int64_t row = 0; row < words.shape().num_rows(); ++row) {
        const auto codes = words.row(row);
        auto to = real.row(row);
        double sum = 0;
        std::vector<double> decoded;
        for (const auto code : codes) {
            const bool zero = format.tau > 0 && code == (1 << format.bits) - 1;
            decoded.push_back(zero ? 0.0 : format.tau > 0 ? std::exp2(-static_cast<double>(code) / format.tau) : code);
            sum += decoded.back();
        }
        for (std::size_t k = 0; k < codes.size(); ++k) to[k] = static_cast<float>(decoded[k] / (sum > 0 ? sum : 1));
    }
    return real;
}

}  // namespace

TEST_CASE("every operator alone lies within its tolerance of the float operator", "[oracle]") {
    const auto model = random_model({.image_size = 40, .patch_size = 8, .width = 24, .mlp_width = 29, .depth = 2, .num_heads = 3, .window_size = 3, .global_blocks = {1},
                                     .prompt_width = 16, .decoder_heads = 2, .decoder_mlp_width = 19, .iou_head_width = 13},
                                    5);
    const models::ReferenceExecutor executor(model.graph, model.weights);
    for (const bool log : {true, false}) {
        quant::Settings settings;
        settings.weight_bits = settings.rel_pos_bits = 16;
        settings.groups = 4;
        settings.gelu_input_bits = log ? 10 : 8;
        settings.softmax.scheme = log ? quant::SoftmaxScheme::log : quant::SoftmaxScheme::uniform;
        const auto quantized = model.quantize(settings);
        const quant::Engine engine(model.graph, quantized);
        quant::Words words = model.words;
        std::map<std::string, double, std::less<>> worst;
        for (const auto& node : model.graph.nodes()) {
            std::vector<const models::IntTensor*> inputs;
            for (const auto id : node.inputs) inputs.push_back(&words.at(id));
            words[node.output] = engine.run_node(node, inputs);
            const auto& out = model.graph.value(node.output);
            const auto kind = std::string(models::operator_name(node.op));
            if (!kTolerance.contains(kind) || node.name == "encoder.patch_embed") continue;  // moves; softmax: test_softmax.cpp; pixels below
            models::ReferenceExecutor::Values given;
            for (const auto id : node.inputs) {
                const bool prompt = quantized.plan.format(model.graph.value(id).name).kind == quant::FormatKind::coordinate;
                given[id] = prompt ? model.reference.at(id) : real_of(model.graph, quantized, id, words.at(id));
            }
            const std::vector<models::ValueId> wanted{node.output};
            const auto expected = executor.run(given, wanted).at(node.output);
            const auto& meaning = quantized.meanings.at(out.name);
            const bool score = quantized.plan.format(out.name).kind == quant::FormatKind::score;
            std::int64_t inner = 1;
            for (auto axis = out.channel_axis + 1; axis < out.shape.rank(); ++axis) inner *= out.shape[axis];
            const auto& format = quantized.plan.format(out.name);
            const double lo = format.kind == quant::FormatKind::code ? 0 : -std::ldexp(1.0, format.bits - 1);
            const double hi = format.kind == quant::FormatKind::code ? std::ldexp(1.0, format.bits) - 1 : std::ldexp(1.0, format.bits - 1) - 1;
            for (std::int64_t i = 0; i < expected.num_elements(); ++i) {
                const auto channel = static_cast<std::size_t>(i / inner % out.shape[out.channel_axis]);
                const auto g = meaning.group_of.empty() ? 0 : static_cast<std::size_t>(meaning.group_of[channel]);
                const double real = expected[static_cast<std::size_t>(i)] / (score ? std::log(2.0) : 1.0);
                const double ideal = std::clamp(real / meaning.scale[g] + meaning.zero_point[g], lo, hi);
                const double error = std::abs(ideal - words[node.output][static_cast<std::size_t>(i)]);
                worst[kind] = std::max(worst[kind], error);
                if (error > kTolerance.find(kind)->second) {
                    FAIL_CHECK(node.name << " element " << i << ": word " << words[node.output][static_cast<std::size_t>(i)] << ", real " << ideal << ", allowed "
                                         << kTolerance.find(kind)->second);
                    break;
                }
            }
        }
        for (const auto& [kind, error] : worst) UNSCOPED_INFO(kind << ": worst " << error);
        CHECK(worst.size() == kTolerance.size());
        if (std::getenv("PRELUDE_PRINT_FIDELITY")) {
            for (const auto& [kind, error] : worst) WARN(kind << ": worst " << error << " steps");
        }
    }
}
