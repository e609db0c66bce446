// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a quantization does to the masks, without knowing the true ones: nothing that is decided by it has seen a label or an evaluated picture.

#include "experiments/evaluate/accuracy.hpp"

namespace prelude::experiments {

/// Distance of a quantized model's mask logits from reference answers.
///
/// Meaning   mean over the prompts of |y - y_ref|^2 / |y_ref|^2, y the low-resolution logits of one prompt: the reciprocal of their signal to noise ratio. Every
///           prompt counts the same. Errors of layers that do not know of each other add up in it, which neither mask overlaps nor decibels do
struct LogitError {
    double error = 0;
    double agreement = 0;  ///< mean IoU of the masks with the reference's
};

/// Contract  `answers` are to all prompts of the first `num_images` pictures at least, in order
[[nodiscard]] LogitError logit_error(const quant::QuantizedGraph& quantized, const models::EvaluationSet& set, int num_images, const ReferenceAnswers& answers,
                                     const models::ReportProgress& report = {});

/// A quantized model's own answers to the prompts of the first pictures, to be a reference.
[[nodiscard]] ReferenceAnswers answers_of(const quant::QuantizedGraph& quantized, const models::EvaluationSet& set, int num_images, const models::ReportProgress& report = {});

}  // namespace prelude::experiments
