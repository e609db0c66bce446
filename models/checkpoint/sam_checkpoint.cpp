// SPDX-License-Identifier: Apache-2.0
#include "models/checkpoint/sam_checkpoint.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>

#include "models/checkpoint/problems.hpp"
#include "models/checkpoint/sam_names.hpp"

namespace prelude::models {

namespace {

constexpr std::int64_t kMaxBlocks = 65536;
constexpr std::int64_t kMaxExtent = std::int64_t{1} << 31;  // products of two and sums stay within 64 bits

/// Collects what the shapes say, field by field, and holds it against what `model.config` says.
class Inference final {
  public:
    Inference(const std::string& file, const Weights::Shapes& shapes, const PartialSamConfig& given)
        : problems_(file), shapes_(shapes), given_(given) {}

    InferredConfig run() {
        if (shapes_.find("image_encoder.patch_embed.proj.weight") == shapes_.end()) {
            problems_.fail(
                "not a Segment Anything checkpoint: no tensor 'image_encoder.patch_embed.proj.weight' (or Hugging Face's "
                "'vision_encoder.patch_embed.projection.weight')");
        }
        encoder();
        decoder();
        problems_.throw_if_any();
        const auto assumed =
            result_.assumed.empty() ? "" : fmt::format(" (assumed {}; set model.config)", fmt::join(result_.assumed, ", "));
        for (const auto& problem : validate(result_.config)) problems_.add("inferred configuration: " + problem + assumed);
        problems_.throw_if_any();
        return std::move(result_);
    }

  private:
    /// The shape of a tensor of the given rank, or nothing after reporting the problem.
    const Shape* shape(const std::string& name, std::size_t rank) {
        const auto found = shapes_.find(name);
        if (found == shapes_.end()) {
            problems_.add(fmt::format("{}: missing; the configuration cannot be inferred without it", in_quotes(name)));
            return nullptr;
        }
        const auto& extents = found->second.extents();
        if (extents.size() != rank ||
            !std::all_of(extents.begin(), extents.end(), [](auto extent) { return extent >= 1 && extent <= kMaxExtent; })) {
            problems_.add(fmt::format("{}: shape {}; {} extents from 1 to {} are needed", in_quotes(name), found->second.to_string(), rank,
                                      kMaxExtent));
            return nullptr;
        }
        return &found->second;
    }

    /// Number of different N in `<prefix>N.<rest>`, taken as 0..N: a gap shows up as missing tensors.
    std::int64_t count(std::string_view prefix) {
        std::int64_t number = 0;
        for (auto name = shapes_.lower_bound(prefix);
             name != shapes_.end() && std::string_view(name->first).substr(0, prefix.size()) == prefix; ++name) {
            const auto rest = std::string_view(name->first).substr(prefix.size());
            std::int64_t index = 0;
            const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), index);
            if (error == std::errc{} && end != rest.data() + rest.size() && *end == '.' && index >= 0 && index < kMaxBlocks)
                number = std::max(number, index + 1);
        }
        return number;
    }

    /// A field that a tensor tells.
    void told(std::string_view name, std::int64_t value, std::string_view source) {
        field(name) = value;
        const auto wanted = given_.find(name);
        if (wanted && *wanted != value)
            problems_.add(fmt::format("model.config.{}: got {}, but {} says {}", name, *wanted, in_quotes(source), value));
    }

    /// A field that no tensor tells: given, or assumed and said so.
    void untold(std::string_view name, std::int64_t fallback) {
        const auto wanted = given_.find(name);
        field(name) = wanted.value_or(fallback);
        if (!wanted) result_.assumed.push_back(fmt::format("{} = {}", name, fallback));
    }

    std::int64_t& field(std::string_view name) {
        for (const auto& candidate : sam_config_fields()) {
            if (candidate.name == name) return result_.config.*candidate.value;
        }
        check(false, "unknown configuration field");
        std::abort();
    }

