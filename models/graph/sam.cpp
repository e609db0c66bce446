// SPDX-License-Identifier: Apache-2.0
#include "models/graph/sam.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "models/graph/scope.hpp"

namespace prelude::models {

namespace {

constexpr double kBlockNormEps = 1e-6;    // image encoder and 2-d norms
constexpr double kDecoderNormEps = 1e-5;  // two-way transformer: the framework's default

ValueId encoder_block(Scope scope, const SamConfig& config, int index, ValueId x) {
    const auto tensors = fmt::format("image_encoder.blocks.{}.", index);
    const auto side = config.image_size / config.patch_size;
    const bool global = std::ranges::find(config.global_blocks, index) != config.global_blocks.end();
    const auto window = global ? side : config.window_size;
    const auto head_dim = config.width / config.num_heads;

    auto normed = scope.layer_norm("norm1", tensors + "norm1", x, kBlockNormEps);
    if (!global) normed = scope.add("window_partition", WindowPartition{side, side, window}, {normed});
    const auto qkv = scope.linear("qkv", tensors + "attn.qkv", normed, 3 * config.width);
    const auto q = scope.split_heads("q", qkv, config.num_heads, 3, 0);
    const auto k = scope.split_heads("k", qkv, config.num_heads, 3, 1);
    const auto v = scope.split_heads("v", qkv, config.num_heads, 3, 2);
    auto scores = scope.add("qk", MatMul{.transpose_right = true, .scale = 1.0 / std::sqrt(static_cast<double>(head_dim))}, {q, k});
    if (config.relative_positions) {
        scores = scope.add("rel_pos",
                           RelativePosition{.table_height = tensors + "attn.rel_pos_h",
                                            .table_width = tensors + "attn.rel_pos_w",
                                            .height = window,
                                            .width = window,
                                            .head_dim = head_dim},
                           {scores, q});
    }
    const auto probabilities = scope.add("softmax", Softmax{}, {scores});
    const auto mixed = scope.merge_heads("merge", scope.add("pv", MatMul{}, {probabilities, v}), config.num_heads);
    auto projected = scope.linear("proj", tensors + "attn.proj", mixed, config.width);
    if (!global) projected = scope.add("window_unpartition", WindowUnpartition{side, side, window}, {projected});
    const auto middle = scope.add("add1", Add{}, {x, projected});
    const auto hidden = scope.linear("lin1", tensors + "mlp.lin1", scope.layer_norm("norm2", tensors + "norm2", middle, kBlockNormEps), config.mlp_width);
    return scope.add("add2", Add{}, {middle, scope.linear("lin2", tensors + "mlp.lin2", scope.add("gelu", Gelu{}, {hidden}), config.width)});
}

ValueId encoder(Graph& graph, const SamConfig& config, const SamWorkload& workload) {
    const auto side = config.image_size / config.patch_size;
    Scope scope(graph, Part::encoder, "encoder");
    const auto image = graph.add_input(std::string(sam_values::kImage), Shape{1, 3, config.image_size, config.image_size}, 1);
    const auto patches = scope.add("patch_embed",
                                   Conv{.weight = "image_encoder.patch_embed.proj.weight",
                                        .bias = "image_encoder.patch_embed.proj.bias",
                                        .in_channels = 3,
                                        .out_channels = config.width,
                                        .kernel = config.patch_size,
                                        .stride = config.patch_size,
                                        .content_height = workload.input_height,
                                        .content_width = workload.input_width},
                                   {image});
    const auto tokens = scope.to_tokens("patch_tokens", patches);
    const auto position = scope.parameter("pos_embed", "image_encoder.pos_embed", Shape{1, side * side, config.width}, 2);
    auto x = scope.add("embed", Add{}, {tokens, position});
    for (int index = 0; index < config.depth; ++index) x = encoder_block(scope.block(fmt::format("block{}", index), index), config, index, x);

    auto neck = scope.inside("neck");
    const auto conv = [&](const std::string& name, const std::string& tensor, std::int64_t kernel, ValueId in) {
        return neck.add(name,
                        Conv{.weight = tensor + ".weight",
                             .bias = "",
                             .in_channels = neck.shape(in)[1],
                             .out_channels = config.prompt_width,
                             .kernel = kernel,
                             .padding = kernel / 2},
                        {in});
    };
    const auto grid = neck.to_image("grid", neck.operand("conv1", x), side, side);
    const auto reduced = neck.layer_norm("norm1", "image_encoder.neck.1", conv("conv1", "image_encoder.neck.0", 1, grid), kBlockNormEps);
    return neck.layer_norm("norm2", "image_encoder.neck.3", conv("conv2", "image_encoder.neck.2", 3, reduced), kBlockNormEps);
}

/// Sparse [1,N,C] (absent for zero tokens) and the dense embedding to be added to the image embedding.
struct Prompt {
    std::optional<ValueId> sparse;
    ValueId dense;
};

Prompt prompt_encoder(Graph& graph, const SamConfig& config, const SamWorkload& workload) {
    const auto side = config.image_size / config.patch_size;
    Scope scope(graph, Part::prompt, "prompt");
    Prompt prompt{};
    if (workload.num_prompt_tokens > 0) {
        const auto coordinates = graph.add_input(std::string(sam_values::kPromptCoordinates), Shape{workload.num_prompt_tokens, 2}, 1);
        const auto labels = graph.add_input(std::string(sam_values::kPromptLabels), Shape{workload.num_prompt_tokens}, 0);
        PromptEmbedding op{.gaussian = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
                           .not_a_point = "prompt_encoder.not_a_point_embed.weight",
                           .image_size = config.image_size,
                           .num_frequencies = config.prompt_width / 2};
        for (int label = 0; label < 4; ++label) op.labels.push_back(fmt::format("prompt_encoder.point_embeddings.{}.weight", label));
        prompt.sparse = scope.add("points", std::move(op), {coordinates, labels});
    }
    if (!workload.mask_prompt) {
        prompt.dense = scope.parameter("no_mask", "prompt_encoder.no_mask_embed.weight", Shape{1, config.prompt_width, 1, 1}, 1);
        return prompt;
    }
    const auto mask = graph.add_input(std::string(sam_values::kMaskPrompt), Shape{1, 1, 4 * side, 4 * side}, 1);
    auto down = scope.inside("mask_downscaling");
    const auto conv = [&](const std::string& name, int tensor, std::int64_t out_channels, std::int64_t kernel, ValueId in) {
        return down.add(name,
                        Conv{.weight = fmt::format("prompt_encoder.mask_downscaling.{}.weight", tensor),
                             .bias = fmt::format("prompt_encoder.mask_downscaling.{}.bias", tensor),
                             .in_channels = down.shape(in)[1],
                             .out_channels = out_channels,
                             .kernel = kernel,
                             .stride = kernel},
                        {in});
    };
    const auto norm = [&](const std::string& name, int tensor, ValueId in) {
        return down.layer_norm(name, fmt::format("prompt_encoder.mask_downscaling.{}", tensor), in, kBlockNormEps);
    };
    auto x = conv("conv1", 0, config.mask_in_channels / 4, 2, down.operand("conv1", mask));
    x = down.add("gelu1", Gelu{}, {norm("norm1", 1, x)});
    x = conv("conv2", 3, config.mask_in_channels, 2, x);
    x = down.add("gelu2", Gelu{}, {norm("norm2", 4, x)});
    prompt.dense = conv("conv3", 6, config.prompt_width, 1, x);
    return prompt;
}

/// softmax(Q K^T / sqrt(d)) V between projections; operands are residual-stream values.
ValueId decoder_attention(Scope scope, const SamConfig& config, const std::string& tensors, std::int64_t downsample, ValueId q_in, ValueId k_in,
                          ValueId v_in) {
    const auto width = config.prompt_width / downsample;
    const auto heads = config.decoder_heads;
    const auto project = [&](const std::string& name, ValueId in) {
        return scope.split_heads(name, scope.linear(name + "_proj", tensors + name + "_proj", scope.operand(name + "_proj", in), width), heads);
    };
    const auto q = project("q", q_in);
    const auto k = project("k", k_in);
    const auto v = project("v", v_in);
    const auto head_dim = static_cast<double>(width / heads);
    const auto scores = scope.add("qk", MatMul{.transpose_right = true, .scale = 1.0 / std::sqrt(head_dim)}, {q, k});
    const auto mixed = scope.add("pv", MatMul{}, {scope.add("softmax", Softmax{}, {scores}), v});
    return scope.linear("out_proj", tensors + "out_proj", scope.merge_heads("merge", mixed, heads), config.prompt_width);
}

/// Linear-ReLU-...-Linear on one token.
ValueId mlp(Scope scope, const std::string& tensors, std::int64_t depth, std::int64_t hidden, std::int64_t out, ValueId x) {
    x = scope.operand("lin0", x);
    for (std::int64_t layer = 0; layer < depth; ++layer) {
        const bool last = layer + 1 == depth;
        x = scope.linear(fmt::format("lin{}", layer), fmt::format("{}layers.{}", tensors, layer), x, last ? out : hidden);
        if (!last) x = scope.add(fmt::format("relu{}", layer), Relu{}, {x});
    }
    return x;
}

struct TwoWay {
    ValueId queries, keys;
};

TwoWay two_way_layer(Scope scope, const SamConfig& config, int index, TwoWay state, ValueId query_position, ValueId key_position) {
    const auto tensors = fmt::format("mask_decoder.transformer.layers.{}.", index);
    auto [queries, keys] = state;
    const auto cross = config.decoder_downsample;

    if (index == 0) {
        queries = decoder_attention(scope.inside("self_attn"), config, tensors + "self_attn.", 1, queries, queries, queries);
    } else {
        const auto q = scope.add("self_query", Add{}, {queries, query_position});
        queries = scope.add("add1", Add{}, {queries, decoder_attention(scope.inside("self_attn"), config, tensors + "self_attn.", 1, q, q, queries)});
    }
    queries = scope.layer_norm("norm1", tensors + "norm1", queries, kDecoderNormEps);

    auto q = scope.add("token_query", Add{}, {queries, query_position});
    auto k = scope.add("image_key", Add{}, {keys, key_position});
    auto update = decoder_attention(scope.inside("token_to_image"), config, tensors + "cross_attn_token_to_image.", cross, q, k, keys);
    queries = scope.layer_norm("norm2", tensors + "norm2", scope.add("add2", Add{}, {queries, update}), kDecoderNormEps);

    auto hidden = scope.linear("lin1", tensors + "mlp.lin1", scope.operand("lin1", queries), config.decoder_mlp_width);
    update = scope.linear("lin2", tensors + "mlp.lin2", scope.add("relu", Relu{}, {hidden}), config.prompt_width);
    queries = scope.layer_norm("norm3", tensors + "norm3", scope.add("add3", Add{}, {queries, update}), kDecoderNormEps);

    q = scope.add("token_key", Add{}, {queries, query_position});
    update = decoder_attention(scope.inside("image_to_token"), config, tensors + "cross_attn_image_to_token.", cross, k, q, queries);
    keys = scope.layer_norm("norm4", tensors + "norm4", scope.add("add4", Add{}, {keys, update}), kDecoderNormEps);
    return {queries, keys};
}

/// Low-resolution logits of all mask tokens, [1,M+1,4n,4n].
ValueId decoder(Graph& graph, const SamConfig& config, ValueId image_embedding, const Prompt& prompt) {
    const auto side = config.image_size / config.patch_size;
    const auto width = config.prompt_width;
    const auto num_masks = config.num_multimask_outputs + 1;
    Scope scope(graph, Part::decoder, "decoder");

    std::vector<ValueId> tokens{scope.parameter("iou_token", "mask_decoder.iou_token.weight", Shape{1, 1, width}, 2),
                                scope.parameter("mask_tokens", "mask_decoder.mask_tokens.weight", Shape{1, num_masks, width}, 2)};
    if (prompt.sparse) tokens.push_back(*prompt.sparse);
    const auto query_position = scope.add("tokens", Concat{.axis = 1}, tokens);
    const auto position = scope.add("position",
                                    DensePositionCode{.gaussian = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
                                                      .height = side,
                                                      .width = side,
                                                      .num_frequencies = width / 2},
                                    {});
    const auto key_position = scope.to_tokens("position_tokens", position);
    TwoWay state{query_position, scope.to_tokens("image_tokens", scope.add("image", Add{}, {image_embedding, prompt.dense}))};
    for (int index = 0; index < config.decoder_depth; ++index) {
        state = two_way_layer(scope.block(fmt::format("layer{}", index), index), config, index, state, query_position, key_position);
    }
    const auto q = scope.add("final_query", Add{}, {state.queries, query_position});
    const auto k = scope.add("final_key", Add{}, {state.keys, key_position});
    const auto update = decoder_attention(scope.inside("final_attn"), config, "mask_decoder.transformer.final_attn_token_to_image.",
                                          config.decoder_downsample, q, k, state.keys);
    const auto queries = scope.layer_norm("norm_final", "mask_decoder.transformer.norm_final_attn",
                                          scope.add("final_add", Add{}, {state.queries, update}), kDecoderNormEps);

    auto up = scope.inside("upscaling");
    const auto up_conv = [&](const std::string& name, int tensor, std::int64_t out_channels, ValueId in) {
        return up.add(name,
                      ConvTranspose{.weight = fmt::format("mask_decoder.output_upscaling.{}.weight", tensor),
                                    .bias = fmt::format("mask_decoder.output_upscaling.{}.bias", tensor),
                                    .in_channels = up.shape(in)[1],
                                    .out_channels = out_channels},
                      {in});
    };
    auto image = up.to_image("grid", up.operand("conv1", state.keys), side, side);
    image = up.layer_norm("norm", "mask_decoder.output_upscaling.1", up_conv("conv1", 0, width / 4, image), kBlockNormEps);
    image = up_conv("conv2", 3, width / 8, up.add("gelu1", Gelu{}, {image}));
    image = up.add("gelu2", Gelu{}, {image});
    const auto flat = up.add("flat", Rearrange{.view = up.shape(image), .order = {0, 1, 2, 3}, .result = Shape{1, width / 8, 16 * side * side}}, {image});

    std::vector<ValueId> rows;
    for (std::int64_t mask = 0; mask < num_masks; ++mask) {
        const auto token = scope.token(fmt::format("mask_token{}", mask), queries, 1 + mask);
        rows.push_back(mlp(scope.inside(fmt::format("hyper{}", mask)), fmt::format("mask_decoder.output_hypernetworks_mlps.{}.", mask), 3, width,
                           width / 8, token));
    }
    const auto hyper = scope.add("hyper", Concat{.axis = 1}, rows);
    const auto products = scope.add("mask_products", MatMul{}, {hyper, flat});
    const auto logits = scope.add("masks",
                                  Rearrange{.view = Shape{1, num_masks, 4 * side, 4 * side},
                                            .order = {0, 1, 2, 3},
                                            .result = Shape{1, num_masks, 4 * side, 4 * side}},
                                  {products});
    const auto iou = mlp(scope.inside("iou_head"), "mask_decoder.iou_prediction_head.", config.iou_head_depth, config.iou_head_width, num_masks,
                         scope.token("iou_query", queries, 0));
    scope.add("iou", Rearrange{.view = Shape{1, 1, num_masks}, .order = {0, 1, 2}, .result = Shape{1, 1, num_masks}}, {iou});
    return logits;
}

void postprocess(Graph& graph, const SamConfig& config, const SamWorkload& workload, ValueId logits) {
    const Shape shape = graph.value(logits).shape;
    const auto input_height = workload.input_height ? workload.input_height : config.image_size;
    const auto input_width = workload.input_width ? workload.input_width : config.image_size;
    Scope scope(graph, Part::postprocess, "postprocess");
    const auto chosen = scope.add("select",
                                  Rearrange{.view = shape,
                                            .slice_axis = 1,
                                            .slice_begin = workload.first_mask,
                                            .slice_count = workload.num_masks,
                                            .order = {0, 1, 2, 3},
                                            .result = Shape{1, workload.num_masks, shape[2], shape[3]}},
                                  {logits});
    const auto input = scope.add("resize_input",
                                 Resize{.height = config.image_size, .width = config.image_size, .crop_height = input_height, .crop_width = input_width},
                                 {chosen});
    scope.add("resize_original",
              Resize{.height = workload.original_height ? workload.original_height : input_height,
                     .width = workload.original_width ? workload.original_width : input_width},
              {input});
}

}  // namespace

Graph build_sam(const SamConfig& config, const SamWorkload& workload) {
    Graph graph;
    const auto embedding = encoder(graph, config, workload);
    const auto prompt = prompt_encoder(graph, config, workload);
    postprocess(graph, config, workload, decoder(graph, config, embedding, prompt));
    return graph;
}

}  // namespace prelude::models
