// SPDX-License-Identifier: Apache-2.0
// Kind `sam-model`: a small Segment Anything model with its weights, inputs, outputs and inner activations.
//
// <stem>.json                {"config": {"img_size", "embed_dim", ...}}: the names of the published code
// weights                    files with SAM's tensor names, any number of them, each has to give the same outputs
// everything else            tensors by name; README of the reference data, section 1.1. A tensor of unknown meaning is a failure

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "golden.hpp"
#include "models/checkpoint/sam_checkpoint.hpp"
#include "models/checkpoint/sam_names.hpp"
#include "models/data/preprocess.hpp"
#include "models/graph/sam.hpp"
#include "models/predictor.hpp"
#include "models/reference/executor.hpp"

namespace prelude::golden {

namespace {

using models::EdgeHook;
using models::Graph;
using models::ReferenceExecutor;
using models::SamConfig;
using models::Shape;
using models::Tensor;
using models::ValueId;
using models::Weights;

constexpr double kTolerance = 2e-5;

bool is_sam_weights(const TensorFile& file) {
    return std::ranges::any_of(file.tensors(), [](const auto& entry) {
        return entry.first.ends_with("patch_embed.proj.weight") || entry.first.ends_with("patch_embed.projection.weight");
    });
}

/// JSON entry (name of the published code) and the field it is here.
struct ConfigEntry {
    const char* entry;
    std::int64_t SamConfig::*field;
};
constexpr ConfigEntry kConfigEntries[] = {{"img_size", &SamConfig::image_size},
                                          {"patch_size", &SamConfig::patch_size},
                                          {"embed_dim", &SamConfig::width},
                                          {"depth", &SamConfig::depth},
                                          {"num_heads", &SamConfig::num_heads},
                                          {"window_size", &SamConfig::window_size},
                                          {"out_chans", &SamConfig::prompt_width},
                                          {"mask_in_chans", &SamConfig::mask_in_channels},
                                          {"decoder_depth", &SamConfig::decoder_depth},
                                          {"decoder_num_heads", &SamConfig::decoder_heads},
                                          {"decoder_mlp_dim", &SamConfig::decoder_mlp_width},
                                          {"iou_head_depth", &SamConfig::iou_head_depth},
                                          {"iou_head_hidden_dim", &SamConfig::iou_head_width}};

/// The same tensors under the names of Hugging Face's SamModel.
TensorFile renamed_to_huggingface(const TensorFile& file) {
    TensorFile renamed(file.file() + " (renamed)");
    for (const auto& [name, tensor] : file.tensors()) renamed.add(models::to_huggingface_name(name), tensor);
    for (const auto& owner : file.owners()) renamed.keep_alive(owner);
    return renamed;
}

/// Where a tensor of the reference data is in the graph. Empty: it is not an inner value.
std::string encoder_value(const std::string& name) {
    static const std::map<std::string, std::string> kInBlock{{"norm1", "norm1"}, {"attn_qkv", "qkv"},  {"attn", "proj"},
                                                             {"norm2", "norm2"}, {"mlp_lin1", "lin1"}, {"mlp_act", "gelu"},
                                                             {"mlp", "lin2"},    {"out", "add2"}};
    static const std::map<std::string, std::string> kOutside{{"patch_embed", "encoder.patch_tokens.out"},
                                                             {"neck.0", "encoder.neck.conv1.out"},
                                                             {"neck.1", "encoder.neck.norm1.out"},
                                                             {"neck.2", "encoder.neck.conv2.out"},
                                                             {"neck.3", "encoder.neck.norm2.out"}};
    if (const auto found = kOutside.find(name); found != kOutside.end()) return found->second;
    const auto dot = name.find('.');
    if (!name.starts_with("block") || dot == std::string::npos) return {};
    const auto found = kInBlock.find(name.substr(dot + 1));
    return found == kInBlock.end() ? std::string() : fmt::format("encoder.{}.{}.out", name.substr(0, dot), found->second);
}

/// `name` without the prompt's name in front.
std::string decoder_value(const std::string& name, const SamConfig& config) {
    static const std::map<std::string, std::string> kValues{{"decoder.tokens_out", "decoder.norm_final.out"},
                                                            {"decoder.upscaled", "decoder.upscaling.gelu2.out"},
                                                            {"sparse", "prompt.points.out"},
                                                            {"dense", "prompt.mask_downscaling.conv3.out"},
                                                            {"all_low_res_logits", std::string(models::sam_values::kLowResLogits)},
                                                            {"all_iou", std::string(models::sam_values::kIou)}};
    if (const auto found = kValues.find(name); found != kValues.end()) return found->second;
    if (name == "decoder.src_out") return fmt::format("decoder.layer{}.norm4.out", config.decoder_depth - 1);
    for (std::int64_t layer = 0; layer < config.decoder_depth; ++layer) {
        if (name == fmt::format("decoder.layer{}.queries", layer)) return fmt::format("decoder.layer{}.norm3.out", layer);
        if (name == fmt::format("decoder.layer{}.keys", layer)) return fmt::format("decoder.layer{}.norm4.out", layer);
    }
    return {};
}

/// Compares one set of weights with the references of a case.
class ModelTest final {
  public:
    ModelTest(std::string weights_name, const Weights& weights, const SamConfig& config, References& references, Report& report)
        : prefix_(std::move(weights_name) + " "), weights_(weights), config_(config), references_(references), report_(report) {}

