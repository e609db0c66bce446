// SPDX-License-Identifier: Apache-2.0
// The keys of `model`, `data` and `workload`: which network, on which pictures, and what one row executes.
#include "experiments/config/field.hpp"

#include <algorithm>

namespace prelude::experiments {

namespace {

const std::vector<Word> kAuto = {{"auto", kUnset}};

bool is_sam(const Settings& s) {
    return s.model.kind == ModelKind::sam;
}
bool is_list_of_layers(const Settings& s) {
    return s.model.kind == ModelKind::layers;
}
bool has_kind(const Settings& s, DataKind kind) {
    return std::ranges::find(s.data.kinds, kind) != s.data.kinds.end();
}
bool uses_coco(const Settings& s) {
    return has_kind(s, DataKind::coco);
}
bool uses_masks(const Settings& s) {
    return has_kind(s, DataKind::masks);
}
bool uses_files(const Settings& s) {
    return uses_coco(s) || uses_masks(s);
}
bool scores_detections(const Settings& s) {
    return uses_coco(s) && !s.data.boxes.empty();
}
bool generates(const Settings& s) {
    return has_kind(s, DataKind::phantom) || has_kind(s, DataKind::scene);
}
bool is_stressed(const Settings& s) {
    return models::changes_weights(s.model.stress);
}

void declare_stress_keys(std::vector<Key>& keys) {
    const auto strength = [&](std::string_view path, double low, double high, std::vector<Word> words, std::string_view unit, std::string_view sentence,
                              auto access) {
        keys.push_back(field({.path = path,
                              .domain = Domain::reals(low, high, std::move(words)),
                              .unit = unit,
                              .sentence = sentence,
                              .because = "float outputs stay as they are up to rounding: what one tensor gains its neighbour takes back",
                              .source = "models/stress.hpp",
                              .affects = Affects::numeric},
                             access));
    };
    strength("model.stress.channel_spread", 1, 10'000, {}, "largest / smallest", "Spread of the channels of the encoder's norms.",
             [](auto& s) -> auto& { return s.model.stress.channel_spread; });
    strength("model.stress.bimodal", 0, 100, {{"false", 0}, {"true", 3}}, "deviations", "How far the decoder's token-to-image keys move apart, channel by channel.",
             [](auto& s) -> auto& { return s.model.stress.bimodal; });
    strength("model.stress.condition", 1, 10'000, {}, "largest / smallest singular value", "Condition number put between values and output projection.",
             [](auto& s) -> auto& { return s.model.stress.condition; });
    strength("model.stress.gelu_tail", 0, 1'000, {}, "deviations", "Reach of hidden units that join each encoder MLP and add up to nothing.",
             [](auto& s) -> auto& { return s.model.stress.gelu_tail; });
    keys.push_back(field({.path = "model.stress.seed",
                          .domain = Domain::integers({{0, std::numeric_limits<std::int64_t>::max()}}),
                          .sentence = "Seed of the stress.",
                          .affects = Affects::numeric,
                          .effective = {"another key of model.stress is set", is_stressed}},
                         [](auto& s) -> auto& { return s.model.stress.seed; }));
}

void declare_config_keys(std::vector<Key>& keys) {
    const auto size = [&](std::string_view path, IntegerRange range, std::string_view unit, std::string_view sentence, auto access) {
        keys.push_back(field({.path = path,
                              .domain = Domain::integers({range}, kAuto),
                              .unit = unit,
                              .sentence = sentence,
                              .because = "auto takes the checkpoint's tensors where they tell, else the preset",
                              .affects = Affects::numeric},
                             access));
    };
    size("model.config.image_size", {16, 4096}, "pixels", "Side of the square input picture of the encoder.",
         [](auto& s) -> auto& { return s.model.config.image_size; });
    size("model.config.patch_size", {1, 64}, "pixels", "Side of the patch that becomes one token.",
         [](auto& s) -> auto& { return s.model.config.patch_size; });
    size("model.config.width", {1, 8192}, "channels", "Channels of an encoder token.",
         [](auto& s) -> auto& { return s.model.config.width; });
    size("model.config.mlp_width", {1, 32768}, "channels", "Hidden channels of the encoder's MLP.",
         [](auto& s) -> auto& { return s.model.config.mlp_width; });
    size("model.config.depth", {1, 128}, "blocks", "Transformer blocks of the encoder.",
         [](auto& s) -> auto& { return s.model.config.depth; });
    size("model.config.num_heads", {1, 128}, "heads", "Attention heads of the encoder.",
         [](auto& s) -> auto& { return s.model.config.num_heads; });
    size("model.config.window_size", {1, 256}, "tokens", "Side of the attention window of the blocks that do not attend globally.",
         [](auto& s) -> auto& { return s.model.config.window_size; });
    keys.push_back(field({.path = "model.config.global_blocks",
                          .domain = Domain::integer_list({0, 127}, kAuto),
                          .unit = "block indices",
                          .sentence = "Encoder blocks that attend globally; the others use windows.",
                          .affects = Affects::numeric},
                         [](auto& s) -> auto& { return s.model.config.global_blocks; }));
    keys.push_back(field({.path = "model.config.relative_positions",
                          .domain = Domain::choice({{"auto", kUnset}, {"true", 1}, {"false", 0}}),
                          .sentence = "Whether attention adds decomposed relative positions.",
                          .affects = Affects::numeric},
                         [](auto& s) -> auto& { return s.model.config.relative_positions; }));
    size("model.config.prompt_width", {1, 4096}, "channels", "Channels of prompts, decoder tokens and the neck's output.",
         [](auto& s) -> auto& { return s.model.config.prompt_width; });
    size("model.config.mask_in_channels", {1, 1024}, "channels", "Hidden channels of the convolutions that embed a mask prompt.",
         [](auto& s) -> auto& { return s.model.config.mask_in_channels; });
    size("model.config.decoder_depth", {1, 16}, "blocks", "Two-way blocks of the mask decoder.",
         [](auto& s) -> auto& { return s.model.config.decoder_depth; });
    size("model.config.decoder_heads", {1, 128}, "heads", "Attention heads of the mask decoder; tensors cannot tell it.",
         [](auto& s) -> auto& { return s.model.config.decoder_heads; });
    size("model.config.decoder_mlp_width", {1, 32768}, "channels", "Hidden channels of the decoder's MLP.",
         [](auto& s) -> auto& { return s.model.config.decoder_mlp_width; });
    size("model.config.decoder_downsample", {1, 16}, "factor", "By how much the decoder's cross attention narrows its channels.",
         [](auto& s) -> auto& { return s.model.config.decoder_downsample; });
    size("model.config.num_multimask_outputs", {1, 63}, "masks", "Masks per prompt beside the single-mask output.",
         [](auto& s) -> auto& { return s.model.config.num_multimask_outputs; });
    size("model.config.iou_head_depth", {1, 16}, "layers", "Layers of the head that predicts the mask quality.",
         [](auto& s) -> auto& { return s.model.config.iou_head_depth; });
    size("model.config.iou_head_width", {1, 4096}, "channels", "Hidden channels of that head.",
         [](auto& s) -> auto& { return s.model.config.iou_head_width; });
}

}  // namespace

void declare_model_keys(std::vector<Key>& keys) {
    keys.push_back(field({.path = "model.kind",
                          .domain = Domain::choice({{"sam", 0}, {"layers", 1}}),
                          .sentence = "What is computed: a Segment Anything Model, or any list of layers, which has latency, power and resources but no accuracy.",
                          .affects = Affects::numeric},
                         [](auto& s) -> auto& { return s.model.kind; }));
    keys.push_back(field({.path = "model.preset",
                          .domain = Domain::choice({{"sam_nano", 0}, {"sam_vit_b", 1}, {"sam_vit_l", 2}, {"sam_vit_h", 3}, {"custom", 4}}),
                          .sentence = "Network configuration: a published size, the small trained SAM of this project, or "
                                      "`custom`: everything from the checkpoint's tensors and model.config.",
                          .source = "models/graph/sam_config.hpp",
                          .affects = Affects::numeric},
                         [](auto& s) -> auto& { return s.model.preset; }));
    keys.push_back(field({.path = "model.checkpoint",
                          .domain = Domain::path({{"auto", 0}, {"none", 1}}),
                          .sentence = "Weights (.safetensors or .pth). auto: those shipped with the preset, if there are; none: a graph "
                                      "of shapes, which has latency, power and resources but no accuracy.",
                          .because = "a relative path is looked up from the working directory, then beside the configuration file",
                          .affects = Affects::numeric},
                         [](auto& s) -> auto& { return s.model.checkpoint; }));
    keys.push_back(field({.path = "model.path",
                          .domain = Domain::path({{"none", 0}}),
                          .sentence = "File of the layers when model.kind is layers.",
                          .because = "a relative path is looked up from the working directory, then beside the configuration file",
                          .source = "arch_configs/workloads; experiments/config/layers_file.hpp",
                          .affects = Affects::numeric,
                          .effective = {"model.kind is layers", is_list_of_layers}},
                         [](auto& s) -> auto& { return s.model.path; }));
    declare_stress_keys(keys);
    declare_config_keys(keys);

    keys.push_back(field({.path = "data.kind",
                          .domain = Domain::choices({{"phantom", 0}, {"scene", 1}, {"coco", 2}, {"masks", 3}}),
                          .sentence = "Pictures that accuracy is measured on: generated CT-like phantoms, generated natural-like "
                                      "scenes, a data set in COCO format, or a folder of pictures with their masks.",
                          .affects = Affects::numeric},
                         [](auto& s) -> auto& { return s.data.kinds; }));
    keys.push_back(field({.path = "data.split",
                          .domain = Domain::choice({{"train", 0}, {"dev", 1}, {"test", 2}}),
                          .sentence = "Which of the disjoint parts of the generated data is evaluated.",
                          .affects = Affects::numeric,
                          .effective = {"data.kind has phantom or scene", generates}},
                         [](auto& s) -> auto& { return s.data.split; }));
    keys.push_back(field({.path = "data.path",
                          .domain = Domain::path({{"none", 0}}, true),
                          .sentence = "coco: annotation file, or the folder that holds it as `instances.json`; pictures lie beside it or in `images/` beside it. "
                                      "masks: the folder that holds `images/` and `masks/`.",
                          .because = "a relative path is looked up from the working directory, then beside the configuration file",
                          .affects = Affects::numeric,
                          .effective = {"data.kind has coco or masks", uses_files}},
                         [](auto& s) -> auto& { return s.data.path; }));
    keys.push_back(field({.path = "data.masks.form",
                          .domain = Domain::choice({{"automatic", 0}, {"binary", 1}, {"labels", 2}}),
                          .sentence = "binary: a mask file is one object; labels: every value is one; automatic: labels where there are several values.",
                          .source = "models/data/mask_folder.hpp",
                          .affects = Affects::numeric,
                          .effective = {"data.kind has masks", uses_masks}},
                         [](auto& s) -> auto& { return s.data.masks.form; }));
    keys.push_back(field({.path = "data.masks.void_labels",
                          .domain = Domain::integer_list({1, (std::int64_t{1} << 32) - 1}),
                          .unit = "label values",
                          .sentence = "Values of a map of labels that are no object, such as 255 for borders.",
                          .affects = Affects::numeric,
                          .effective = {"data.kind has masks", uses_masks}},
                         [](auto& s) -> auto& { return s.data.masks.void_labels; }));
    keys.push_back(field({.path = "data.boxes",
                          .domain = Domain::path({{"annotations", 0}}),
                          .sentence = "Where box prompts come from: the annotations, or a detector's file in COCO's result format.",
                          .because = "for IoU a detection is a prompt for the annotation its box overlaps most, by at least a half, and others are left out; for "
                                     "average precision every detection is a prompt (data.max_detections)",
                          .affects = Affects::numeric,
                          .effective = {"data.kind has coco", uses_coco}},
                         [](auto& s) -> auto& { return s.data.boxes; }));
    keys.push_back(field({.path = "data.num_images",
                          .domain = Domain::integers({{1, 100'000}}),
                          .unit = "images",
                          .sentence = "Images evaluated, shared equally among the kinds of data.kind.",
                          .affects = Affects::numeric},
                         [](auto& s) -> auto& { return s.data.num_images; }));
    keys.push_back(field({.path = "data.prompts_per_image",
                          .domain = Domain::integers({{1, 1024}}),
                          .unit = "objects",
                          .sentence = "Objects asked for per image, each with every kind of data.prompts; fewer where an image has fewer.",
                          .affects = Affects::numeric},
                         [](auto& s) -> auto& { return s.data.prompts_per_image; }));
    keys.push_back(field({.path = "data.prompts",
                          .domain = Domain::choices({{"box", 0}, {"point", 1}}),
                          .sentence = "Kinds of prompt that every object is asked with.",
                          .affects = Affects::numeric},
                         [](auto& s) -> auto& { return s.data.prompts; }));
    keys.push_back(field({.path = "data.max_detections",
                          .domain = Domain::integers({{0, 1000}}),
                          .unit = "detections per image",
                          .sentence = "Detections, best first, whose masks give the columns ap...; every one is a box prompt, also of images without "
                                      "annotations. 0: they are not measured.",
                          .because = "the images are those up to the last one asked for IoU, all of the file when it has fewer than data.num_images to ask for",
                          .source = "models/coco_metric.hpp",
                          .affects = Affects::numeric,
                          .effective = {"data.kind has coco and data.boxes is a file", scores_detections}},
                         [](auto& s) -> auto& { return s.data.max_detections; }));
    keys.push_back(field({.path = "data.score",
                          .domain = Domain::choice({{"detector", 0}, {"predicted_iou", 1}, {"product", 2}}),
                          .sentence = "What ranks the masks of detections: the detector's score, the network's own estimate of the mask's IoU (of the bits, for "
                                      "a quantized network), or their product.",
                          .because = "product is what the published evaluations of quantized SAM do (use_sam_iou), so that ap is to be held against theirs",
                          .source = "chengtao-lv/PTQ4SAM, det_wrapper_instance_sam.py",
                          .affects = Affects::numeric,
                          .effective = {"data.kind has coco and data.boxes is a file", scores_detections}},
                         [](auto& s) -> auto& { return s.data.score; }));
    keys.push_back(field({.path = "data.detection_limits",
                          .domain = Domain::choice({{"coco", 0}, {"mmdet", 1}}),
                          .sentence = "Detections of an image and category that count: coco: 1, 10, 100; mmdet: 100, 300, 1000, of which ap takes 100, its "
                                      "parts and ar the last.",
                          .because = "they differ only for a detector that reports more than 100",
                          .affects = Affects::numeric,
                          .effective = {"data.kind has coco and data.boxes is a file", scores_detections}},
                         [](auto& s) -> auto& { return s.data.detection_limits; }));
    keys.push_back(field({.path = "data.boundary",
                          .domain = Domain::boolean(),
                          .sentence = "Whether distances between the boundaries of masks are measured, in pixels: columns boundary_px and hd95_px.",
                          .because = "they take time; an empty mask counts as the picture's diagonal away, and is counted in a warning",
                          .source = "models/metrics.hpp",
                          .affects = Affects::numeric},
                         [](auto& s) -> auto& { return s.data.boundary; }));
    keys.push_back(field({.path = "data.seed",
                          .domain = Domain::integers({{0, std::numeric_limits<std::int64_t>::max()}}),
                          .sentence = "Seed of the generated pictures and of the jitter of prompts.",
                          .affects = Affects::numeric},
                         [](auto& s) -> auto& { return s.data.seed; }));

    keys.push_back(field({.path = "workload.prompts_per_image",
                          .domain = Domain::integers({{1, 1024}}),
                          .unit = "prompts",
                          .sentence = "Prompts through the decoder per image through the encoder, in one row of the results.",
                          .affects = Affects::workload},
                         [](auto& s) -> auto& { return s.workload.prompts_per_image; }));
    keys.push_back(field({.path = "workload.prompt",
                          .domain = Domain::choice({{"box", 0}, {"point", 1}}),
                          .sentence = "Kind of those prompts; a box has two corner tokens, a point one token and one of padding.",
                          .affects = Affects::workload},
                         [](auto& s) -> auto& { return s.workload.prompt; }));
    keys.push_back(field({.path = "workload.parts",
                          .domain = Domain::choice({{"encoder", 0}, {"decoder", 1}, {"all", 2}}),
                          .sentence = "Parts of the network that latency, power and energy count.",
                          .affects = Affects::workload},
                         [](auto& s) -> auto& { return s.workload.parts; }));

    // Pictures, prompts and sizes of a SAM mean nothing to a list of layers.
    for (auto& key : keys)
        if (key.effective.holds == nullptr && key.path != "model.kind") key.effective = {"model.kind is sam", is_sam};
}

}  // namespace prelude::experiments
