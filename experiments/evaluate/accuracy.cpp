// SPDX-License-Identifier: Apache-2.0
#include "experiments/evaluate/accuracy.hpp"

#include <cmath>

#include "experiments/evaluate/detection_scores.hpp"
#include "experiments/evaluate/mask_scores.hpp"
#include "experiments/evaluate/samples.hpp"
#include "models/checkpoint/safetensors.hpp"
#include "models/metrics.hpp"
#include "quant/arithmetic/rounding.hpp"
#include "quant/float/predictor.hpp"
#include "quant/predictor.hpp"

namespace prelude::experiments {

namespace {

constexpr std::int64_t kMaxTracedWords = std::int64_t{1} << 27;  ///< float values of one picture kept for layer SQNR

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

/// What was asked of a picture.
struct Asked {
    int index;  ///< of the picture in the set
    const models::EvaluationImage& item;
    const models::PromptedMask& prompt;
};

/// Asks a model everything a set wants to know: its prompts, then the boxes of detections that no prompt has asked for.
///
/// Meaning   encode(index, item) encodes a picture, predict(encoded, item, prompt) answers; take(asked, prediction, mask, iou) is called for
///           every prompt in order. `suffix`: of the columns that warnings speak of
/// Returns   what MaskScores and DetectionScores say
template <class Encode, class Predict, class Take>
nlohmann::json walk(const models::EvaluationSet& set, const DataSettings& data, std::string_view suffix, const models::ReportProgress& report, const Encode& encode,
                    const Predict& predict, const Take& take) {
    MaskScores scores(data.boundary ? MaskScores::Boundaries::measure : MaskScores::Boundaries::skip);
    DetectionScores detections(set, data);
    const auto answer_of = [](const auto& prediction) { return Answer{.mask = prediction.mask(0), .iou = prediction.iou.empty() ? 0.0 : prediction.iou[0]}; };
    for (int index = 0; index < set.size(); ++index) {
        models::report_step(report, static_cast<std::size_t>(index), static_cast<std::size_t>(set.size()));
        const auto item = set.image(index);
        if (item.prompts.empty() && item.detections.empty()) {  // its regions were missed: nothing to encode it for
            detections.add(item, {});
            continue;
        }
        const auto encoded = encode(index, item);
        scores.begin(item);
        for (const auto& prompt : item.prompts) {
            const auto prediction = predict(encoded, item, prompt.prompt);
            const auto answer = answer_of(prediction);
            const double iou = scores.add(prompt, answer.mask);
            detections.remember(item, prompt.prompt, answer);
            take(Asked{index, item, prompt}, prediction, answer.mask, iou);
        }
        detections.add(item, [&](const models::Prompt& prompt) { return answer_of(predict(encoded, item, prompt)); });
    }
    auto result = scores.summary(suffix);
    detections.put_into(result);
    return result;
}

/// A quantized model's answers beside the FP32 model's, prompt after prompt in the order of the set.
class AgainstReference {
  public:
    explicit AgainstReference(const ReferenceAnswers& answers) : answers_(answers) {}

    /// `logit(i)`: the i-th low-resolution logit.
    template <class Logit>
    void add(const Asked& asked, const models::Mask& mask, double iou, const Logit& logit) {
        const auto number = agreement_.size();
        agreement_.push_back(models::intersection_over_union(mask, answers_.masks[number]));
        const auto& reference = answers_.logits[number];
        for (std::size_t i = 0; i < reference.values().size(); ++i) {
            const double expected = reference[i], error = expected - logit(i);
            signal_ += expected * expected;
            noise_ += error * error;
        }
        if (&asked.prompt == sample_prompt(asked.index, asked.item)) samples_.push_back(to_json(SampleAnswer{.mask = mask, .iou = iou}));
    }

    void put_into(nlohmann::json& result) const {
        result["miou_fp32"] = models::mean(answers_.iou);
        result["mask_agreement"] = models::mean(agreement_);
        if (noise_ > 0 && signal_ > 0) result["sqnr_db"] = 10 * std::log10(signal_ / noise_);
        result["samples"] = samples_;
    }

