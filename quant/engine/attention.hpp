// SPDX-License-Identifier: Apache-2.0
#pragma once

// Attention of many tokens without its score matrix: blocks of query rows go from scores to their product with the values while they are in the cache.

#include <optional>

#include "quant/operations.hpp"

namespace prelude::quant {

/// The operations of one attention, in order.
struct AttentionForms {
    const Product& scores;
    const RelativePositionOp* relative = nullptr;  ///< none: nothing is added to the scores
    const SoftmaxOp& softmax;
    const Product& values;
};

/// Words of queries, keys and values.
struct AttentionWords {
    const IntTensor& queries;         ///< [B,M,d]
    const IntTensor& keys;            ///< [B,N,d] or [B,d,N], as the form says
    const IntTensor* relative = nullptr;  ///< [B,M,d]: the queries relative positions are multiplied with
    const IntTensor& values;
};

/// The words of the product with the values, or nothing where a product does not fit the byte products of the host.
///
/// Contract  equals the four operations one after the other, bit for bit
[[nodiscard]] std::optional<IntTensor> run_attention(const AttentionForms& forms, const AttentionWords& words);

}  // namespace prelude::quant
