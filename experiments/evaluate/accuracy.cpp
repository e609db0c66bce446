// SPDX-License-Identifier: Apache-2.0
#include "experiments/evaluate/accuracy.hpp"

#include <cmath>

#include "experiments/evaluate/samples.hpp"
#include "models/checkpoint/safetensors.hpp"
#include "models/metrics.hpp"
#include "quant/arithmetic/rounding.hpp"
#include "quant/predictor.hpp"

namespace prelude::experiments {

namespace {

constexpr std::uint64_t kBootstrapSeed = 1;
constexpr std::int64_t kMaxTracedWords = std::int64_t{1} << 27;  ///< float values of one picture kept for layer SQNR

/// Mean IoU in all, by prompt kind, and its 95 % interval.
nlohmann::json summary(std::span<const double> iou, std::span<const models::PromptKind> kinds) {
    std::vector<double> box, point;
    for (std::size_t i = 0; i < iou.size(); ++i) (kinds[i] == models::PromptKind::box ? box : point).push_back(iou[i]);
    const auto interval = models::bootstrap_mean(iou, kBootstrapSeed);
    nlohmann::json result{{"miou", models::mean(iou)}, {"miou_ci95_low", interval.low}, {"miou_ci95_high", interval.high}, {"num_prompts", iou.size()}};
    if (!box.empty()) result["miou_box"] = models::mean(box);
    if (!point.empty()) result["miou_point"] = models::mean(point);
    return result;
}

/// Float outputs of every contraction for one picture and prompt: what layer SQNR compares with.
class LayerTrace {
  public:
    LayerTrace(models::Predictor& predictor, const models::EvaluationImage& item) : graph_(models::build_sam(predictor.config())) {
        std::int64_t words = 0;
        for (const auto& node : graph_.nodes()) {
            if (is_traced(node)) words += graph_.value(node.output).shape.num_elements();
        }
        if (words > kMaxTracedWords) return;
        const auto hook = [&](const models::Node* node, models::ValueId id, models::Tensor& tensor) {
            if (node && is_traced(*node)) values_.emplace(id, tensor);
        };
        const auto encoded = predictor.encode(item.image, hook);
        (void)predictor.predict(encoded, item.prompts.front().prompt, models::MaskSelection::single, hook);
    }

    /// Compares one value; nothing if it is not traced.
    void compare(const quant::QuantizedGraph& quantized, models::ValueId id, const quant::IntTensor& words) {
        const auto found = values_.find(id);
        if (found == values_.end() || found->second.shape() != words.shape()) return;
        const auto& value = graph_.value(id);
        const auto actual = quantized.dequantize(value.name, words, value.channel_axis);
        const double db = models::sqnr_db(found->second.values(), actual.values());
        if (std::isfinite(db)) sqnr_[graph_.producer(id)->name] = db;
    }

    [[nodiscard]] const nlohmann::json& sqnr() const noexcept { return sqnr_; }

  private:
    /// Contractions and norms; scores live in log2 units and are left out.
    [[nodiscard]] bool is_traced(const models::Node& node) const {
        if (std::holds_alternative<models::LayerNorm>(node.op)) return true;
        if (const auto* product = std::get_if<models::MatMul>(&node.op)) return !product->transpose_right;
        return quant::is_contraction(node.op);
    }

    models::Graph graph_;
    std::map<models::ValueId, models::Tensor> values_;
    nlohmann::json sqnr_ = nlohmann::json::object();
};

/// Words at an end of their format, among operand codes and the residual stream.
struct Saturation {
    std::int64_t ends = 0, words = 0;
    void count(const quant::Format& format, const quant::IntTensor& tensor) {
        const bool code = format.kind == quant::FormatKind::code;
        if (!code && format.kind != quant::FormatKind::fixed) return;
        // The lower end of a code holds the zeros of one-sided data: only the upper end tells of saturation there.
        const auto hi = static_cast<std::int32_t>(code ? (1 << format.bits) - 1 : quant::signed_max(format.bits));
        const auto lo = static_cast<std::int32_t>(code ? -1 : quant::signed_min(format.bits));
        for (auto word : tensor.values()) ends += word == hi || word == lo;
        words += tensor.num_elements();
    }
};

/// A quantized model's answers beside the FP32 model's, prompt after prompt in the order of the set.
class Comparison {
  public:
    explicit Comparison(const ReferenceAnswers& answers) : answers_(answers) {}