  private:
    const ReferenceAnswers& answers_;
    std::vector<double> agreement_;
    nlohmann::json samples_ = nlohmann::json::array();
    double signal_ = 0, noise_ = 0;
};

void warn(nlohmann::json& result, const std::vector<std::string>& sentences) {
    for (const auto& sentence : sentences) result["warnings"].push_back(sentence);
}

}  // namespace

Reference evaluate_reference(const LoadedModel& model, const models::EvaluationSet& set, const DataSettings& data, const models::ReportProgress& report) {
    models::Predictor predictor(model.config, *model.weights);
    ReferenceAnswers answers;
    auto accuracy = walk(
        set, data, "_fp32", report, [&](int, const models::EvaluationImage& item) { return predictor.encode(item.image); },
        [&](const models::EncodedImage& encoded, const models::EvaluationImage&, const models::Prompt& prompt) { return predictor.predict(encoded, prompt); },
        [&](const Asked&, const models::Prediction& prediction, const models::Mask& mask, double iou) {
            answers.masks.push_back(mask);
            answers.logits.push_back(prediction.low_res_logits);
            answers.iou.push_back(iou);
        });
    warn(accuracy, set.left_out());
    return {std::move(answers), std::move(accuracy)};
}

void save_answers(const ReferenceAnswers& answers, const std::filesystem::path& path) {
    std::vector<models::TensorToWrite> tensors;
    for (std::size_t i = 0; i < answers.masks.size(); ++i) {
        const auto& mask = answers.masks[i];
        tensors.push_back(models::to_write<std::uint8_t>("mask." + std::to_string(i), models::Shape{mask.height, mask.width}, mask.values));
        tensors.push_back(models::to_write<float>("logits." + std::to_string(i), answers.logits[i].shape(), answers.logits[i].values()));
    }
    tensors.push_back(models::to_write<double>("iou", models::Shape{static_cast<std::int64_t>(answers.iou.size())}, answers.iou));
    models::write_safetensors(path, tensors, {{"format", "prelude.answers/1"}});
}

ReferenceAnswers load_answers(const std::filesystem::path& path) {
    const auto file = models::read_safetensors(path);
    ReferenceAnswers answers;
    const auto iou = file.view<double>("iou");
    answers.iou.assign(iou.begin(), iou.end());
    for (std::size_t i = 0; i < iou.size(); ++i) {
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

nlohmann::json quantized_accuracy(const LoadedModel& model, const quant::QuantizedGraph& quantized, const models::EvaluationSet& set,
                                  const ReferenceAnswers& answers, const DataSettings& data, const models::ReportProgress& report) {
    quant::IntegerPredictor predictor(quantized);
    AgainstReference comparison(answers);
    Saturation saturation;
    nlohmann::json layers = nlohmann::json::object();
    const double step = quantized.meanings.at(std::string(models::sam_values::kLowResLogits)).scale[0];
    std::optional<LayerTrace> trace;  ///< of the first picture and prompt, as the hook
    quant::WordHook hook;
    const auto encode = [&](int index, const models::EvaluationImage& item) {
        if (index == 0 && !item.prompts.empty()) {
            models::Predictor reference(model.config, *model.weights);
            trace.emplace(reference, item);
            hook = [&](const models::Graph& graph, models::ValueId id, quant::IntTensor& words) {
                saturation.count(quantized.plan.format(graph.value(id).name), words);
                trace->compare(quantized, id, words);
            };
        }
        return predictor.encode(item.image, hook);
    };
    const auto predict = [&](const quant::IntegerPredictor::Encoded& encoded, const models::EvaluationImage& item, const models::Prompt& prompt) {
        const auto estimate = item.annotated && DetectionScores::needs_estimate(data) ? quant::IouEstimate::compute : quant::IouEstimate::skip;
        return predictor.predict(encoded, prompt, models::MaskSelection::single, hook, estimate);
    };
    const auto take = [&](const Asked& asked, const quant::IntegerPrediction& prediction, const models::Mask& mask, double iou) {
        if (trace) layers = trace->sqnr();
        hook = {};
        trace.reset();
        comparison.add(asked, mask, iou, [&](std::size_t i) { return step * prediction.low_res_logits[i]; });
    };
    auto result = walk(set, data, {}, report, encode, predict, take);
    comparison.put_into(result);
    result["overflow_count"] = predictor.num_overflows();
    result["saturation_pct"] = saturation.words ? 100.0 * static_cast<double>(saturation.ends) / static_cast<double>(saturation.words) : 0.0;
    result["layers"] = layers;
    warn(result, quantized.warnings);
    return result;
}

nlohmann::json fake_quantized_accuracy(const LoadedModel& model, const quant::compat::FakeQuantizedModel& fake, const models::EvaluationSet& set,
                                       const ReferenceAnswers& answers, const DataSettings& data, const models::ReportProgress& report) {
    quant::compat::Predictor predictor(model.config, fake);
    AgainstReference comparison(answers);
    auto result = walk(
        set, data, {}, report, [&](int, const models::EvaluationImage& item) { return predictor.encode(item.image); },
        [&](const models::EncodedImage& encoded, const models::EvaluationImage&, const models::Prompt& prompt) { return predictor.predict(encoded, prompt); },
        [&](const Asked& asked, const models::Prediction& prediction, const models::Mask& mask, double iou) {
            comparison.add(asked, mask, iou, [&](std::size_t i) { return static_cast<double>(prediction.low_res_logits[i]); });
        });
    comparison.put_into(result);
    warn(result, fake.notes);
    return result;
}

nlohmann::json float_accuracy(const quant::FloatGraph& floats, const models::EvaluationSet& set, const ReferenceAnswers& answers, const DataSettings& data,
                              const models::ReportProgress& report) {
    quant::FloatPredictor predictor(floats);
    AgainstReference comparison(answers);
    Saturation saturation;
    quant::FloatEngine::Hook hook;
    const auto encode = [&](int index, const models::EvaluationImage& item) {
        if (index == 0 && floats.plan.float_bits == 16) {
            hook = [&](const models::Graph&, models::ValueId, const models::Tensor& values) {
                for (const auto value : values.values()) saturation.ends += std::fabs(value) == quant::floating::kLargestHalf;
                saturation.words += values.num_elements();
            };
        }
        return predictor.encode(item.image, hook);
    };
    const auto take = [&](const Asked& asked, const models::Prediction& prediction, const models::Mask& mask, double iou) {
        hook = {};
        comparison.add(asked, mask, iou, [&](std::size_t i) { return static_cast<double>(prediction.low_res_logits[i]); });
    };
    auto result = walk(
        set, data, {}, report, encode,
        [&](const models::EncodedImage& encoded, const models::EvaluationImage&, const models::Prompt& prompt) {
            return predictor.predict(encoded, prompt, models::MaskSelection::single, hook);
        },
        take);
    comparison.put_into(result);
    if (saturation.words) result["saturation_pct"] = 100.0 * static_cast<double>(saturation.ends) / static_cast<double>(saturation.words);
    result["layers"] = nlohmann::json::object();
    return result;
}

}  // namespace prelude::experiments