    void run() {
        preprocessing();
        embedding_ = encode("preprocessed", "image_embedding");
        if (references_.contains("preprocessed_square")) encode("preprocessed_square", "image_embedding_square");
        std::set<std::string> prompts;
        for (const auto& name : references_.names()) {
            if (name.starts_with("prompt.")) prompts.insert(name.substr(7, name.find('.', 7) - 7));
        }
        for (const auto& prompt : prompts) predict(prompt);
    }

  private:
    Tensor tensor(const std::string& name) {
        const auto values = references_.view<float>(name);
        return {references_.shape(name), {values.begin(), values.end()}};
    }
    void compare(const std::string& name, std::span<const float> actual) {
        report_.compare(prefix_ + name, references_.view<float>(name), actual);
    }
    void compare_if_there(const std::string& name, std::span<const float> actual) {
        if (references_.contains(name)) compare(name, actual);
    }

    void preprocessing() {
        if (!references_.contains("image_u8_hwc")) return;
        const auto& shape = references_.shape("image_u8_hwc");
        const auto pixels = references_.view<std::uint8_t>("image_u8_hwc");
        const models::Image image{static_cast<int>(shape[1]), static_cast<int>(shape[0]), {pixels.begin(), pixels.end()}};
        const auto [input, frame] = models::preprocess(image, static_cast<int>(config_.image_size));
        frame_ = frame;
        const auto resized = models::resize_bilinear(image, frame.input_width, frame.input_height);
        report_.require(std::ranges::equal(resized.rgb, references_.view<std::uint8_t>("image_resized_u8_hwc")),
                        "image_resized_u8_hwc: other pixels");
        const auto size = [&](const std::string& name) { return references_.view<std::int64_t>(name); };
        report_.require(size("original_size_hw")[0] == frame.original_height && size("original_size_hw")[1] == frame.original_width,
                        "original_size_hw");
        report_.require(size("input_size_hw")[0] == frame.input_height && size("input_size_hw")[1] == frame.input_width, "input_size_hw");
        compare("preprocessed", input.values());
        if (!references_.contains("prompt_original_frame.point_coords")) return;
        models::Prompt prompt;
        const auto points = references_.view<float>("prompt_original_frame.point_coords");
        for (std::size_t index = 0; index < points.size(); index += 2) prompt.points.push_back({{points[index], points[index + 1]}, 1});
        const auto box = references_.view<float>("prompt_original_frame.boxes");
        prompt.box = models::Box{box[0], box[1], box[2], box[3]};
        const auto tokens = models::prompt_tokens(models::to_input_frame(prompt, frame));
        compare("prompt_input_frame.point_coords", tokens.coordinates.values().first(points.size()));
        compare("prompt_input_frame.boxes", tokens.coordinates.values().subspan(points.size()));
    }

    Tensor encode(const std::string& input, const std::string& output) {
        const auto graph = models::build_sam(config_);
        const ReferenceExecutor executor(graph, weights_);
        std::map<std::string, std::string> watched;  // value -> reference
        if (input == "preprocessed") {
            for (const auto& name : references_.names()) {
                if (const auto value = encoder_value(name); !value.empty()) watched.emplace(value, name);
            }
        }
        const EdgeHook watch = [&](const models::Node*, ValueId id, Tensor& value) {
            const auto found = watched.find(graph.value(id).name);
            if (found != watched.end()) compare(found->second, value.values());
        };
        auto embedding =
            executor.run_one({{*graph.find_value(models::sam_values::kImage), tensor(input)}}, models::sam_values::kImageEmbedding, watch);
        compare(output, embedding.values());
        if (references_.contains("dense_pe")) compare("dense_pe", executor.run_one({}, "decoder.position.out").values());
        return embedding;
    }

