// SPDX-License-Identifier: Apache-2.0
#include "models/checkpoint/sam_names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>

namespace prelude::models {

namespace {

struct Row {
    std::string_view meta, huggingface;
};

/// Beginnings of names, the more specific row first. Anchored, so that the table reads both ways: Meta's `blocks` and the
/// decoder's own `layers` would otherwise meet in Hugging Face's `layers`.
constexpr std::array kRows = {
    Row{"mask_decoder.output_upscaling.0.", "mask_decoder.upscale_conv1."},
    Row{"mask_decoder.output_upscaling.1.", "mask_decoder.upscale_layer_norm."},
    Row{"mask_decoder.output_upscaling.3.", "mask_decoder.upscale_conv2."},
    Row{"prompt_encoder.mask_downscaling.0.", "prompt_encoder.mask_embed.conv1."},
    Row{"prompt_encoder.mask_downscaling.1.", "prompt_encoder.mask_embed.layer_norm1."},
    Row{"prompt_encoder.mask_downscaling.3.", "prompt_encoder.mask_embed.conv2."},
    Row{"prompt_encoder.mask_downscaling.4.", "prompt_encoder.mask_embed.layer_norm2."},
    Row{"prompt_encoder.mask_downscaling.6.", "prompt_encoder.mask_embed.conv3."},
    Row{"prompt_encoder.point_embeddings.", "prompt_encoder.point_embed."},
    Row{"prompt_encoder.pe_layer.positional_encoding_gaussian_matrix", "prompt_encoder.shared_embedding.positional_embedding"},
    Row{"image_encoder.neck.0.", "vision_encoder.neck.conv1."},
    Row{"image_encoder.neck.1.", "vision_encoder.neck.layer_norm1."},
    Row{"image_encoder.neck.2.", "vision_encoder.neck.conv2."},
    Row{"image_encoder.neck.3.", "vision_encoder.neck.layer_norm2."},
    Row{"image_encoder.patch_embed.proj.", "vision_encoder.patch_embed.projection."},
    Row{"image_encoder.blocks.", "vision_encoder.layers."},
    Row{"image_encoder.", "vision_encoder."},
};

constexpr std::string_view kIouHead = "mask_decoder.iou_prediction_head.";
constexpr std::string_view kHypernetworks = "mask_decoder.output_hypernetworks_mlps.";
constexpr std::int64_t kHypernetworkDepth = 3;
constexpr std::string_view kGaussianMatrix = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix";
constexpr std::string_view kGaussianCopy = "shared_image_embedding.positional_embedding";

bool starts_with(std::string_view text, std::string_view beginning) {
    return text.substr(0, beginning.size()) == beginning;
}

/// Reads a number at the start of `text` and removes it.
std::optional<std::int64_t> take_number(std::string_view& text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || text.empty() || text.front() == '-') return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return number;
}

/// `layers.i` of an MLP <-> proj_in, layers.(i - 1), proj_out.
std::string mlp_to_huggingface(std::string_view rest, std::int64_t depth) {
    if (!starts_with(rest, "layers.")) return std::string(rest);
    auto tail = rest.substr(7);
    const auto layer = take_number(tail);
    if (!layer) return std::string(rest);
    if (*layer == 0) return fmt::format("proj_in{}", tail);
    if (*layer == depth - 1) return fmt::format("proj_out{}", tail);
    return fmt::format("layers.{}{}", *layer - 1, tail);
}

std::string mlp_to_meta(std::string_view rest, std::int64_t depth) {
    if (starts_with(rest, "proj_in.")) return fmt::format("layers.0{}", rest.substr(7));
    if (starts_with(rest, "proj_out.")) return fmt::format("layers.{}{}", depth - 1, rest.substr(8));
    if (!starts_with(rest, "layers.")) return std::string(rest);
    auto tail = rest.substr(7);
    const auto layer = take_number(tail);
    return layer && *layer < depth ? fmt::format("layers.{}{}", *layer + 1, tail) : std::string(rest);
}

/// Renames the MLPs of the decoder's heads; nothing if `name` is not in one.
template <class RenameLayer>
std::optional<std::string> rename_head(std::string_view name, std::int64_t iou_head_depth, RenameLayer rename_layer) {
    if (starts_with(name, kIouHead)) return std::string(kIouHead) + rename_layer(name.substr(kIouHead.size()), iou_head_depth);
    if (!starts_with(name, kHypernetworks)) return std::nullopt;
    auto rest = name.substr(kHypernetworks.size());
    const auto mask = take_number(rest);
    if (!mask || rest.empty() || rest.front() != '.') return std::string(name);
    return fmt::format("{}{}.{}", kHypernetworks, *mask, rename_layer(rest.substr(1), kHypernetworkDepth));
}

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
    return text;
}

