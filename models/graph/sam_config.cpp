// SPDX-License-Identifier: Apache-2.0
#include "models/graph/sam_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace prelude::models {

namespace {

constexpr std::int64_t kMaxSize = 65536;

/// Appends tensors below a name prefix; the vocabulary of expected_tensors().
class TensorList {
  public:
    explicit TensorList(std::vector<NamedShape>& list) : list_(list) {}

    void tensor(std::string name, Shape shape) { list_.push_back({std::move(name), std::move(shape)}); }
    void linear(const std::string& name, std::int64_t out, std::int64_t in) {
        tensor(name + ".weight", {out, in});
        tensor(name + ".bias", {out});
    }
    void norm(const std::string& name, std::int64_t channels) {
        tensor(name + ".weight", {channels});
        tensor(name + ".bias", {channels});
    }
    /// A transposed convolution stores its input channels first; `first` and `second` are the stored order.
    void conv(const std::string& name, std::int64_t first, std::int64_t second, std::int64_t side, std::int64_t bias) {
        tensor(name + ".weight", {first, second, side, side});
        if (bias != 0) tensor(name + ".bias", {bias});
    }
    void attention(const std::string& name, std::int64_t width, std::int64_t inner) {
        for (const char* projection : {"q_proj", "k_proj", "v_proj"}) linear(fmt::format("{}.{}", name, projection), inner, width);
        linear(name + ".out_proj", width, inner);
    }
    void mlp(const std::string& name, std::int64_t in, std::int64_t hidden, std::int64_t out, std::int64_t depth) {
        for (std::int64_t layer = 0; layer < depth; ++layer) {
            linear(fmt::format("{}.layers.{}", name, layer), layer == depth - 1 ? out : hidden, layer == 0 ? in : hidden);
        }
    }

  private:
    std::vector<NamedShape>& list_;
};

void image_encoder(TensorList& list, const SamConfig& config) {
    const auto width = config.width;
    list.tensor("image_encoder.pos_embed", {1, config.grid_size(), config.grid_size(), width});
    list.conv("image_encoder.patch_embed.proj", width, 3, config.patch_size, width);
    for (std::int64_t block = 0; block < config.depth; ++block) {
        const auto name = fmt::format("image_encoder.blocks.{}", block);
        list.norm(name + ".norm1", width);
        if (config.relative_positions) {
            const auto side = config.is_global(block) ? config.grid_size() : config.window_size;
            list.tensor(name + ".attn.rel_pos_h", {2 * side - 1, config.head_width()});
            list.tensor(name + ".attn.rel_pos_w", {2 * side - 1, config.head_width()});
        }
        list.linear(name + ".attn.qkv", 3 * width, width);
        list.linear(name + ".attn.proj", width, width);
        list.norm(name + ".norm2", width);
        list.linear(name + ".mlp.lin1", config.mlp_width, width);
        list.linear(name + ".mlp.lin2", width, config.mlp_width);
    }
    list.conv("image_encoder.neck.0", config.prompt_width, width, 1, 0);
    list.norm("image_encoder.neck.1", config.prompt_width);
    list.conv("image_encoder.neck.2", config.prompt_width, config.prompt_width, 3, 0);
    list.norm("image_encoder.neck.3", config.prompt_width);
}

void prompt_encoder(TensorList& list, const SamConfig& config) {
    const auto width = config.prompt_width;
    const auto channels = config.mask_in_channels;
    list.tensor("prompt_encoder.pe_layer.positional_encoding_gaussian_matrix", {2, width / 2});
    for (int corner = 0; corner < 4; ++corner) list.tensor(fmt::format("prompt_encoder.point_embeddings.{}.weight", corner), {1, width});
    list.tensor("prompt_encoder.not_a_point_embed.weight", {1, width});
    list.conv("prompt_encoder.mask_downscaling.0", channels / 4, 1, 2, channels / 4);
    list.norm("prompt_encoder.mask_downscaling.1", channels / 4);
    list.conv("prompt_encoder.mask_downscaling.3", channels, channels / 4, 2, channels);
    list.norm("prompt_encoder.mask_downscaling.4", channels);
    list.conv("prompt_encoder.mask_downscaling.6", width, channels, 1, width);
    list.tensor("prompt_encoder.no_mask_embed.weight", {1, width});
}

void mask_decoder(TensorList& list, const SamConfig& config) {
    const auto width = config.prompt_width;
    const auto inner = width / config.decoder_downsample;
    const std::string transformer = "mask_decoder.transformer";
    for (std::int64_t layer = 0; layer < config.decoder_depth; ++layer) {
        const auto name = fmt::format("{}.layers.{}", transformer, layer);
        list.attention(name + ".self_attn", width, width);
        list.norm(name + ".norm1", width);
        list.attention(name + ".cross_attn_token_to_image", width, inner);
        list.norm(name + ".norm2", width);
        list.linear(name + ".mlp.lin1", config.decoder_mlp_width, width);
        list.linear(name + ".mlp.lin2", width, config.decoder_mlp_width);
        list.norm(name + ".norm3", width);
        list.norm(name + ".norm4", width);
        list.attention(name + ".cross_attn_image_to_token", width, inner);
    }
    list.attention(transformer + ".final_attn_token_to_image", width, inner);
    list.norm(transformer + ".norm_final_attn", width);
    list.tensor("mask_decoder.iou_token.weight", {1, width});
    list.tensor("mask_decoder.mask_tokens.weight", {config.num_mask_tokens(), width});
    list.conv("mask_decoder.output_upscaling.0", width, width / 4, 2, width / 4);
    list.norm("mask_decoder.output_upscaling.1", width / 4);
    list.conv("mask_decoder.output_upscaling.3", width / 4, width / 8, 2, width / 8);
    for (std::int64_t mask = 0; mask < config.num_mask_tokens(); ++mask) {
        list.mlp(fmt::format("mask_decoder.output_hypernetworks_mlps.{}", mask), width, width, width / 8, 3);
    }
    list.mlp("mask_decoder.iou_prediction_head", width, config.iou_head_width, config.num_mask_tokens(), config.iou_head_depth);
}

}  // namespace

