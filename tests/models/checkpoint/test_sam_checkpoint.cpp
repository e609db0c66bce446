// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "models/checkpoint/sam_checkpoint.hpp"
#include "support.hpp"

using namespace prelude::models;
using namespace prelude::models::test;

namespace {

Weights::Shapes shapes_of(const SamConfig& config) {
    Weights::Shapes shapes;
    for (const auto& [name, shape] : expected_tensors(config)) shapes.emplace(name, shape);
    return shapes;
}

/// The configuration that the reference data state.
SamConfig golden_config(const std::filesystem::path& path) {
    std::ifstream stream(path);
    const auto json = nlohmann::json::parse(stream).at("config");
    SamConfig config;
    config.image_size = json.at("img_size"), config.patch_size = json.at("patch_size"), config.width = json.at("embed_dim");
    config.mlp_width = json.at("mlp_ratio").get<std::int64_t>() * config.width;
    config.depth = json.at("depth"), config.num_heads = json.at("num_heads"), config.window_size = json.at("window_size");
    config.global_blocks = json.at("global_attn_indexes").get<std::vector<std::int64_t>>();
    config.prompt_width = json.at("out_chans"), config.mask_in_channels = json.at("mask_in_chans");
    config.decoder_depth = json.at("decoder_depth"), config.decoder_heads = json.at("decoder_num_heads");
    config.decoder_mlp_width = json.at("decoder_mlp_dim"), config.iou_head_depth = json.at("iou_head_depth");
    config.iou_head_width = json.at("iou_head_hidden_dim");
    return config;
}

std::string message_of(const Weights::Shapes& shapes, const PartialSamConfig& given = {}) {
    try {
        (void)infer_sam_config("file", shapes, given);
    } catch (const CheckpointError& error) {
        return error.what();
    }
    return "accepted";
}

}  // namespace

TEST_CASE("tiny-a is inferred from its tensors but for the decoder heads") {
    const auto expected = golden_config(data("golden/sam/tiny-a.json"));
    for (const char* file : {"golden/sam/tiny-a.safetensors", "golden/sam/tiny-a.pth"}) {
        const auto sam = open_sam(data(file), {.values = {{"decoder_heads", 4}}});
        CHECK(sam.config == expected);
        CHECK(sam.assumed.empty());
    }
    const auto assumed = open_sam(data("golden/sam/tiny-a.safetensors"));
    CHECK(assumed.config.decoder_heads == 8);
    CHECK(assumed.assumed == std::vector<std::string>{"decoder_heads = 8"});
}

TEST_CASE("tiny-b is inferred from its tensors") {
    const auto path = large_golden("sam/tiny-b.safetensors");
    if (path.empty()) {
        WARN("skipped: PRELUDE_GOLDEN names no folder with sam/tiny-b.safetensors");
        return;
    }
    CHECK(open_sam(path).config == golden_config(large_golden("sam/tiny-b.json")));
    CHECK(open_sam(large_golden("sam/tiny-b.pth")).config == golden_config(large_golden("sam/tiny-b.json")));
}

TEST_CASE("the shapes of vit-b.portable are those of sam_vit_b, in the same order") {
    const auto path = large_golden("sam/vit-b.portable.json");
    if (path.empty()) {
        WARN("skipped: PRELUDE_GOLDEN names no folder with sam/vit-b.portable.json");
        return;
    }
    std::ifstream stream(path);
    const auto tensors = nlohmann::ordered_json::parse(stream).at("tensors");
    std::vector<NamedShape> listed;
    for (const auto& [name, entry] : tensors.items()) listed.push_back({name, Shape(entry.at("shape").get<std::vector<std::int64_t>>())});
    CHECK(listed == expected_tensors(SamConfig{}));
}

TEST_CASE("every preset is inferred from its shapes alone") {
    for (auto name : sam_preset_names()) {
        INFO(name);
        const auto config = *sam_preset(name);
        const auto inferred = infer_sam_config("file", shapes_of(config), {.values = {{"decoder_heads", config.decoder_heads}}});
        CHECK(inferred.config == config);
        CHECK(inferred.assumed.empty());
    }
}