    /// `logit(i)`: the i-th low-resolution logit.
    template <class Logit>
    void add(const models::PromptedMask& prompt, const models::Mask& mask, const Logit& logit) {
        const auto number = iou_.size();
        iou_.push_back(models::intersection_over_union(mask, prompt.truth));
        agreement_.push_back(models::intersection_over_union(mask, answers_.masks[number]));
        kinds_.push_back(prompt.kind);
        const auto& reference = answers_.logits[number];
        for (std::size_t i = 0; i < reference.values().size(); ++i) {
            const double expected = reference[i], error = expected - logit(i);
            signal_ += expected * expected;
            noise_ += error * error;
        }
    }
    /// Keeps the answer added last as one that the report shows.
    void keep(const models::Mask& mask) { samples_.push_back(to_json(SampleAnswer{.mask = mask, .iou = iou_.back()})); }

    [[nodiscard]] nlohmann::json result(int num_images) const {
        auto result = summary(iou_, kinds_);
        result["num_images"] = num_images;
        result["miou_fp32"] = models::mean(answers_.iou);
        result["mask_agreement"] = models::mean(agreement_);
        if (noise_ > 0 && signal_ > 0) result["sqnr_db"] = 10 * std::log10(signal_ / noise_);
        result["samples"] = samples_;
        return result;
    }

