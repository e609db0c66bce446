// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a quantization does to the masks, without knowing the true ones: nothing that is decided by it has seen a label or an evaluated picture.

#include "experiments/evaluate/accuracy.hpp"

namespace prelude::experiments {

/// Error of a quantized model's mask logits against the FP32 model's.
///
/// Meaning   mean over the prompts of |y - y_fp32|^2 / |y_fp32|^2, y the low-resolution logits of one prompt: the reciprocal of their signal to noise ratio. Every
///           prompt counts the same. Errors of layers that do not know of each other add up in it, which neither mask overlaps nor decibels do
struct LogitError {
    double error = 0;
    double agreement = 0;  ///< mean IoU of the masks with those of the FP32 model
};

/// Contract  `answers` are the FP32 model's to all prompts of the set, in order; the first `num_images` pictures are asked
[[nodiscard]] LogitError logit_error(const quant::QuantizedGraph& quantized, const models::EvaluationSet& set, int num_images, const ReferenceAnswers& answers);

}  // namespace prelude::experiments
