// SPDX-License-Identifier: Apache-2.0
#pragma once

// Contractions of whole layers by matrix products: equal, bit for bit, to quant/arithmetic/dot.hpp over every output.

#include "models/graph/graph.hpp"
#include "quant/integer_gemm.hpp"
#include "quant/operations.hpp"

namespace prelude::quant {

/// Rows of operand codes times the contraction's weights: Acc of every output.
///
/// Shapes    codes [M, K] in channel order; result [M, N]
[[nodiscard]] std::vector<std::int64_t> accumulate_rows(const Contraction& form, std::span<const std::int32_t> codes, std::int64_t num_rows,
                                                        ProductPath path, std::int64_t& overflows);

/// Operand rows of a convolution: [B*H'*W', C*k*k] in (c, ky, kx) order; positions outside the picture hold their channel's zero point.
[[nodiscard]] std::vector<std::int32_t> convolution_rows(const models::Conv& op, const IntTensor& in, const Contraction& form);

/// Words of a product of two computed operands, [B,M,K] x [B,N,K] or [B,K,N].
[[nodiscard]] IntTensor run_product(const Product& form, const IntTensor& left, const IntTensor& right, ProductPath path, std::int64_t& overflows);

}  // namespace prelude::quant