    /// Prompt number `index` of a batch, in the resized frame.
    models::Prompt prompt_of(const std::string& name, std::int64_t index) {
        const auto key = "prompt." + name + ".";
        models::Prompt prompt;
        if (references_.contains(key + "point_coords")) {
            const auto num_points = references_.shape(key + "point_labels")[1];
            const auto coordinates =
                references_.view<float>(key + "point_coords").subspan(static_cast<std::size_t>(index * num_points * 2));
            const auto labels = references_.view<std::int64_t>(key + "point_labels").subspan(static_cast<std::size_t>(index * num_points));
            for (std::size_t point = 0; point < static_cast<std::size_t>(num_points); ++point) {
                prompt.points.push_back({{coordinates[2 * point], coordinates[2 * point + 1]}, static_cast<int>(labels[point])});
            }
        }
        if (references_.contains(key + "boxes")) {
            const auto box = references_.view<float>(key + "boxes").subspan(static_cast<std::size_t>(index * 4));
            prompt.box = models::Box{box[0], box[1], box[2], box[3]};
        }
        if (references_.contains(key + "mask_inputs")) {
            const auto side = 4 * config_.grid_size();
            const auto mask = references_.view<float>(key + "mask_inputs").subspan(static_cast<std::size_t>(index * side * side));
            prompt.mask = Tensor(Shape{1, 1, side, side}, {mask.begin(), mask.begin() + side * side});
        }
        return prompt;
    }

    void predict(const std::string& name) {
        std::int64_t batch = 1;
        for (const auto& key : references_.names()) {
            if (key.starts_with("prompt." + name + ".")) batch = references_.shape(key)[0];
        }
        std::map<std::string, std::vector<float>> actual;  // values of all prompts of the batch, one after the other
        for (std::int64_t index = 0; index < batch; ++index) predict_one(name, prompt_of(name, index), actual);
        std::set<std::string> parts;
        for (const auto& key : references_.names()) {
            if (key.starts_with(name + ".")) parts.insert(key.substr(name.size() + 1));
        }
        for (const auto& part : parts) {
            const auto found = actual.find(part);
            if (found != actual.end()) compare(name + "." + part, found->second);
        }
        const auto binary = name + ".multi.masks_binary_u8";
        if (references_.contains(binary)) compare_binary(binary, actual.at("multi.masks_logits_original_size"));
    }

    void predict_one(const std::string& name, const models::Prompt& prompt, std::map<std::string, std::vector<float>>& actual) {
        const auto workload = models::workload_of(prompt, frame_, models::MaskSelection::multi, config_);
        const auto graph = models::build_sam(config_, workload);
        const ReferenceExecutor executor(graph, weights_);
        const auto append = [&](const std::string& part, std::span<const float> values) {
            actual[part].insert(actual[part].end(), values.begin(), values.end());
        };
        std::multimap<std::string, std::string> watched;
        for (const auto& key : references_.names()) {
            if (!key.starts_with(name + ".")) continue;
            const auto part = key.substr(name.size() + 1);
            if (const auto value = decoder_value(part, config_); !value.empty()) watched.emplace(value, part);
        }
        const EdgeHook watch = [&](const models::Node*, ValueId id, Tensor& value) {
            const auto [begin, end] = watched.equal_range(graph.value(id).name);
            for (auto found = begin; found != end; ++found) append(found->second, value.values());
        };
        auto given = models::prompt_values(graph, prompt);
        given.emplace(*graph.find_value(models::sam_values::kImageEmbedding), embedding_);
        const auto logits = *graph.find_value(models::sam_values::kLowResLogits), iou = *graph.find_value(models::sam_values::kIou),
                   masks = *graph.find_value(models::sam_values::kMasks);
        const auto results = executor.run(std::move(given), std::vector{logits, iou, masks}, watch);
        const auto all = results.at(logits).values();
        const auto plane = all.size() / static_cast<std::size_t>(config_.num_mask_tokens());
        append("single.low_res_logits", all.first(plane));
        append("multi.low_res_logits", all.subspan(plane));
        append("single.iou", results.at(iou).values().first(1));
        append("multi.iou", results.at(iou).values().subspan(1));
        append("multi.masks_logits_original_size", results.at(masks).values());
    }

