// SPDX-License-Identifier: Apache-2.0
#pragma once

// Graph + FormatPlan + stored float constants: what the floating-point engine and datapath run on (docs/numerics.md section 9).
// Made from settings and a checkpoint alone, in no time: nothing is calibrated, nothing is kept in a file.

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "models/checkpoint/weights.hpp"
#include "models/graph/sam.hpp"
#include "quant/float/arithmetic.hpp"
#include "quant/format_plan.hpp"

namespace prelude::quant {

/// Linear, convolution, transposed convolution: y_o = S(w x) + b_o.
struct FloatContraction {
    std::int64_t num_outputs = 0, depth = 0;  ///< N, K; convolution: K in (c, ky, kx) order; transposed: N in (o, ky, kx) order
    std::vector<float> weights;               ///< [N, K], stored
    std::vector<float> bias;                  ///< binary32, one for `outputs_per_bias` outputs; empty: none
    std::int64_t outputs_per_bias = 1;        ///< transposed convolution: positions of the kernel
    /// The output's sum as it leaves the post unit.
    [[nodiscard]] float finish(float sum, std::int64_t channel) const noexcept { return bias.empty() ? sum : sum + bias[static_cast<std::size_t>(channel)]; }
};

/// Product of two computed operands: y = S(x0 x1) scale.
struct FloatProduct {
    bool transpose_right = false;
    float scale = 1;
};

struct FloatRelativePosition {
    std::vector<float> table_height, table_width;  ///< [2H-1, d], [2W-1, d], stored
};

struct FloatNorm {
    std::vector<float> gamma, beta;  ///< binary32
    float epsilon = 0;
};

struct FloatConstant {
    models::Tensor values;  ///< stored
};

struct FloatPrompt {
    std::int64_t image_size = 0, num_frequencies = 0;
    std::vector<float> gaussian, label_embedding;  ///< binary32
    [[nodiscard]] floating::PromptTables tables() const noexcept { return {image_size, num_frequencies, gaussian, label_embedding}; }
};

/// Operators without constants: softmax, GELU, ReLU, addition, movement, resize.
struct FloatPlain {};

using FloatOperation = std::variant<FloatPlain, FloatContraction, FloatProduct, FloatRelativePosition, FloatNorm, FloatConstant, FloatPrompt>;

struct FloatGraph {
    models::SamConfig config;
    FormatPlan plan;
    std::map<std::string, FloatOperation, std::less<>> operations;  ///< by node name

    [[nodiscard]] const FloatOperation& operation(std::string_view node) const;
    [[nodiscard]] int block() const noexcept { return plan.float_block; }
};

/// Constants of `graph` as `settings` (datatype fp16 or fp32) store them. `graph` has one format (models::SamWorkload).
///
/// Throws    CheckpointError listing every tensor that is missing or has another shape
[[nodiscard]] FloatGraph make_float_graph(const models::SamConfig& config, const models::Graph& graph, const models::Weights& weights, const Settings& settings);

}  // namespace prelude::quant
