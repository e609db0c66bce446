// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "models/checkpoint/sam_names.hpp"
#include "models/graph/sam_config.hpp"

using namespace prelude::models;

namespace {

/// The correspondence as the conversion script applies it: replacements in order, anywhere in the name. Written separately
/// from the reader's anchored table.
std::string replaced_in_order(std::string name) {
    const std::vector<std::pair<std::string, std::string>> replacements = {
        {"iou_prediction_head.layers.0.", "iou_prediction_head.proj_in."},
        {"iou_prediction_head.layers.1.", "iou_prediction_head.layers.0."},
        {"iou_prediction_head.layers.2.", "iou_prediction_head.proj_out."},
        {"mask_decoder.output_upscaling.0.", "mask_decoder.upscale_conv1."},
        {"mask_decoder.output_upscaling.1.", "mask_decoder.upscale_layer_norm."},
        {"mask_decoder.output_upscaling.3.", "mask_decoder.upscale_conv2."},
        {"mask_downscaling.0.", "mask_embed.conv1."},
        {"mask_downscaling.1.", "mask_embed.layer_norm1."},
        {"mask_downscaling.3.", "mask_embed.conv2."},
        {"mask_downscaling.4.", "mask_embed.layer_norm2."},
        {"mask_downscaling.6.", "mask_embed.conv3."},
        {"point_embeddings", "point_embed"},
        {"pe_layer.positional_encoding_gaussian_matrix", "shared_embedding.positional_embedding"},
        {"image_encoder", "vision_encoder"},
        {"neck.0.", "neck.conv1."},
        {"neck.1.", "neck.layer_norm1."},
        {"neck.2.", "neck.conv2."},
        {"neck.3.", "neck.layer_norm2."},
        {"patch_embed.proj.", "patch_embed.projection."},
        {".norm", ".layer_norm"},
        {"blocks", "layers"},
    };
    auto replace = [&name](const std::string& from, const std::string& to) {
        const auto at = name.find(from);  // no part occurs twice in a name
        if (at != std::string::npos) name.replace(at, from.size(), to);
    };
    for (const auto& [from, to] : replacements) replace(from, to);
    for (int mask = 0; mask < 4; ++mask) {
        const auto mlp = "output_hypernetworks_mlps." + std::to_string(mask) + ".";
        replace(mlp + "layers.0.", mlp + "proj_in.");
        replace(mlp + "layers.1.", mlp + "layers.0.");
        replace(mlp + "layers.2.", mlp + "proj_out.");
    }
    return name;
}

std::vector<std::string> meta_names(const SamConfig& config) {
    std::vector<std::string> names;
    for (const auto& tensor : expected_tensors(config)) names.push_back(tensor.name);
    return names;
}

}  // namespace

TEST_CASE("every name of SAM goes to Hugging Face's name and back") {
    for (auto preset : sam_preset_names()) {
        std::set<std::string> seen;
        for (const auto& name : meta_names(*sam_preset(preset))) {
            INFO(name);
            const auto other = to_huggingface_name(name);
            CHECK(other == replaced_in_order(name));
            CHECK(to_meta_name(other) == name);
            CHECK(seen.insert(other).second);
        }
    }
    CHECK(to_huggingface_name("mask_decoder.transformer.layers.1.norm4.bias") == "mask_decoder.transformer.layers.1.layer_norm4.bias");
    CHECK(to_huggingface_name("prompt_encoder.not_a_point_embed.weight") == "prompt_encoder.not_a_point_embed.weight");
}

TEST_CASE("an IoU head of any depth goes there and back, and its depth is found from the names") {
    for (std::int64_t depth = 2; depth < 7; ++depth) {
        SamConfig config;
        config.iou_head_depth = depth;
        std::vector<std::string> file_names;
        for (const auto& name : meta_names(config)) file_names.push_back(to_huggingface_name(name, depth));
        Problems problems("file");
        const auto result = canonical_names(file_names, problems);
        CHECK(problems.empty());
        std::vector<std::string> canonical;
        for (const auto& [file_name, name] : result.names) canonical.push_back(name);
        CHECK(canonical == meta_names(config));
    }
}

TEST_CASE("name space and prefix are recognised, whatever the prefix is") {
    for (const std::string prefix : {"", "sam.", "model.", "module.", "module.sam_model.", "state_dict.net."}) {
        for (const bool huggingface : {false, true}) {
            std::vector<std::string> file_names = {"pixel_mean"};
            for (const auto& name : meta_names(SamConfig{}))
                file_names.push_back(prefix + (huggingface ? to_huggingface_name(name) : name));
            Problems problems("file");
            const auto result = canonical_names(file_names, problems);
            CHECK(problems.empty());
            CHECK(result.prefix == prefix);
            CHECK((result.origin == CanonicalNames::Origin::huggingface) == huggingface);
            std::set<std::string> canonical;
            for (const auto& [file_name, name] : result.names) canonical.insert(name);
            auto expected = meta_names(SamConfig{});
            expected.push_back("pixel_mean");
            CHECK(canonical == std::set<std::string>(expected.begin(), expected.end()));
        }
    }
}

TEST_CASE("names of other models stay as they are") {
    Problems problems("file");
    const std::vector<std::string> names = {"blocks.0.norm1.weight", "patch_embed.proj.weight", "x"};
    const auto result = canonical_names(names, problems);
    CHECK(result.origin == CanonicalNames::Origin::unknown);
    for (const auto& [file_name, name] : result.names) CHECK(file_name == name);
    CHECK(result.names.size() == 3);
}

TEST_CASE("the Gaussian matrix is found under either of Hugging Face's names, and a second copy is set aside") {
    const std::string patch = "vision_encoder.patch_embed.projection.weight";
    const std::string first = "prompt_encoder.shared_embedding.positional_embedding",
                      second = "shared_image_embedding.positional_embedding";
    const std::string canonical = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix";
    Problems problems("file");
    CHECK(canonical_names({patch, second}, problems).names.back() == std::pair(second, canonical));
    CHECK(canonical_names({patch, first}, problems).names.back() == std::pair(first, canonical));
    const auto both = canonical_names({patch, second, first}, problems);
    CHECK(both.names.back() == std::pair(first, canonical));
    CHECK(both.copies == std::vector{std::pair(second, canonical)});
    CHECK(problems.empty());
}
