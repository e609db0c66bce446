// SPDX-License-Identifier: Apache-2.0
// Kind `quantized-model`: a whole model quantized by the public code (AHCPTQ), without training.
//
// <stem>.json                        {"model": stem of a sam-model case, "bits", "quantizer_kinds": {name: kind}}
// <stem>.safetensors                 q.*: parameters of every quantizer; w.*: weights taken back to real numbers (may be absent); inputs and
//                                    outputs of every encoder block and of the model: float.* (unquantized), per_channel.* and grouped4.* (its inputs in 4 groups)
// <stem>.intended-hybrid.safetensors the same outputs with the hybrid quantizer as intended, and its parameters
//
// Rounding makes small differences large: an element within float error of a tie may get the neighbouring code (a flip). A comparison
// counts the elements of all its quantizers that such an error could move. Outputs agree to kTolerance, or there are such elements and they
// agree to kFlipped; the report says how often that was needed.

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "models/checkpoint/sam_checkpoint.hpp"
#include "models/graph/sam.hpp"
#include "quant/calibration/range_search.hpp"
#include "quant/compat/calibrate.hpp"
#include "quant/compat/weights.hpp"
#include "quantizer_case.hpp"

namespace prelude::golden {

using namespace quant;
using models::Graph;
using models::ReferenceExecutor;
using models::Shape;
using models::Tensor;

namespace {

constexpr double kTolerance = 1e-5;   ///< relative RMS of an output that no flip has reached
constexpr double kFlipped = 0.05;     ///< of one that flips may have reached: a few codes, one step each
constexpr double kFloatError = 1e-6;  ///< of an element relative to the largest of its tensor: what two implementations of a block differ by

constexpr double kSearchShare = 1.05;  ///< loss of our keys' ranges in theirs: the mean of two pictures' minima is no minimum

const std::set<std::string, std::less<>> kKinds{"group", "hybrid", "log", "uniform", "sign", "weight"};

std::string replaced(std::string text, std::string_view from, std::string_view to) {
    const auto at = text.find(from);
    return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

/// "image_encoder.blocks.0.attn" -> "encoder.block0", "mask_decoder.transformer.layers.0.self_attn" -> "decoder.layer0.self_attn"
std::string graph_name(std::string module) {
    module = replaced(module, "image_encoder.blocks.", "encoder.block");
    module = replaced(module, "mask_decoder.transformer.layers.", "decoder.layer");
    module = replaced(module, "mask_decoder.transformer.", "decoder.");
    module = replaced(module, "cross_attn_", "");
    module = replaced(module, "final_attn_token_to_image", "final_attn");
    for (const auto* group : {".attn", ".mlp"}) {
        if (module.ends_with(group)) module.resize(module.size() - std::string_view(group).size());
        module = replaced(module, std::string(group) + ".", ".");
    }
    return module;
}

/// Name of a layer's weights in a checkpoint.
std::string weight_name(const std::string& layer) { return replaced(layer, "neck.model.", "neck.") + ".weight"; }

double relative_rms(std::span<const float> reference, std::span<const float> actual) {
    double noise = 0, signal = 0;
    for (std::size_t i = 0; i < reference.size(); ++i) {
        noise += std::pow(static_cast<double>(reference[i]) - static_cast<double>(actual[i]), 2);
        signal += std::pow(static_cast<double>(reference[i]), 2);
    }
    return std::sqrt(noise / signal);
}

/// The data of one case.
struct Sources {
    const Json* document = nullptr;
    const File *weights = nullptr, *model = nullptr, *inputs = nullptr;  ///< of the float model
    const File *outputs = nullptr, *intended = nullptr;
};

class ModelTest final {
  public:
    ModelTest(const Sources& sources, Report& report)
        : sources_(sources), report_(report), bits_(sources.document->at("bits").get<int>()), inputs_(*sources.inputs), outputs_(*sources.outputs) {
        models::PartialSamConfig given;
        const auto& config = sources.model->document->at("config");
        if (config.contains("decoder_num_heads")) given.values.emplace_back("decoder_heads", config["decoder_num_heads"].get<std::int64_t>());
        auto opened = models::open_sam(sources.weights->path, given);
        config_ = opened.config, weights_ = std::move(opened.weights);
        graph_ = models::build_sam(config_, {.num_prompt_tokens = 2});
        if (sources.intended) intended_.emplace(*sources.intended);
    }

    void run() {
        check_weights();
        run_float();
        for (const bool grouped : {false, true}) {
            run_quantized(outputs_, grouped, fake::HybridVariant::reference);
            if (intended_) run_quantized(*intended_, grouped, fake::HybridVariant::intended);
        }
        for (const auto variant : {fake::HybridVariant::reference, fake::HybridVariant::intended}) {
            if (variant == fake::HybridVariant::reference || intended_) check_calibration(variant);
        }
        report_.note(fmt::format("{} outputs, {} elements near a tie; {} outputs with flips{}", num_outputs_, num_undecided_, num_flipped_,
                                 num_flipped_ > 0 ? fmt::format(", relative RMS up to {:.1e}, bound {}", worst_flipped_, kFlipped) : ""));
        report_.note(fmt::format("keys' loss {:.3f} of theirs at most", worst_key_));
        outputs_.finish(report_);
        if (intended_) intended_->finish(report_);
    }

  private:
    /// The reference's rounded weights are its parameters' affine codes; a search of our own is as good.
    void check_weights() {
        fake_.weights = weights_;
        for (const auto& [name, kind] : sources_.document->at("quantizer_kinds").items()) {
            if (kind != "weight") continue;
            const auto layer = name.substr(0, name.find(".module.weight_fake_quant"));
            const auto scale = outputs_.floats("q." + name + ".scale"), zero = outputs_.floats("q." + name + ".zero_point");
            const auto view = weights_.tensor(weight_name(layer));
            const auto depth = view.values.size() / scale.size();
            std::vector<float> reference;
            for (std::size_t i = 0; i < view.values.size(); ++i) reference.push_back(affine(scale[i / depth], zero[i / depth])(view.values[i]));
            if (const auto key = "w." + layer + ".module.weight_dequantized"; outputs_.has(key)) report_.compare(name, outputs_.floats(key), reference);
            const auto searched = compat::rounded_weights(view, bits_);
            for (std::size_t n = 0; n < scale.size(); ++n) {
                const auto loss = [&](std::span<const float> rounded) {
                    double sum = 0;
                    for (std::size_t i = n * depth; i < (n + 1) * depth; ++i) sum += std::pow(std::abs(static_cast<double>(rounded[i]) - static_cast<double>(view.values[i])), kLossExponent);
                    return sum;
                };
                const double theirs = loss(reference), mine = loss(searched.values());
                report_.require(mine <= 1.01 * theirs, fmt::format("{} channel {}: loss {} of our search, {} of theirs", name, n, mine, theirs));
            }
            fake_.weights.replace(weight_name(layer), Tensor(view.shape, {reference.begin(), reference.end()}));
        }
    }

    compat::Quantizers quantizers(Tensors& hybrids, bool grouped, fake::HybridVariant variant) {
        compat::Quantizers result;
        for (const auto& [name, kind] : sources_.document->at("quantizer_kinds").items()) {
            if (kind == "weight") continue;
            const auto key = "q." + name + ".";
            const auto value = value_of(name);
            if (kind == "hybrid") {
                result[value] = fake::Hybrid{.bits = bits_, .minimum = hybrids.scalar(key + "fp_min"), .log_scale = hybrids.scalar(key + "scale_log"),
                                             .uniform_scale = hybrids.scalar(key + "scale_uni"), .log_share = hybrids.scalar(key + "grid_rate"), .variant = variant};
            } else if (kind == "log") {
                result[value] = fake::Logarithmic{.bits = bits_, .tau = static_cast<int>(outputs_.integers(key + "tau")[0]), .scale = outputs_.scalar(key + "scale")};
            } else if (kind == "group") {
                result[value] = grouped ? grouped_channels(key) : separate_channels(key);
            } else {
                if (kind == "sign") report_.require(outputs_.integers(key + "was_bimodal")[0] == 0, name + ": two-peaked keys are not in this test");
                result[value] = affine(outputs_.scalar(key + "scale"), outputs_.scalar(key + "zero_point"));
            }
        }
        return result;
    }

    [[nodiscard]] fake::Affine affine(float scale, float zero_point) const { return {.bits = bits_, .scale = scale, .zero_point = zero_point}; }

    compat::ChannelAffine separate_channels(const std::string& key) {
        compat::ChannelAffine channels;
        const auto scales = outputs_.floats(key + "channel_scale"), zeros = outputs_.floats(key + "channel_zero_point");
        for (std::size_t c = 0; c < scales.size(); ++c) channels.push_back(affine(scales[c], zeros[c]));
        return channels;
    }

    compat::ChannelAffine grouped_channels(const std::string& key) {
        compat::ChannelAffine channels;
        const auto scales = outputs_.floats(key + "k4.group_scale"), zeros = outputs_.floats(key + "k4.group_zero_point");
        for (const auto label : outputs_.integers(key + "k4.labels")) channels.push_back(affine(scales[static_cast<std::size_t>(label)], zeros[static_cast<std::size_t>(label)]));
        return channels;
    }

    /// The value a quantizer of the reference stands on.
    std::string value_of(const std::string& name) {
        const auto dot = name.rfind('.');
        const auto module = name.substr(0, dot), what = name.substr(dot + 1);
        if (what != "layer_pre_act_fake_quantize") return fmt::format("{}.{}.out", graph_name(module), what.substr(0, what.find('_')));
        const auto weight = weight_name(module);
        for (const auto& node : graph_.nodes()) {
            const auto* tensor = compat::weight_of(node);
            if (tensor && *tensor == weight) return graph_.value(node.inputs[0]).name;
        }
        throw std::invalid_argument(name + ": no layer reads " + weight);
    }

    /// What a run gave, and how many elements of its quantizers lie so near to a tie that float errors may move them.
    struct Outcome {
        ReferenceExecutor::Values values;
        std::int64_t undecided = 0;
    };

    Outcome run(const models::Weights& weights, const compat::Quantizers& activations, ReferenceExecutor::Values given, std::initializer_list<std::string> wanted) {
        const ReferenceExecutor executor(graph_, weights);
        std::vector<models::ValueId> ids;
        for (const auto& name : wanted) ids.push_back(*graph_.find_value(name));
        Outcome outcome;
        const auto hook = [&](const models::Node*, models::ValueId id, Tensor& tensor) {
            const auto found = activations.find(graph_.value(id).name);
            if (found == activations.end()) return;
            outcome.undecided += num_undecided(found->second, tensor);
            compat::quantize(found->second, tensor.values());
        };
        outcome.values = executor.run(std::move(given), ids, hook);
        return outcome;
    }

    static std::int64_t num_undecided(const compat::Quantizer& quantizer, const Tensor& tensor) {
        float largest = 0;
        for (const float x : tensor.values()) largest = std::max(largest, std::abs(x));
        Tensor below = tensor, above = tensor;
        for (std::size_t i = 0; i < tensor.values().size(); ++i) {
            const auto error = static_cast<float>(kFloatError) * largest;
            below[i] -= error, above[i] += error;
        }
        compat::quantize(quantizer, below.values());
        compat::quantize(quantizer, above.values());
        std::int64_t count = 0;
        for (std::size_t i = 0; i < tensor.values().size(); ++i) count += below[i] != above[i];
        return count;
    }

    [[nodiscard]] Tensor tensor(Tensors& from, const std::string& name, const Shape& shape) {
        const auto values = from.floats(name);
        return {shape, {values.begin(), values.end()}};
    }

    models::Prompt point1() {
        models::Prompt prompt;
        const auto at = inputs_.floats("prompt.point1.point_coords");
        prompt.points.push_back({{at[0], at[1]}, static_cast<int>(inputs_.integers("prompt.point1.point_labels")[0])});
        return prompt;
    }

    Outcome encode(const models::Weights& weights, const compat::Quantizers& activations) {
        const auto id = *graph_.find_value(models::sam_values::kImage);
        ReferenceExecutor::Values given;
        given.emplace(id, tensor(inputs_, "preprocessed", graph_.value(id).shape));
        return run(weights, activations, std::move(given), {std::string(models::sam_values::kImageEmbedding)});
    }

    Outcome decode(const models::Weights& weights, const compat::Quantizers& activations, Tensor embedding) {
        auto given = models::prompt_values(graph_, point1());
        given.emplace(*graph_.find_value(models::sam_values::kImageEmbedding), std::move(embedding));
        return run(weights, activations, std::move(given), {std::string(models::sam_values::kLowResLogits), std::string(models::sam_values::kIou)});
    }

    /// All mask tokens but the first.
    static std::span<const float> multi(const Tensor& all, std::int64_t num_masks) {
        return all.values().subspan(all.values().size() / static_cast<std::size_t>(num_masks));
    }

    void run_float() {
        const auto embedding = encode(weights_, {}).values.begin()->second;
        const auto masks = decode(weights_, {}, embedding).values;
        std::vector<Tensors*> files{&outputs_};
        if (intended_) files.push_back(&*intended_);
        for (auto* file : files) {
            report_.compare("float.image_embedding", file->floats("float.image_embedding"), embedding.values());
            report_.compare("float.point1.low_res_logits", file->floats("float.point1.low_res_logits"), multi(value(masks, models::sam_values::kLowResLogits), config_.num_mask_tokens()));
            report_.compare("float.point1.iou", file->floats("float.point1.iou"), multi(value(masks, models::sam_values::kIou), config_.num_mask_tokens()));
        }
    }

    [[nodiscard]] const Tensor& value(const ReferenceExecutor::Values& values, std::string_view name) const { return values.at(*graph_.find_value(name)); }

    void judge(const std::string& what, std::span<const float> reference, std::span<const float> actual, std::int64_t undecided) {
        const double rms = relative_rms(reference, actual);
        ++num_outputs_, num_undecided_ += undecided;
        if (rms <= kTolerance) return report_.deviation(what, rms);
        ++num_flipped_, worst_flipped_ = std::max(worst_flipped_, rms);
        report_.require(undecided > 0 && rms <= kFlipped, fmt::format("{}: relative RMS {:.2e}, {} elements near a tie", what, rms, undecided));
    }

    void run_quantized(Tensors& outputs, bool grouped, fake::HybridVariant variant) {
        const auto activations = quantizers(outputs, grouped, variant);
        const std::string set = grouped ? "grouped4." : "per_channel.";
        const std::string name = (variant == fake::HybridVariant::intended ? "intended " : "") + set;
        for (std::int64_t block = 0; block < config_.depth; ++block) {
            const auto input = block == 0 ? std::string("encoder.embed.out") : fmt::format("encoder.block{}.add2.out", block - 1);
            const auto id = *graph_.find_value(input);
            ReferenceExecutor::Values given;
            given.emplace(id, tensor(outputs, fmt::format("{}block{}.in", set, block), graph_.value(id).shape));
            const auto outcome = run(fake_.weights, activations, std::move(given), {fmt::format("encoder.block{}.add2.out", block)});
            judge(fmt::format("{}block{}", name, block), outputs.floats(fmt::format("{}block{}.out", set, block)), outcome.values.begin()->second.values(), outcome.undecided);
        }
        const auto encoded = encode(fake_.weights, activations);
        const auto& embedding = encoded.values.begin()->second;
        judge(name + "image_embedding", outputs.floats(set + "image_embedding"), embedding.values(), encoded.undecided);
        const auto stored = tensor(outputs, set + "image_embedding", embedding.shape());
        const auto masks = decode(fake_.weights, activations, stored);
        judge(name + "low_res_logits", outputs.floats(set + "point1.low_res_logits"), multi(value(masks.values, models::sam_values::kLowResLogits), config_.num_mask_tokens()), masks.undecided);
        judge(name + "iou", outputs.floats(set + "point1.iou"), multi(value(masks.values, models::sam_values::kIou), config_.num_mask_tokens()), masks.undecided);
    }

    /// Our own calibration on the same two pictures gives the reference's parameters.
    void check_calibration(fake::HybridVariant variant) {
        Settings settings{.mode = Mode::compat, .weight_bits = bits_, .activation_bits = bits_, .groups = 0, .mlp_hidden_scheme = HiddenScheme::hluq};
        settings.hluq.variant = variant;
        settings.softmax.log_base = LogBase::search;
        compat::Observer observer(graph_, weights_, settings);
        const ReferenceExecutor executor(graph_, weights_);
        std::map<std::string, std::vector<float>> keys;  // of the decoder, whose ranges are searched
        for (const auto& point : observer.points()) {
            if (point.kind == compat::PointKind::key) keys[graph_.value(point.value).name];
        }
        const auto watch = [&](const models::Node*, models::ValueId id, Tensor& tensor) {
            observer.observe(id, tensor);
            const auto found = keys.find(graph_.value(id).name);
            if (found != keys.end()) found->second.insert(found->second.end(), tensor.values().begin(), tensor.values().end());
        };
        const auto see = [&](const std::string& picture, const std::vector<models::Prompt>& prompts) {
            const auto image = *graph_.find_value(models::sam_values::kImage);
            const auto embedding = executor.run_one({{image, tensor(inputs_, picture, graph_.value(image).shape)}}, models::sam_values::kImageEmbedding, watch);
            for (const auto& prompt : prompts) {
                auto given = models::prompt_values(graph_, prompt);
                given.emplace(*graph_.find_value(models::sam_values::kImageEmbedding), embedding);
                (void)executor.run_one(std::move(given), models::sam_values::kLowResLogits, watch);
            }
            observer.end_image();
        };
        std::vector<models::Prompt> boxes;
        const auto corners = inputs_.floats("prompt.batch4_box.boxes");
        for (std::size_t i = 0; i < corners.size(); i += 4) {
            boxes.emplace_back().box = models::Box{corners[i], corners[i + 1], corners[i + 2], corners[i + 3]};
        }
        see("preprocessed", {point1()});
        see("preprocessed_square", boxes);
        auto& outputs = variant == fake::HybridVariant::intended ? *intended_ : outputs_;
        const auto ours = observer.quantizers(), theirs = quantizers(outputs, false, variant);
        for (const auto& [name, reference] : theirs) {
            const auto found = keys.find(name);
            if (found == keys.end()) {
                compare_parameters(name, reference, ours.at(name));
                continue;
            }
            const double their_loss = quantization_loss(std::get<fake::Affine>(reference), found->second), our_loss = quantization_loss(std::get<fake::Affine>(ours.at(name)), found->second);
            worst_key_ = std::max(worst_key_, our_loss / their_loss);
            report_.require(our_loss <= kSearchShare * their_loss, fmt::format("{}: loss {} of our range, {} of theirs", name, our_loss, their_loss));
        }
        report_.require(ours.size() == theirs.size(), fmt::format("{} quantizers of our calibration, {} of theirs", ours.size(), theirs.size()));
    }

    void compare_parameters(const std::string& name, const compat::Quantizer& reference, const compat::Quantizer& actual) {
        report_.require(reference.index() == actual.index(), name + ": another kind of quantizer");
        if (reference.index() != actual.index()) return;
        const auto compare_affine = [&](const fake::Affine& theirs, const fake::Affine& ours) {
            compare_one(report_, name + " scale", theirs.scale, ours.scale);
            report_.require(theirs.zero_point == ours.zero_point, name + " zero point");
        };
        if (const auto* one = std::get_if<fake::Affine>(&reference)) compare_affine(*one, std::get<fake::Affine>(actual));
        if (const auto* channels = std::get_if<compat::ChannelAffine>(&reference)) {
            for (std::size_t c = 0; c < channels->size(); ++c) compare_affine((*channels)[c], std::get<compat::ChannelAffine>(actual).at(c));
        }
        if (const auto* log = std::get_if<fake::Logarithmic>(&reference)) {
            const auto& ours = std::get<fake::Logarithmic>(actual);
            report_.require(log->tau == ours.tau, fmt::format("{}: tau {} of our search, {} of theirs", name, ours.tau, log->tau));
        }
        if (const auto* hybrid = std::get_if<fake::Hybrid>(&reference)) {
            const auto& ours = std::get<fake::Hybrid>(actual);
            report_.require(hybrid->log_share == ours.log_share, fmt::format("{}: {} of the codes logarithmic, {} of theirs", name, ours.log_share, hybrid->log_share));
            compare_one(report_, name + " minimum", hybrid->minimum, ours.minimum);
            compare_one(report_, name + " log scale", hybrid->log_scale, ours.log_scale);
            compare_one(report_, name + " uniform scale", hybrid->uniform_scale, ours.uniform_scale);
        }
    }

    const Sources& sources_;
    Report& report_;
    int bits_;
    Tensors inputs_, outputs_;
    std::optional<Tensors> intended_;
    models::SamConfig config_;
    models::Weights weights_;
    Graph graph_;
    compat::FakeQuantizedModel fake_;  ///< the reference's rounded weights
    std::int64_t num_outputs_ = 0, num_undecided_ = 0, num_flipped_ = 0;
    double worst_flipped_ = 0, worst_key_ = 0;
};

}  // namespace

std::vector<Case> find_quantized_models(Directory& directory) {
    std::vector<Case> cases;
    for (auto* file : directory.unclaimed()) {
        if (file->claimed || !file->document || !has_keys(*file->document, {"model", "bits", "quantizer_kinds"})) continue;
        file->claimed = true;
        Sources sources{.document = &*file->document};
        for (auto* sibling : directory.siblings(*file)) {
            if (!sibling->tensors) continue;
            sibling->claimed = true;
            (sibling->name.ends_with(".intended-hybrid.safetensors") ? sources.intended : sources.outputs) = sibling;
        }
        const auto stem = file->document->at("model").get<std::string>() + ".";
        for (const auto& other : directory.files()) {
            if (!other.path.filename().string().starts_with(stem)) continue;
            if (other.document) sources.model = &other;
            if (other.tensors && other.tensors->contains("preprocessed")) sources.inputs = &other;
            if (other.tensors && other.tensors->contains("image_encoder.pos_embed")) sources.weights = &other;
        }
        const auto& kinds = file->document->at("quantizer_kinds");
        const bool known = std::ranges::all_of(kinds, [](const Json& kind) { return kKinds.contains(kind.get<std::string>()); });
        const auto run = [sources] {
            Report report(kTolerance);
            const bool complete = sources.model && sources.weights && sources.inputs && sources.outputs;
            report.require(complete, "the model it quantizes, its inputs or the outputs are not in this directory");
            if (complete) ModelTest(sources, report).run();
            return report;
        };
        cases.push_back({"quantized-model", without_extension(file->name), known ? std::function<Report()>(run) : nullptr});
    }
    return cases;
}

}  // namespace prelude::golden
