// SPDX-License-Identifier: Apache-2.0
#include "experiments/sensitivity/damage.hpp"

#include <algorithm>

#include "models/metrics.hpp"
#include "quant/predictor.hpp"

namespace prelude::experiments {

namespace {

/// Calls take(prompt, logits, mask) for every prompt of the first pictures, in order.
template <class Take>
void answer(const quant::QuantizedGraph& quantized, const models::EvaluationSet& set, int num_images, const models::ReportProgress& report, const Take& take) {
    quant::IntegerPredictor predictor(quantized);
    const auto step = static_cast<float>(quantized.meanings.at(std::string(models::sam_values::kLowResLogits)).scale[0]);
    const int count = std::min(num_images, set.size());
    for (int index = 0; index < count; ++index) {
        models::report_step(report, static_cast<std::size_t>(index), static_cast<std::size_t>(count));
        const auto item = set.image(index);
        if (item.prompts.empty()) continue;
        const auto encoded = predictor.encode(item.image);
        for (const auto& prompt : item.prompts) {
            const auto prediction = predictor.predict(encoded, prompt.prompt);
            models::Tensor logits(prediction.low_res_logits.shape());  // the scale is a power of two: exact
            for (std::size_t i = 0; i < logits.values().size(); ++i) logits[i] = step * static_cast<float>(prediction.low_res_logits[i]);
            take(prompt, std::move(logits), prediction.mask(0));
        }
    }
}

}  // namespace

LogitError logit_error(const quant::QuantizedGraph& quantized, const models::EvaluationSet& set, int num_images, const ReferenceAnswers& answers,
                                     const models::ReportProgress& report) {
    std::vector<double> errors, agreements;
    answer(quantized, set, num_images, report, [&](const models::PromptedMask&, const models::Tensor& logits, const models::Mask& mask) {
        const auto number = errors.size();
        const auto& reference = answers.logits.at(number);
        double noise = 0, signal = 0;
        for (std::size_t i = 0; i < reference.values().size(); ++i) {
            const double expected = reference[i], difference = logits[i] - expected;
            noise += difference * difference;
            signal += expected * expected;
        }
        errors.push_back(signal > 0 ? noise / signal : 0);
        agreements.push_back(models::intersection_over_union(mask, answers.masks.at(number)));
    });
    return {.error = models::mean(errors), .agreement = models::mean(agreements)};
}

ReferenceAnswers answers_of(const quant::QuantizedGraph& quantized, const models::EvaluationSet& set, int num_images, const models::ReportProgress& report) {
    ReferenceAnswers answers;
    answer(quantized, set, num_images, report, [&](const models::PromptedMask& prompt, models::Tensor logits, models::Mask mask) {
        answers.iou.push_back(models::intersection_over_union(prompt.truth, mask));
        answers.logits.push_back(std::move(logits));
        answers.masks.push_back(std::move(mask));
    });
    return answers;
}

}  // namespace prelude::experiments