TEST_CASE("each field that tensors tell is inferred when it alone is unusual") {
    for (const auto& [name, value] : std::vector<std::pair<std::string, std::int64_t>>{{"image_size", 256},
                                                                                       {"patch_size", 8},
                                                                                       {"width", 384},
                                                                                       {"mlp_width", 696},
                                                                                       {"depth", 13},
                                                                                       {"num_heads", 6},
                                                                                       {"window_size", 5},
                                                                                       {"prompt_width", 128},
                                                                                       {"mask_in_channels", 8},
                                                                                       {"decoder_depth", 3},
                                                                                       {"decoder_mlp_width", 100},
                                                                                       {"decoder_downsample", 4},
                                                                                       {"num_multimask_outputs", 1},
                                                                                       {"iou_head_depth", 5},
                                                                                       {"iou_head_width", 77}}) {
        INFO(name);
        SamConfig config;
        for (const auto& field : sam_config_fields()) {
            if (field.name == name) config.*field.value = value;
        }
        CHECK(infer_sam_config("file", shapes_of(config)).config == config);
    }
    SamConfig slim;  // SlimSAM-77: neither the MLP nor the heads follow from the width
    slim.width = 168, slim.mlp_width = 696;
    CHECK(infer_sam_config("file", shapes_of(slim)).config == slim);
    SamConfig small;  // a window larger than the picture's grid
    small.image_size = 64;
    CHECK(infer_sam_config("file", shapes_of(small)).config == small);
    SamConfig windows_only;
    windows_only.global_blocks = {};
    CHECK(infer_sam_config("file", shapes_of(windows_only)).config == windows_only);
    SamConfig global_only;
    global_only.global_blocks = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    CHECK(infer_sam_config("file", shapes_of(global_only)).config == global_only);
}

TEST_CASE("without relative positions the heads are taken from model.config, or assumed and said so") {
    SamConfig config;
    config.relative_positions = false;
    const auto assumed = infer_sam_config("file", shapes_of(config));
    CHECK(assumed.config.num_heads == 12);
    CHECK(assumed.assumed == std::vector<std::string>{"num_heads = 12", "window_size = 14", "global_blocks = all", "decoder_heads = 8"});
    config.num_heads = 16;
    const auto given =
        infer_sam_config("file", shapes_of(config),
                         {.values = {{"num_heads", 16}, {"window_size", 14}, {"decoder_heads", 8}}, .global_blocks = config.global_blocks});
    CHECK(given.config == config);
    CHECK(given.assumed.empty());
}

TEST_CASE("a configuration that contradicts the tensors is refused, every contradiction named") {
    const PartialSamConfig given{.values = {{"width", 1024}, {"num_heads", 16}, {"decoder_heads", 8}, {"window_size", 7}},
                                 .global_blocks = {{5, 11}},
                                 .relative_positions = false};
    CHECK(message_of(shapes_of(SamConfig{}), given) ==
          "file: model.config.width: got 1024, but 'image_encoder.patch_embed.proj.weight' says 768\n"
          "file: model.config.relative_positions: got false, but the file has relative position tables\n"
          "file: model.config.num_heads: got 16, but 'image_encoder.blocks.0.attn.rel_pos_h' says 12\n"
          "file: model.config.window_size: got 7, but 'image_encoder.blocks.0.attn.rel_pos_h' says 14\n"
          "file: model.config.global_blocks: got [5, 11], but the relative position tables say [2, 5, 8, 11]\n"
          "5 problems in 1 file; nothing was run.");
}

TEST_CASE("global tables of the 1024-pixel model under a 256-pixel picture are refused by name") {
    auto shapes = shapes_of(SamConfig{});
    shapes["image_encoder.pos_embed"] = Shape{1, 16, 16, 768};
    const auto message = message_of(shapes);
    for (const char* block : {"2", "5", "8", "11"}) {
        CHECK_THAT(message, Catch::Contains(std::string("'image_encoder.blocks.") + block +
                                            ".attn.rel_pos_h': made for 64 positions a side; the picture has 16"));
    }
}

TEST_CASE("infer_sam_config survives any single missing, empty or reshaped tensor") {
    const auto whole = shapes_of(*sam_preset("sam_nano"));
    for (const auto& [name, shape] : whole) {
        for (const auto& replacement : {Shape{}, Shape{0, 0}, Shape{1, 1, 1, 1}, Shape{65537, 65537}, Shape{std::int64_t{1} << 62, 2}}) {
            auto shapes = whole;
            shapes[name] = replacement;
            INFO(name << " " << replacement.to_string());
            CHECK_NOTHROW(message_of(shapes));
        }
        auto shapes = whole;
        shapes.erase(name);
        CHECK_NOTHROW(message_of(shapes));
    }
}