bool SamConfig::is_global(std::int64_t block) const noexcept {
    return std::find(global_blocks.begin(), global_blocks.end(), block) != global_blocks.end();
}

const std::vector<SamConfigField>& sam_config_fields() {
    static const std::vector<SamConfigField> fields = {
        {"image_size", &SamConfig::image_size},
        {"patch_size", &SamConfig::patch_size},
        {"width", &SamConfig::width},
        {"mlp_width", &SamConfig::mlp_width},
        {"depth", &SamConfig::depth},
        {"num_heads", &SamConfig::num_heads},
        {"window_size", &SamConfig::window_size},
        {"prompt_width", &SamConfig::prompt_width},
        {"mask_in_channels", &SamConfig::mask_in_channels},
        {"decoder_depth", &SamConfig::decoder_depth},
        {"decoder_heads", &SamConfig::decoder_heads},
        {"decoder_mlp_width", &SamConfig::decoder_mlp_width},
        {"decoder_downsample", &SamConfig::decoder_downsample},
        {"num_multimask_outputs", &SamConfig::num_multimask_outputs},
        {"iou_head_depth", &SamConfig::iou_head_depth},
        {"iou_head_width", &SamConfig::iou_head_width},
    };
    return fields;
}

std::optional<std::int64_t> PartialSamConfig::find(std::string_view name) const {
    for (const auto& [key, value] : values) {
        if (key == name) return value;
    }
    return std::nullopt;
}

const std::vector<std::string_view>& sam_preset_names() {
    static const std::vector<std::string_view> names = {"sam_vit_b", "sam_vit_l", "sam_vit_h", "sam_nano"};
    return names;
}

std::optional<SamConfig> sam_preset(std::string_view name) {
    if (name == "sam_vit_b") return SamConfig{};
    if (name == "sam_vit_l") {
        return SamConfig{.width = 1024, .mlp_width = 4096, .depth = 24, .num_heads = 16, .global_blocks = {5, 11, 17, 23}};
    }
    if (name == "sam_vit_h") {
        return SamConfig{.width = 1280, .mlp_width = 5120, .depth = 32, .num_heads = 16, .global_blocks = {7, 15, 23, 31}};
    }
    if (name == "sam_nano") {
        return SamConfig{.image_size = 128,
                         .patch_size = 8,
                         .width = 128,
                         .mlp_width = 512,
                         .depth = 6,
                         .num_heads = 4,
                         .window_size = 7,
                         .global_blocks = {2, 5},
                         .prompt_width = 64,
                         .decoder_heads = 4,
                         .decoder_mlp_width = 256,
                         .iou_head_width = 64};
    }
    return std::nullopt;
}

std::vector<std::string> validate(const SamConfig& config) {
    std::vector<std::string> problems;
    for (const auto& field : sam_config_fields()) {
        const auto value = config.*field.value;
        if (value < 1 || value > kMaxSize) problems.push_back(fmt::format("{}: got {}; allowed 1..{}", field.name, value, kMaxSize));
    }
    if (!problems.empty()) return problems;  // the divisions below need positive sizes

    auto divides = [&](std::string_view whole_name, std::int64_t whole, std::string_view part_name, std::int64_t part) {
        if (whole % part != 0) problems.push_back(fmt::format("{} ({}) must be a multiple of {} ({})", whole_name, whole, part_name, part));
    };
    divides("image_size", config.image_size, "patch_size", config.patch_size);
    divides("width", config.width, "num_heads", config.num_heads);
    divides("prompt_width", config.prompt_width, "8, the mask upscaling", 8);
    divides("mask_in_channels", config.mask_in_channels, "4, the mask prompt's first convolution", 4);
    divides("prompt_width", config.prompt_width, "decoder_heads", config.decoder_heads);
    divides("prompt_width", config.prompt_width, "decoder_downsample", config.decoder_downsample);
    if (config.prompt_width % config.decoder_downsample == 0) {
        divides("prompt_width / decoder_downsample", config.prompt_width / config.decoder_downsample, "decoder_heads",
                config.decoder_heads);
    }
    std::int64_t previous = -1;
    for (auto block : config.global_blocks) {
        if (block < 0 || block >= config.depth) {
            problems.push_back(fmt::format("global_blocks: got {}; allowed 0..{} (depth {})", block, config.depth - 1, config.depth));
        } else if (block <= previous) {
            problems.push_back(fmt::format("global_blocks: {} after {}; the list must ascend", block, previous));
        }
        previous = block;
    }
    return problems;
}

std::vector<NamedShape> expected_tensors(const SamConfig& config) {
    std::vector<NamedShape> tensors;
    TensorList list(tensors);
    image_encoder(list, config);
    prompt_encoder(list, config);
    mask_decoder(list, config);
    return tensors;
}

}  // namespace prelude::models
