// SPDX-License-Identifier: Apache-2.0
#include "experiments/sensitivity/damage.hpp"

#include <algorithm>

#include "models/metrics.hpp"
#include "quant/predictor.hpp"

namespace prelude::experiments {

LogitError logit_error(const quant::QuantizedGraph& quantized, const models::EvaluationSet& set, int num_images, const ReferenceAnswers& answers) {
    quant::IntegerPredictor predictor(quantized);
    const double step = quantized.meanings.at(std::string(models::sam_values::kLowResLogits)).scale[0];
    std::vector<double> errors, agreements;
    for (int index = 0; index < std::min(num_images, set.size()); ++index) {
        const auto item = set.image(index);
        if (item.prompts.empty()) continue;
        const auto encoded = predictor.encode(item.image);
        for (const auto& prompt : item.prompts) {
            const auto prediction = predictor.predict(encoded, prompt.prompt);
            const auto& reference = answers.logits.at(errors.size());
            double noise = 0, signal = 0;
            for (std::size_t i = 0; i < reference.values().size(); ++i) {
                const double expected = reference[i], difference = step * prediction.low_res_logits[i] - expected;
                noise += difference * difference;
                signal += expected * expected;
            }
            agreements.push_back(models::intersection_over_union(prediction.mask(0), answers.masks.at(errors.size())));
            errors.push_back(signal > 0 ? noise / signal : 0);
        }
    }
    return {.error = models::mean(errors), .agreement = models::mean(agreements)};
}

}  // namespace prelude::experiments