    void encoder() {
        auto& config = result_.config;
        if (const auto* patch = shape("image_encoder.patch_embed.proj.weight", 4)) {
            told("width", (*patch)[0], "image_encoder.patch_embed.proj.weight");
            told("patch_size", (*patch)[3], "image_encoder.patch_embed.proj.weight");
        }
        std::int64_t grid = 0;
        if (const auto* positions = shape("image_encoder.pos_embed", 4)) {
            grid = (*positions)[1];
            told("image_size", grid * config.patch_size, "image_encoder.pos_embed");
        }
        told("depth", count("image_encoder.blocks."), "image_encoder.blocks");
        if (const auto* hidden = shape("image_encoder.blocks.0.mlp.lin1.weight", 2))
            told("mlp_width", (*hidden)[0], "image_encoder.blocks.0.mlp.lin1.weight");
        relative_positions(grid);
        if (const auto* neck = shape("image_encoder.neck.0.weight", 4)) told("prompt_width", (*neck)[0], "image_encoder.neck.0.weight");
    }

    void relative_positions(std::int64_t grid) {
        auto& config = result_.config;
        const auto name = [](std::int64_t block) { return fmt::format("image_encoder.blocks.{}.attn.rel_pos_h", block); };
        config.relative_positions = false;
        for (std::int64_t block = 0; block < config.depth; ++block) config.relative_positions |= shapes_.count(name(block)) != 0;
        if (given_.relative_positions && *given_.relative_positions != config.relative_positions) {
            problems_.add(fmt::format("model.config.relative_positions: got {}, but the file {} relative position tables",
                                      *given_.relative_positions, config.relative_positions ? "has" : "has no"));
        }
        if (!config.relative_positions) {
            untold("num_heads", std::max<std::int64_t>(1, config.width / 64));
            untold("window_size", config.window_size);
            if (given_.global_blocks) {
                config.global_blocks = *given_.global_blocks;
            } else {
                config.global_blocks.clear();
                for (std::int64_t block = 0; block < config.depth; ++block) config.global_blocks.push_back(block);
                result_.assumed.push_back("global_blocks = all");
            }
            return;
        }

        std::vector<std::pair<std::int64_t, std::int64_t>> sides;  // (block, side)
        std::int64_t head_width = 0;
        for (std::int64_t block = 0; block < config.depth; ++block) {
            if (shapes_.count(name(block)) == 0) continue;  // check_sam() will miss it
            const auto* table = shape(name(block), 2);
            if (table == nullptr) return;
            if ((*table)[0] % 2 == 0) {
                problems_.add(fmt::format("{}: {} rows; 2 * side - 1 is odd", in_quotes(name(block)), (*table)[0]));
                return;
            }
            if (head_width == 0) head_width = (*table)[1];
            sides.emplace_back(block, ((*table)[0] + 1) / 2);
        }
        if (config.width % head_width != 0) {
            problems_.add(fmt::format("{}: heads of {} channels do not divide the width {}", in_quotes(name(sides.front().first)),
                                      head_width, config.width));
        } else {
            told("num_heads", config.width / head_width, name(sides.front().first));
        }

        if (grid == 0) return;  // no position table: reported already

        // The side that most blocks beside the global ones have is the window; any third side belongs to another picture size.
        std::map<std::int64_t, std::int64_t> votes;
        std::vector<std::int64_t> global_blocks;
        for (auto [block, side] : sides) {
            if (side == grid) {
                global_blocks.push_back(block);
            } else {
                ++votes[side];
            }
        }
        if (votes.empty()) {
            config.window_size = given_.find("window_size").value_or(SamConfig{}.window_size);
        } else {
            const auto window = std::max_element(votes.begin(), votes.end(), [](auto& a, auto& b) { return a.second < b.second; })->first;
            for (auto [block, side] : sides) {
                if (side == grid || side == window) continue;
                problems_.add(fmt::format(
                    "{}: made for {} positions a side; the picture has {}, the windows have {}. SAM would interpolate the table, "
                    "which is not supported",
                    in_quotes(name(block)), side, grid, window));
            }
            told("window_size", window, name(std::find_if(sides.begin(), sides.end(), [&](auto& s) { return s.second == window; })->first));
        }
        config.global_blocks = global_blocks;
        if (given_.global_blocks && *given_.global_blocks != global_blocks) {
            problems_.add(fmt::format("model.config.global_blocks: got [{}], but the relative position tables say [{}]",
                                      fmt::join(*given_.global_blocks, ", "), fmt::join(global_blocks, ", ")));
        }
    }

