// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <fstream>
#include <unistd.h>

#include "models/checkpoint/safetensors.hpp"
#include "quant/engine/engine.hpp"
#include "tests/support/tiny_model.hpp"

using namespace prelude;

namespace {

models::SamConfig minute() {
    models::SamConfig config;
    config.image_size = 32, config.patch_size = 8, config.width = 8, config.mlp_width = 12, config.depth = 2, config.num_heads = 2, config.window_size = 3;
    config.global_blocks = {1}, config.prompt_width = 16, config.mask_in_channels = 4, config.decoder_depth = 1, config.decoder_heads = 2;
    config.decoder_mlp_width = 10, config.iou_head_width = 6;
    return config;
}

std::filesystem::path temporary(const char* name) {
    return std::filesystem::temp_directory_path() / ("prelude_" + std::to_string(::getpid()) + "_" + name);
}

}  // namespace

TEST_CASE("A saved quantized graph loads to the same integers, formats and bits") {
    const auto model = tests::random_model(minute(), 5);
    quant::Settings settings;
    for (const int bits : {4, 16}) {
        settings.weight_bits = settings.activation_bits = bits;
        settings.groups = bits == 4 ? 3 : 1;
        const auto quantized = model.quantize(settings);
        const auto file = temporary("qgraph.safetensors");
        quant::save(quantized, file);
        const auto again = quant::load(file);
        std::filesystem::remove(file);
        CHECK(again.operations == quantized.operations);
        CHECK(again.plan.formats == quantized.plan.formats);
        CHECK(again.plan.contractions == quantized.plan.contractions);
        CHECK(again.config == quantized.config);
        const std::vector wanted{model.id(models::sam_values::kMasks)};
        CHECK(quant::Engine(model.graph, again).run(model.words, wanted) == quant::Engine(model.graph, quantized).run(model.words, wanted));
    }
}

TEST_CASE("A quantized graph of another major version, and a file that is none, are refused by what they are") {
    const auto file = temporary("other.safetensors");
    models::write_safetensors(file, {}, {{"format", "prelude.qgraph/2"}, {"graph", "{}"}});
    CHECK_THROWS_WITH(quant::load(file), Catch::Contains("prelude.qgraph/2") && Catch::Contains("prelude.qgraph/1"));
    models::write_safetensors(file, {}, {{"format", "pt"}});
    CHECK_THROWS_WITH(quant::load(file), Catch::Contains("not a quantized graph"));
    models::write_safetensors(file, {}, {{"format", "prelude.qgraph/1"}, {"graph", "{\"config\": 3}"}});
    CHECK_THROWS_AS(quant::load(file), models::CheckpointError);
    std::filesystem::remove(file);
}
