// SPDX-License-Identifier: Apache-2.0
#pragma once

// The FP32 arithmetic of every operator of the graph, one function each: the truth that accuracy is measured against.
// Limits: one thread; weights are the float tensors of a checkpoint, row-major.
//
// Contract
//  - the same inputs give the same bits, on every machine and wherever the tensors lie in memory: block sizes of the matrix
//    products are fixed, transcendental functions are polynomials in fixed-width vectors (not libm), sums have a fixed order.
//  - functions that take `Tensor&` work in place; no function keeps a reference.
//  - shapes have been checked against the graph (see ReferenceExecutor); a mismatch here is a programming error.

#include <span>

#include "models/graph/graph.hpp"
#include "models/tensor.hpp"

namespace prelude::models::reference {

using Floats = std::span<const float>;

/// Shapes  x [..., K], weight [N,K], bias [N] or empty -> [..., N]
[[nodiscard]] Tensor linear(const Linear& op, const Tensor& x, Floats weight, Floats bias);

/// Shapes  left [B,M,K], right [B,K,N] (or [B,N,K]: op.transpose_right) -> [B,M,N]
[[nodiscard]] Tensor matmul(const MatMul& op, const Tensor& left, const Tensor& right);

/// Shapes  x [B,C,H,W], weight [O,C,k,k], bias [O] or empty -> [B,O,H',W']
[[nodiscard]] Tensor conv(const Conv& op, const Tensor& x, Floats weight, Floats bias);

/// Shapes  x [B,C,H,W], weight [C,O,k,k], bias [O] or empty -> [B,O,kH,kW]
[[nodiscard]] Tensor conv_transpose(const ConvTranspose& op, const Tensor& x, Floats weight, Floats bias);

/// Meaning  (x - mean) / sqrt(mean((x - mean)^2) + eps) * gamma + beta over `channel_axis` (the last, or 1 of an image)
void layer_norm(const LayerNorm& op, Tensor& x, Floats gamma, Floats beta, std::size_t channel_axis);

/// Meaning  exp(x - max) / sum over the last axis
void softmax(Tensor& x);

/// Meaning  x/2 * (1 + erf(x / sqrt(2)));  erf to about 2^-22 absolute, which is what float leaves of 1 + erf
void gelu(Tensor& x);

void relu(Tensor& x);

/// x += y; y has the rank of x and extents equal or 1.
void add(Tensor& x, const Tensor& y);

/// Shapes  scores [B,HW,HW], q [B,HW,d], tables [2H-1,d] and [2W-1,d]
void relative_position(const RelativePosition& op, Tensor& scores, const Tensor& q, Floats table_height, Floats table_width);

[[nodiscard]] Tensor window_partition(const WindowPartition& op, const Tensor& x);


[[nodiscard]] Tensor concat(const Concat& op, std::span<const Tensor* const> parts);

/// Shapes  gaussian [2,F] -> [1,2F,H,W]
[[nodiscard]] Tensor dense_position_code(const DensePositionCode& op, Floats gaussian);

/// Embeddings of the prompt labels, each [2F].
struct PromptTables {
    Floats gaussian;                 ///< [2,F]
    Floats not_a_point;              ///< label -1
    std::span<const Floats> labels;  ///< labels 0, 1, ...
};

/// Shapes   coordinates [N,2], labels [N] -> [1,N,2F]
/// Throws   DataError for a label that is not an integer from -1 to the number of tables - 1
[[nodiscard]] Tensor prompt_embedding(const PromptEmbedding& op, const Tensor& coordinates, const Tensor& labels,
                                      const PromptTables& tables);

/// Differs  source positions are computed in float, as the official implementation's framework does
[[nodiscard]] Tensor resize(const Resize& op, const Tensor& x);

}  // namespace prelude::models::reference