  private:
    const ReferenceAnswers& answers_;
    std::vector<double> iou_, agreement_;
    std::vector<models::PromptKind> kinds_;
    nlohmann::json samples_ = nlohmann::json::array();
    double signal_ = 0, noise_ = 0;
};

}  // namespace

ReferenceAnswers reference_answers(const LoadedModel& model, const models::EvaluationSet& set) {
    models::Predictor predictor(model.config, *model.weights);
    ReferenceAnswers answers;
    for (int index = 0; index < set.size(); ++index) {
        const auto item = set.image(index);
        const auto encoded = predictor.encode(item.image);
        for (const auto& prompt : item.prompts) {
            auto prediction = predictor.predict(encoded, prompt.prompt);
            answers.masks.push_back(prediction.mask(0));
            answers.iou.push_back(models::intersection_over_union(answers.masks.back(), prompt.truth));
            answers.kinds.push_back(prompt.kind);
            answers.logits.push_back(std::move(prediction.low_res_logits));
        }
    }
    return answers;
}

void save_answers(const ReferenceAnswers& answers, const std::filesystem::path& path) {
    std::vector<models::TensorToWrite> tensors;
    std::vector<std::uint8_t> kinds;
    for (std::size_t i = 0; i < answers.masks.size(); ++i) {
        const auto& mask = answers.masks[i];
        tensors.push_back(models::to_write<std::uint8_t>("mask." + std::to_string(i), models::Shape{mask.height, mask.width}, mask.values));
        tensors.push_back(models::to_write<float>("logits." + std::to_string(i), answers.logits[i].shape(), answers.logits[i].values()));
        kinds.push_back(answers.kinds[i] == models::PromptKind::point);
    }
    tensors.push_back(models::to_write<double>("iou", models::Shape{static_cast<std::int64_t>(answers.iou.size())}, answers.iou));
    tensors.push_back(models::to_write<std::uint8_t>("kind", models::Shape{static_cast<std::int64_t>(kinds.size())}, kinds));
    models::write_safetensors(path, tensors, {{"format", "prelude.answers/1"}});
}

ReferenceAnswers load_answers(const std::filesystem::path& path) {
    const auto file = models::read_safetensors(path);
    ReferenceAnswers answers;
    const auto iou = file.view<double>("iou");
    const auto kinds = file.view<std::uint8_t>("kind");
    if (kinds.size() != iou.size()) throw models::CheckpointError(path.string(), {"'kind' and 'iou' differ in length"});
    answers.iou.assign(iou.begin(), iou.end());
    for (std::size_t i = 0; i < iou.size(); ++i) {
        answers.kinds.push_back(kinds[i] ? models::PromptKind::point : models::PromptKind::box);
        const auto name = std::to_string(i);
        const auto& shape = file.tensor("mask." + name).shape;
        if (shape.rank() != 2) throw models::CheckpointError(path.string(), {"mask." + name + ": not two-dimensional"});
        models::Mask mask(static_cast<int>(shape[1]), static_cast<int>(shape[0]));
        std::ranges::copy(file.view<std::uint8_t>("mask." + name), mask.values.begin());
        answers.masks.push_back(std::move(mask));
        const auto logits = file.view<float>("logits." + name);
        answers.logits.emplace_back(file.tensor("logits." + name).shape, std::vector<float>(logits.begin(), logits.end()));
    }
    return answers;
}

nlohmann::json reference_accuracy(const ReferenceAnswers& answers, int num_images) {
    auto result = summary(answers.iou, answers.kinds);
    result["num_images"] = num_images;
    return result;
}

nlohmann::json quantized_accuracy(const LoadedModel& model, const quant::QuantizedGraph& quantized, const models::EvaluationSet& set,
                                  const ReferenceAnswers& answers) {
    quant::IntegerPredictor predictor(quantized);
    Comparison comparison(answers);
    Saturation saturation;
    nlohmann::json layers = nlohmann::json::object();
    const double step = quantized.meanings.at(std::string(models::sam_values::kLowResLogits)).scale[0];
    for (int index = 0; index < set.size(); ++index) {
        const auto item = set.image(index);
        const auto* sample = sample_prompt(index, item);
        std::optional<LayerTrace> trace;
        quant::WordHook hook;
        if (index == 0 && !item.prompts.empty()) {
            models::Predictor reference(model.config, *model.weights);
            trace.emplace(reference, item);
            hook = [&](const models::Graph& graph, models::ValueId id, quant::IntTensor& words) {
                saturation.count(quantized.plan.format(graph.value(id).name), words);
                trace->compare(quantized, id, words);
            };
        }
        const auto encoded = predictor.encode(item.image, hook);
        for (const auto& prompt : item.prompts) {
            const auto prediction = predictor.predict(encoded, prompt.prompt, models::MaskSelection::single, hook);
            if (trace) layers = trace->sqnr();
            hook = {};
            trace.reset();
            const auto mask = prediction.mask(0);
            comparison.add(prompt, mask, [&](std::size_t i) { return step * prediction.low_res_logits[i]; });
            if (&prompt == sample) comparison.keep(mask);
        }
    }
    auto result = comparison.result(set.size());
    result["overflow_count"] = predictor.num_overflows();
    result["saturation_pct"] = saturation.words ? 100.0 * static_cast<double>(saturation.ends) / static_cast<double>(saturation.words) : 0.0;
    result["layers"] = layers;
    result["warnings"] = quantized.warnings;
    return result;
}

nlohmann::json fake_quantized_accuracy(const LoadedModel& model, const quant::compat::FakeQuantizedModel& fake, const models::EvaluationSet& set,
                                       const ReferenceAnswers& answers) {
    quant::compat::Predictor predictor(model.config, fake);
    Comparison comparison(answers);
    for (int index = 0; index < set.size(); ++index) {
        const auto item = set.image(index);
        const auto* sample = sample_prompt(index, item);
        const auto encoded = predictor.encode(item.image);
        for (const auto& prompt : item.prompts) {
            const auto prediction = predictor.predict(encoded, prompt.prompt);
            const auto mask = prediction.mask(0);
            comparison.add(prompt, mask, [&](std::size_t i) { return static_cast<double>(prediction.low_res_logits[i]); });
            if (&prompt == sample) comparison.keep(mask);
        }
    }
    auto result = comparison.result(set.size());
    result["warnings"] = fake.notes;
    return result;
}

}  // namespace prelude::experiments
