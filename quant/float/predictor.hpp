// SPDX-License-Identifier: Apache-2.0
#pragma once

// The model in floating point as its users see it: the twin of models::Predictor whose numbers are the datapath's.

#include <memory>
#include <vector>

#include "models/predictor.hpp"
#include "quant/float/engine.hpp"

namespace prelude::quant {

/// One model, any picture, any prompt of points and boxes.
///
/// Contract  the FloatGraph outlives the predictor; not for concurrent use (keeps engines of the workloads met)
class FloatPredictor final {
  public:
    explicit FloatPredictor(const FloatGraph& floats) : floats_(floats) {}

    [[nodiscard]] models::EncodedImage encode(const models::Image& image, const FloatEngine::Hook& hook = {});
    /// `prompt` in pixels of the picture as given.
    /// Throws  DataError for a prompt of nothing or of a mask
    [[nodiscard]] models::Prediction predict(const models::EncodedImage& image, const models::Prompt& prompt,
                                             models::MaskSelection selection = models::MaskSelection::single, const FloatEngine::Hook& hook = {});

  private:
    struct Walk {
        Walk(const FloatGraph& floats, const models::SamWorkload& w) : workload(w), graph(models::build_sam(floats.config, w)), engine(graph, floats) {}
        models::SamWorkload workload;
        models::Graph graph;
        FloatEngine engine;
    };
    const Walk& walk(models::SamWorkload workload);

    const FloatGraph& floats_;
    std::vector<std::unique_ptr<Walk>> walks_;  ///< the last ones used, latest first
};

/// The graph's inputs for a prompt and a picture, as floats: what engine and datapath are given.
[[nodiscard]] FloatEngine::Values float_inputs(const models::Graph& graph, const models::Tensor& image, const models::Prompt& prompt);

}  // namespace prelude::quant