/// The IoU head's depth from its hidden layers in Hugging Face's names: proj_in, layers.*, proj_out.
std::int64_t huggingface_iou_head_depth(const std::vector<std::string>& names, std::size_t prefix) {
    std::int64_t hidden = 0;
    for (const auto& name : names) {
        const auto rest = std::string_view(name).substr(std::min(prefix, name.size()));
        if (starts_with(rest, kIouHead) && starts_with(rest.substr(kIouHead.size()), "layers.") && rest.size() > 7 &&
            rest.substr(rest.size() - 7) == ".weight")
            ++hidden;
    }
    return hidden + 2;
}

}  // namespace

std::string to_huggingface_name(std::string_view meta_name, std::int64_t iou_head_depth) {
    if (auto head = rename_head(meta_name, iou_head_depth, mlp_to_huggingface)) return *head;
    for (const auto& row : kRows) {
        if (starts_with(meta_name, row.meta)) {
            return std::string(row.huggingface) +
                   replace_all(std::string(meta_name.substr(row.meta.size() - 1)), ".norm", ".layer_norm").substr(1);
        }
    }
    return replace_all(std::string(meta_name), ".norm", ".layer_norm");
}

std::string to_meta_name(std::string_view huggingface_name, std::int64_t iou_head_depth) {
    if (auto head = rename_head(huggingface_name, iou_head_depth, mlp_to_meta)) return *head;
    for (const auto& row : kRows) {
        if (starts_with(huggingface_name, row.huggingface)) {
            return std::string(row.meta) +
                   replace_all(std::string(huggingface_name.substr(row.huggingface.size() - 1)), ".layer_norm", ".norm").substr(1);
        }
    }
    return replace_all(std::string(huggingface_name), ".layer_norm", ".norm");
}

CanonicalNames canonical_names(const std::vector<std::string>& file_names, Problems& problems) {
    using Origin = CanonicalNames::Origin;
    CanonicalNames result;
    for (const auto& name : file_names) {  // the first of them decides
        for (auto [marker, origin] : {std::pair{std::string_view("image_encoder.patch_embed."), Origin::meta},
                                      std::pair{std::string_view("vision_encoder.patch_embed."), Origin::huggingface}}) {
            const auto at = name.find(marker);
            if (result.origin != Origin::unknown || at == std::string::npos || (at > 0 && name[at - 1] != '.')) continue;
            result.origin = origin;
            result.prefix = name.substr(0, at);
        }
    }
    const bool is_huggingface = result.origin == Origin::huggingface;
    const auto depth = is_huggingface ? huggingface_iou_head_depth(file_names, result.prefix.size()) : 3;

    std::map<std::string, std::string, std::less<>> taken;  // canonical name -> name in the file
    std::string gaussian_copy;
    for (const auto& name : file_names) {
        const bool has_prefix = starts_with(name, result.prefix);
        const auto rest = std::string_view(name).substr(has_prefix ? result.prefix.size() : 0);
        if (is_huggingface && rest == kGaussianCopy) {
            gaussian_copy = name;
            continue;
        }
        auto canonical = is_huggingface && has_prefix ? to_meta_name(rest, depth) : std::string(rest);
        const auto [other, is_new] = taken.emplace(canonical, name);
        if (is_new) {
            result.names.emplace_back(name, std::move(canonical));
        } else {
            problems.add(fmt::format("{} and {} are both {}", in_quotes(other->second), in_quotes(name), in_quotes(canonical)));
        }
    }
    if (!gaussian_copy.empty()) {  // tied weights: files written since 2023 keep either name, or both
        auto& list = taken.count(kGaussianMatrix) != 0 ? result.copies : result.names;
        list.emplace_back(gaussian_copy, kGaussianMatrix);
    }
    return result;
}

bool is_optional_sam_tensor(std::string_view canonical_name) {
    return canonical_name == "pixel_mean" || canonical_name == "pixel_std";
}

}  // namespace prelude::models
