// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the bits do to the masks: the FP32 reference on the evaluated pictures, and beside it the integer engine or the published code's
// fake quantization.

#include <filesystem>
#include <nlohmann/json.hpp>

#include "experiments/evaluate/model.hpp"
#include "models/progress.hpp"
#include "quant/calibration/observer.hpp"
#include "quant/compat/predictor.hpp"
#include "quant/float/float_graph.hpp"
#include "quant/quantized_graph.hpp"

namespace prelude::experiments {

/// The FP32 model's answers to every prompt of a set: what the integer engine's are compared with.
struct ReferenceAnswers {
    std::vector<models::Tensor> logits;  ///< low-resolution logits [4n,4n] per prompt
    std::vector<models::Mask> masks;     ///< at the picture's size
    std::vector<double> iou;             ///< against the truth
};

/// Accuracy of the FP32 model alone, and its answers.
///
/// Meaning   accuracy: what MaskScores and DetectionScores say; warnings: also what the set leaves out
struct Reference {
    ReferenceAnswers answers;
    nlohmann::json accuracy;
};
[[nodiscard]] Reference evaluate_reference(const LoadedModel& model, const models::EvaluationSet& set, const DataSettings& data,
                                           const models::ReportProgress& report = {});

void save_answers(const ReferenceAnswers& answers, const std::filesystem::path& path);
/// Throws CheckpointError for a broken file.
[[nodiscard]] ReferenceAnswers load_answers(const std::filesystem::path& path);

/// Accuracy of a quantized model on a set.
///
/// Meaning   as above, and mask_agreement: mean IoU between its masks and the FP32 model's; sqnr_db: of all low-resolution logits together;
///           layers: SQNR of every contraction's output on the first picture and prompt; saturation_pct: share of words of the operand
///           and residual values of that picture that lie at an end of their format; samples: the answers to the set's samples (samples.hpp)
[[nodiscard]] nlohmann::json quantized_accuracy(const LoadedModel& model, const quant::QuantizedGraph& quantized, const models::EvaluationSet& set,
                                                const ReferenceAnswers& answers, const DataSettings& data, const models::ReportProgress& report = {});

/// The same of a fake-quantized model, without what only integers have: layers, saturation, overflows.
[[nodiscard]] nlohmann::json fake_quantized_accuracy(const LoadedModel& model, const quant::compat::FakeQuantizedModel& fake, const models::EvaluationSet& set,
                                                     const ReferenceAnswers& answers, const DataSettings& data, const models::ReportProgress& report = {});

/// The same of the network in floating point; saturation_pct: share of the first picture's words that are the largest binary16 number (fp16 alone).
[[nodiscard]] nlohmann::json float_accuracy(const quant::FloatGraph& floats, const models::EvaluationSet& set, const ReferenceAnswers& answers,
                                            const DataSettings& data, const models::ReportProgress& report = {});

}  // namespace prelude::experiments
