// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <map>

#include "models/graph/sam.hpp"
#include "models/graph/sam_config.hpp"
#include "models/reference/executor.hpp"

using namespace prelude::models;

namespace {

std::int64_t num_parameters(const SamConfig& config) {
    std::int64_t count = 0;
    for (const auto& tensor : expected_tensors(config)) count += tensor.shape.num_elements();
    return count;
}

}  // namespace

TEST_CASE("the presets have the parameters of the published models") {
    // 93,735,472, 312,342,832 and 641,090,608: facebookresearch/segment-anything, all parameters of the model plus the 256
    // values of the Gaussian matrix, which is a buffer.
    CHECK(num_parameters(*sam_preset("sam_vit_b")) == 93'735'472 + 256);
    CHECK(num_parameters(*sam_preset("sam_vit_l")) == 312'342'832 + 256);
    CHECK(num_parameters(*sam_preset("sam_vit_h")) == 641'090'608 + 256);
    CHECK(num_parameters(*sam_preset("sam_nano")) < 2'000'000);
    CHECK(sam_preset("sam_vit_b") == SamConfig{});
    CHECK_FALSE(sam_preset("sam_vit_g"));
    for (auto name : sam_preset_names()) {
        INFO(name);
        CHECK(validate(*sam_preset(name)).empty());
    }
}

TEST_CASE("the graphs of every preset read exactly the tensors that a checkpoint must hold") {
    for (auto name : sam_preset_names()) {
        INFO(name);
        const auto config = *sam_preset(name);
        std::map<std::string, std::int64_t> expected, read;  // elements by name: a parameter may flatten its axes
        for (const auto& tensor : expected_tensors(config)) CHECK(expected.emplace(tensor.name, tensor.shape.num_elements()).second);
        for (const bool mask_prompt : {false, true}) {  // with a mask, the embedding of "no mask" is not read, and vice versa
            const auto graph =
                build_sam(config, {.num_prompt_tokens = 2, .mask_prompt = mask_prompt, .num_masks = config.num_mask_tokens()});
            for (const auto& node : graph.nodes()) {
                for (const auto& [tensor, shape] : weight_operands(graph, node)) read[tensor] = shape.num_elements();
            }
        }
        CHECK(read == expected);
    }
}

TEST_CASE("every problem of a configuration is listed at once") {
    SamConfig config;
    config.patch_size = 15, config.num_heads = 7, config.prompt_width = 100, config.mask_in_channels = 6,
    config.global_blocks = {3, 3, 12, -1};
    const std::vector<std::string> expected = {
        "image_size (1024) must be a multiple of patch_size (15)",
        "width (768) must be a multiple of num_heads (7)",
        "prompt_width (100) must be a multiple of 8, the mask upscaling (8)",
        "mask_in_channels (6) must be a multiple of 4, the mask prompt's first convolution (4)",
        "prompt_width (100) must be a multiple of decoder_heads (8)",
        "prompt_width / decoder_downsample (50) must be a multiple of decoder_heads (8)",
        "global_blocks: 3 after 3; the list must ascend",
        "global_blocks: got 12; allowed 0..11 (depth 12)",
        "global_blocks: got -1; allowed 0..11 (depth 12)",
    };
    CHECK(validate(config) == expected);
    for (const auto& field : sam_config_fields()) {
        for (const std::int64_t value : {0, -3, 65537}) {
            SamConfig other;
            other.*field.value = value;
            const auto problems = validate(other);
            REQUIRE(problems.size() == 1);
            CHECK(problems[0] == std::string(field.name) + ": got " + std::to_string(value) + "; allowed 1..65536");
        }
    }
}
