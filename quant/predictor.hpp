// SPDX-License-Identifier: Apache-2.0
#pragma once

// The quantized model as its users see it: the integer twin of models::Predictor. Words in, words out.

#include <memory>
#include <vector>

#include "models/predictor.hpp"
#include "quant/engine/engine.hpp"

namespace prelude::quant {

/// Graph inputs of a picture: its pixels after the longest-side resize, 0 outside, as [1,3,S,S] words.
struct PixelWords {
    IntTensor pixels;
    models::Frame frame;
};
[[nodiscard]] PixelWords pixel_words(const models::Image& image, int model_size);

/// Graph inputs of a prompt whose positions are in the resized frame.
[[nodiscard]] Words prompt_words(const models::Graph& graph, const models::Prompt& prompt);

/// Whether the model's own estimate of a mask's quality is computed: a head of small layers beside the masks.
enum class IouEstimate { skip, compute };

struct IntegerPrediction {
    IntTensor masks;           ///< logit words [M, height, width] of the picture as given; a pixel belongs to the mask if > 0
    IntTensor low_res_logits;  ///< words [M, 4n, 4n]
    std::vector<float> iou;    ///< the estimate per mask, as the real numbers its words stand for; empty if it was skipped
    [[nodiscard]] models::Mask mask(std::size_t index) const;
};

/// One quantized model, any picture, any prompt of points and boxes.
///
/// Contract  the QuantizedGraph outlives the predictor; not for concurrent use (keeps engines of the workloads met)
class IntegerPredictor final {
  public:
    explicit IntegerPredictor(const QuantizedGraph& quantized, ProductPath path = ProductPath::automatic);

    struct Encoded {
        IntTensor embedding;
        models::Frame frame;
    };
    [[nodiscard]] Encoded encode(const models::Image& image, const WordHook& hook = {});
    /// `prompt` in pixels of the picture as given.
    [[nodiscard]] IntegerPrediction predict(const Encoded& image, const models::Prompt& prompt,
                                            models::MaskSelection selection = models::MaskSelection::single, const WordHook& hook = {},
                                            IouEstimate estimate = IouEstimate::skip);
    [[nodiscard]] std::int64_t num_overflows() const noexcept;

  private:
    struct Walk {
        Walk(const QuantizedGraph& quantized, const models::SamWorkload& w, ProductPath path)
            : workload(w), graph(models::build_sam(quantized.config, w)), engine(graph, quantized, path) {}
        models::SamWorkload workload;
        models::Graph graph;
        Engine engine;
    };
    const Walk& walk(const models::SamWorkload& workload);

    const QuantizedGraph& quantized_;
    ProductPath path_;
    std::vector<std::unique_ptr<Walk>> walks_;
    std::int64_t retired_overflows_ = 0;
};

}  // namespace prelude::quant