    /// A pixel may differ only where the logit is zero within the tolerance.
    void compare_binary(const std::string& name, std::span<const float> logits) {
        const auto expected = references_.view<std::uint8_t>(name);
        float largest = 0;
        for (const float logit : logits) largest = std::max(largest, std::abs(logit));
        std::size_t num_different = 0, num_undecided = 0;
        for (std::size_t index = 0; index < expected.size(); ++index) {
            if ((logits[index] > 0) == (expected[index] != 0)) continue;
            ++(std::abs(logits[index]) <= kTolerance * largest ? num_undecided : num_different);
        }
        report_.require(num_different == 0, fmt::format("{}{}: {} pixels differ", prefix_, name, num_different));
        if (num_undecided > 0) report_.note(fmt::format("{}{}: {} pixels with a logit of zero", prefix_, name, num_undecided));
    }

    std::string prefix_;
    const Weights& weights_;
    const SamConfig& config_;
    References& references_;
    Report& report_;
    models::Frame frame_;
    Tensor embedding_;
};

void compare_config(const Json& entries, const SamConfig& config, Report& report) {
    for (const auto& [entry, field] : kConfigEntries) {
        if (entries.contains(entry))
            report.require(entries[entry] == config.*field, fmt::format("config: {} was read as {}", entry, config.*field));
    }
    if (entries.contains("mlp_ratio"))
        report.require(entries["mlp_ratio"].get<std::int64_t>() * config.width == config.mlp_width, "config: mlp_ratio");
    if (entries.contains("global_attn_indexes")) {
        report.require(entries["global_attn_indexes"] == Json(config.global_blocks), "config: global_attn_indexes");
    }
}

Report test_model(const Json& document, const std::vector<File*>& weight_files, const std::vector<File*>& reference_files) {
    Report report(kTolerance);
    References references;
    for (const auto* file : reference_files) references.add(*file);
    const auto& entries = document.at("config");
    models::PartialSamConfig given;
    if (entries.contains("decoder_num_heads")) given.values.emplace_back("decoder_heads", entries["decoder_num_heads"].get<std::int64_t>());
    report.require(!weight_files.empty(), "no weights");
    for (const auto* file : weight_files) {
        const auto [weights, config, assumed] = models::open_sam(file->path, given);
        compare_config(entries, config, report);
        std::int64_t num_parameters = 0;
        for (const auto& [name, shape] : weights.shapes()) num_parameters += shape.num_elements();
        if (document.contains("num_parameters")) {
            report.require(document["num_parameters"] == num_parameters, fmt::format("num_parameters: {} in the weights", num_parameters));
        }
        ModelTest(file->path.extension().string(), weights, config, references, report).run();

        const auto renamed = Weights::from(renamed_to_huggingface(*file->tensors));
        bool identical = renamed.names() == weights.names();
        for (const auto& name : weights.names()) {
            identical =
                identical && renamed.shape(name) == weights.shape(name) && std::ranges::equal(renamed.values(name), weights.values(name));
        }
        report.require(identical, file->name + ": other tensors when renamed to Hugging Face's names");
        ModelTest(file->path.extension().string() + " renamed", renamed, config, references, report).run();
    }
    for (const auto& name : references.unused()) report.require(false, name + ": a tensor of unknown meaning");
    return report;
}

}  // namespace

std::vector<Case> find_sam_models(Directory& directory) {
    std::vector<Case> cases;
    for (auto* file : directory.unclaimed()) {
        if (!file->document || !has_keys(*file->document, {"config"}) || !has_keys(file->document->at("config"), {"img_size", "embed_dim"}))
            continue;
        std::vector<File*> weights, references;
        for (auto* sibling : directory.siblings(*file)) {
            if (!sibling->tensors) continue;
            sibling->claimed = true;
            (is_sam_weights(*sibling->tensors) ? weights : references).push_back(sibling);
        }
        file->claimed = true;
        cases.push_back({"sam-model", without_extension(file->name), [=] { return test_model(*file->document, weights, references); }});
    }
    return cases;
}

}  // namespace prelude::golden