    void decoder() {
        const std::string transformer = "mask_decoder.transformer.";
        told("decoder_depth", count(transformer + "layers."), transformer + "layers");
        untold("decoder_heads", SamConfig{}.decoder_heads);
        if (const auto* hidden = shape(transformer + "layers.0.mlp.lin1.weight", 2))
            told("decoder_mlp_width", (*hidden)[0], transformer + "layers.0.mlp.lin1.weight");
        if (const auto* inner = shape(transformer + "final_attn_token_to_image.q_proj.weight", 2)) {
            if ((*inner)[1] % (*inner)[0] != 0) {
                problems_.add(fmt::format("{}: shape {}; the first extent must divide the second",
                                          in_quotes(transformer + "final_attn_token_to_image.q_proj.weight"), inner->to_string()));
            } else {
                told("decoder_downsample", (*inner)[1] / (*inner)[0], transformer + "final_attn_token_to_image.q_proj.weight");
            }
        }
        if (const auto* mask = shape("prompt_encoder.mask_downscaling.3.weight", 4))
            told("mask_in_channels", (*mask)[0], "prompt_encoder.mask_downscaling.3.weight");
        if (const auto* tokens = shape("mask_decoder.mask_tokens.weight", 2))
            told("num_multimask_outputs", (*tokens)[0] - 1, "mask_decoder.mask_tokens.weight");
        const std::string head = "mask_decoder.iou_prediction_head.layers.";
        const auto depth = count(head);
        told("iou_head_depth", depth, head + "N");
        if (depth == 1) {
            result_.config.iou_head_width =
                given_.find("iou_head_width").value_or(SamConfig{}.iou_head_width);  // a single layer has no hidden channels
        } else if (const auto* first = shape(head + "0.weight", 2)) {
            told("iou_head_width", (*first)[0], head + "0.weight");
        }
    }

    Problems problems_;
    const Weights::Shapes& shapes_;
    const PartialSamConfig& given_;
    InferredConfig result_;
};

}  // namespace

InferredConfig infer_sam_config(const std::string& file, const Weights::Shapes& shapes, const PartialSamConfig& given) {
    return Inference(file, shapes, given).run();
}

void check_sam(const Weights& weights, const SamConfig& config) {
    Problems problems(weights.file());
    for (const auto& problem : validate(config)) problems.add("model.config: " + problem);
    problems.throw_if_any();

    std::set<std::string, std::less<>> expected;
    for (const auto& [name, shape] : expected_tensors(config)) {
        expected.insert(name);
        if (!weights.contains(name)) {
            problems.add(fmt::format("{}: missing; shape {}", in_quotes(name), shape.to_string()));
        } else if (weights.shape(name) != shape) {
            problems.add(fmt::format("{}: shape {}; {} is needed", in_quotes(name), weights.shape(name).to_string(), shape.to_string()));
        } else if (!is_floating_point(weights.stored_type(name))) {
            problems.add(
                fmt::format("{}: stored as {}; F32, F16, BF16 or F64 is needed", in_quotes(name), name_of(weights.stored_type(name))));
        } else {
            const auto values = weights.values(name);
            const auto bad = std::count_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
            if (bad > 0) problems.add(fmt::format("{}: {} of {} values are not finite", in_quotes(name), bad, values.size()));
        }
    }
    for (const auto& name : weights.names()) {
        if (expected.count(name) == 0 && !is_optional_sam_tensor(name))
            problems.add(fmt::format("{}: unknown; no part of the model takes it", in_quotes(name)));
    }
    problems.throw_if_any();
}

SamCheckpoint open_sam(const std::filesystem::path& path, const PartialSamConfig& given) {
    auto weights = Weights::open(path);
    auto [config, assumed] = infer_sam_config(weights.file(), weights.shapes(), given);
    check_sam(weights, config);
    return {std::move(weights), std::move(config), std::move(assumed)};
}

}  // namespace prelude::models
