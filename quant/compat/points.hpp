// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where the published code quantizes. The residual stream, norms, softmax and GELU themselves, patch embedding, relative-position tables,
// prompt encoder, mask upscaling, hypernetworks and IoU head stay float.
// Source    PTQ4SAM, AHCPTQ, AHCQ-SAM (public code): all three quantize the same places

#include <string>
#include <vector>

#include "models/graph/graph.hpp"

namespace prelude::quant::compat {

enum class PointKind {
    group,        ///< input of qkv, lin1 and the decoder's q, k and v projections: per channel, in groups of channels, or per tensor
    hidden,       ///< input of lin2: hybrid log-uniform or uniform
    probability,  ///< softmax output: uniform, logarithmic or companded
    key,          ///< k of the decoder's attentions: uniform, over a searched range
    uniform,      ///< input of the output projections and the neck's convolutions; q, v and the encoder's k as they enter their products
};

/// A value that is quantized before `reader` multiplies it.
struct Point {
    models::ValueId value = -1;
    PointKind kind = PointKind::uniform;
    models::NodeId reader = -1;
};

/// Every quantized value, in topological order of the readers.
///
/// Contract  a value is listed once, and whatever reads it reads it quantized: the encoder's q enters the scores and the relative-position
///           term alike, before its scale d^-1/2; the decoder's residual stream is quantized behind the copies that enter each projection
[[nodiscard]] std::vector<Point> quantized_points(const models::Graph& graph);

/// Name of the weights a reader multiplies by, which are then quantized too; null for a product of two values.
[[nodiscard]] const std::string* weight_of(const models::Node& reader) noexcept;

}  // namespace prelude::quant::compat
