// SPDX-License-Identifier: Apache-2.0
// Fidelity of the integer forms on the tiny reference model of golden/sam (numerics.md section 9).
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "models/checkpoint/safetensors.hpp"
#include "models/checkpoint/weights.hpp"
#include "models/graph/sam.hpp"
#include "models/reference/executor.hpp"
#include "quant/engine/engine.hpp"
#include "quant/quantize.hpp"

#include <cmath>
#include <iostream>
using namespace prelude;

namespace {
double sqnr(std::span<const float> a, std::span<const float> b) {
    double s = 0, n = 0;
    for (std::size_t i = 0; i < a.size(); ++i) s += double(a[i]) * a[i], n += (double(a[i]) - b[i]) * (double(a[i]) - b[i]);
    return 10 * std::log10(s / n);
}
}

TEST_CASE("tiny-a fidelity") {
    const char* golden = std::getenv("PRELUDE_GOLDEN");
    std::string dir = golden ? golden : PRELUDE_SOURCE_DIR "/tests/data/golden";
    dir += "/sam/";
    if (!std::filesystem::exists(dir + "tiny-a.safetensors")) { WARN("no golden data"); return; }
    auto weights = models::Weights::open(dir + "tiny-a.safetensors");
    models::SamConfig c;
    c.image_size = 128; c.patch_size = 16; c.width = 64; c.mlp_width = 256; c.depth = 4; c.num_heads = 4; c.window_size = 3; c.global_blocks = {1, 3};
    c.prompt_width = 32; c.decoder_heads = 4; c.decoder_mlp_width = 64; c.iou_head_width = 32;
    auto inputs = models::read_safetensors(std::filesystem::path(dir + "tiny-a.inputs.safetensors"));
    auto in = models::Weights::from(inputs);
    auto size = std::pair{77, 128};
    models::SamWorkload w{.num_prompt_tokens = 2, .input_height = size.first, .input_width = size.second, .original_height = 90, .original_width = 150};
    auto graph = models::build_sam(c, w);
    models::ReferenceExecutor fp(graph, weights);
    auto tensor = [&](const std::string& n, models::Shape s) {
        auto v = in.values(n);
        return models::Tensor(s, std::vector<float>(v.begin(), v.end()));
    };
    auto image = tensor("preprocessed", {1, 3, 128, 128});
    models::Tensor coords({2, 2}), labels({2});
    auto pc = in.values("prompt.point1.point_coords");
    coords[0] = pc[0]; coords[1] = pc[1]; labels[0] = 1; labels[1] = -1;
    auto id = [&](std::string_view n) { return *graph.find_value(n); };
    models::ReferenceExecutor::Values given{{id("image"), image}, {id("prompt.coordinates"), coords}, {id("prompt.labels"), labels}};
    std::vector<models::ValueId> want{id(models::sam_values::kImageEmbedding), id(models::sam_values::kLowResLogits), id(models::sam_values::kMasks), id(models::sam_values::kIou)};
    for (auto observer : {quant::Observer::min_max}) {
        quant::RangeObserver obs(observer);
        std::map<models::ValueId, models::Tensor> all;
        auto ref = fp.run(given, want, [&](const models::Node*, models::ValueId v, models::Tensor& t) { obs.observe(graph.value(v), t); all[v] = t; });
        obs.end_image();
        auto ranges = obs.ranges(1.0);
        auto bytes = inputs.view<std::uint8_t>("image_resized_u8_hwc");
        models::IntTensor pixels({1, 3, 128, 128});
        for (int y = 0; y < size.first; ++y) for (int x = 0; x < size.second; ++x) for (int ch = 0; ch < 3; ++ch)
            pixels[(ch * 128 + y) * 128 + x] = static_cast<int>(bytes[(y * size.second + x) * 3 + ch]);
        models::IntTensor ic({2, 2}), il({2});
        for (int i = 0; i < 4; ++i) ic[i] = quant::coordinate_word(coords[i]);
        il[0] = 1; il[1] = -1;
        auto run = [&](const char* name, quant::Settings s, bool layers = false) {
            auto q = quant::quantize(c, graph, weights, s, ranges);
            quant::Engine engine(graph, q), slow(graph, q, quant::ProductPath::exact);
            quant::WordHook hook;
            if (layers) hook = [&](const models::Graph& g, models::ValueId v, models::IntTensor& t) {
                auto d = q.dequantize(g.value(v).name, t, g.value(v).channel_axis);
                printf("  %-44s %.1f dB\n", g.value(v).name.c_str(), sqnr(all.at(v).values(), d.values()));
            };
            quant::Words words{{id("image"), pixels}, {id("prompt.coordinates"), ic}, {id("prompt.labels"), il}};
            auto out = engine.run(words, want, hook);
            auto out2 = slow.run(words, want);
            CHECK(out == out2);
            auto e = q.dequantize(models::sam_values::kImageEmbedding, out.at(want[0]), 1);
            auto m = q.dequantize(models::sam_values::kLowResLogits, out.at(want[1]), 1);
            auto f = q.dequantize(models::sam_values::kMasks, out.at(want[2]), 1);
            printf("%-40s embedding %.1f dB  logits %.1f dB  masks %.1f\n", name, sqnr(ref.at(want[0]).values(), e.values()), sqnr(ref.at(want[1]).values(), m.values()), sqnr(ref.at(want[2]).values(), f.values()));
        };
        quant::Settings s;
        s.softmax.scheme = quant::SoftmaxScheme::uniform;
        s.weight_bits = s.activation_bits = 16; s.gelu_input_bits = 16; s.rel_pos_bits = 16;
        run("W16A16 all 16", s, std::getenv("LAYERS"));
        s.gelu_input_bits = 8; s.rel_pos_bits = 8;
        run("W16A16 gelu 8 relpos 8", s);
        s = {}; s.softmax.scheme = quant::SoftmaxScheme::uniform; s.softmax.scale = quant::ScaleMode::tensor; s.softmax.bits=8;
        for (int g : {1, 4, 0}) { s.groups = g; run(("W8A8 tensor uniform groups " + std::to_string(g)).c_str(), s); }
        s.groups = 1; s.softmax.bits = 4;
        for (auto mode : {quant::ScaleMode::tensor, quant::ScaleMode::row}) {
            s.softmax.scale = mode;
            s.softmax.scheme = quant::SoftmaxScheme::uniform;
            run("W8A8 P4 uniform", s);
            s.softmax.scheme = quant::SoftmaxScheme::log;
            for (auto b : {quant::LogBase::two, quant::LogBase::sqrt_two, quant::LogBase::fourth_root_two}) { s.softmax.log_base = b; run("W8A8 P4 log", s); }
        }
        s = {}; s.weight_bits = s.activation_bits = 6; s.groups = 4; run("W6A6 g4", s);
        s = {}; s.weight_bits = s.activation_bits = 4; for (int g: {1,4,0}) {s.groups = g; run("W4A4 g1/4/0", s);}
    }
}
