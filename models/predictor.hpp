// SPDX-License-Identifier: Apache-2.0
#pragma once

// The float model as its users see it: a picture is encoded once, then asked for masks by any number of prompts.
// Limits: one prompt at a time; not for concurrent use (it keeps graphs of the workloads it has met).

#include <memory>
#include <utility>
#include <vector>

#include "models/checkpoint/weights.hpp"
#include "models/data/preprocess.hpp"
#include "models/graph/sam.hpp"
#include "models/reference/executor.hpp"

namespace prelude::models {

/// single: mask token 0, for prompts that leave no doubt; multi: the other masks, for ambiguous ones.
enum class MaskSelection { single, multi };

struct EncodedImage {
    Tensor embedding;  ///< [1,C,n,n]
    Frame frame;
};

struct Prediction {
    Tensor masks;            ///< logits [M, height, width] of the picture as given; a pixel belongs to the mask if > 0
    Tensor low_res_logits;   ///< [M,4n,4n]; one of them may be the mask of a further prompt
    std::vector<float> iou;  ///< the model's own estimate per mask

    [[nodiscard]] std::size_t best() const;  ///< index of the largest estimate
    [[nodiscard]] Mask mask(std::size_t index) const;
};

/// The graph's inputs for a prompt whose positions are in the resized frame. `graph` was built for as many tokens.
[[nodiscard]] ReferenceExecutor::Values prompt_values(const Graph& graph, const Prompt& prompt);

/// The workload of a prompt on a picture.
[[nodiscard]] SamWorkload workload_of(const Prompt& prompt, const Frame& frame, MaskSelection selection, const SamConfig& config);

/// The answers of a walk that computed masks, low-resolution logits and estimates of `workload`.
[[nodiscard]] Prediction prediction_of(const Graph& graph, const SamWorkload& workload, ReferenceExecutor::Values results);

class Predictor final {
  public:
    Predictor(SamConfig config, Weights weights);

    /// Throws  DataError for a picture without area
    [[nodiscard]] EncodedImage encode(const Image& image, const EdgeHook& hook = {});

    /// `prompt` in pixels of the picture as given.
    /// Throws  DataError for a prompt of nothing, an unknown label, or a mask of the wrong shape
    [[nodiscard]] Prediction predict(const EncodedImage& image, const Prompt& prompt, MaskSelection selection = MaskSelection::single,
                                     const EdgeHook& hook = {});

    [[nodiscard]] const SamConfig& config() const noexcept { return config_; }
    [[nodiscard]] const Weights& weights() const noexcept { return weights_; }

    /// The executor of a workload, made when first asked for. Node names and value ids are the same for all workloads with
    /// prompt tokens and equal `mask_prompt`.
    [[nodiscard]] const ReferenceExecutor& executor(const SamWorkload& workload);

  private:
    struct Walk {
        Walk(const SamConfig& config, const SamWorkload& w, const Weights& weights)
            : workload(w), graph(build_sam(config, w)), executor(graph, weights) {}
        SamWorkload workload;
        Graph graph;
        ReferenceExecutor executor;
    };

    SamConfig config_;
    Weights weights_;
    std::vector<std::unique_ptr<Walk>> walks_;  ///< the last ones used, latest first
};

}  // namespace prelude::models
