// SPDX-License-Identifier: Apache-2.0
#pragma once

// A model as the published code quantizes it, and the walk that shows what its masks become: the FP32 reference with every quantized value
// replaced as it is made, and with weights that were rounded and taken back to real numbers. Float32; never on the datapath.

#include <map>
#include <string>
#include <vector>

#include "models/predictor.hpp"
#include "quant/compat/quantizer.hpp"

namespace prelude::quant::compat {

using Quantizers = std::map<std::string, Quantizer, std::less<>>;  ///< by the name of the value

struct FakeQuantizedModel {
    models::Weights weights;
    Quantizers activations;
    std::vector<std::string> notes;  ///< what was done to the model beside rounding, one sentence each
};

/// Replaces each value that has a quantizer by what its codes stand for. Refers to both arguments.
/// Contract  without quantizers the walk gives the FP32 reference's bits
[[nodiscard]] models::EdgeHook quantizing_hook(const models::Graph& graph, const Quantizers& activations);

/// The twin of models::Predictor. Contract  the model outlives the predictor; not for concurrent use
class Predictor final {
  public:
    Predictor(models::SamConfig config, const FakeQuantizedModel& model) : predictor_(std::move(config), model.weights), model_(model) {}
    Predictor(models::SamConfig, FakeQuantizedModel&&) = delete;

    [[nodiscard]] models::EncodedImage encode(const models::Image& image);
    /// `prompt` in pixels of the picture as given. Throws as models::Predictor
    [[nodiscard]] models::Prediction predict(const models::EncodedImage& image, const models::Prompt& prompt,
                                             models::MaskSelection selection = models::MaskSelection::single);

  private:
    models::Predictor predictor_;
    const FakeQuantizedModel& model_;
};

}  // namespace prelude::quant::compat
