// SPDX-License-Identifier: Apache-2.0
#pragma once

// Sampled inputs of contractions, as the rows a weight matrix multiplies: what searches that judge a layer by its output work on.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "models/graph/graph.hpp"
#include "models/tensor.hpp"

namespace prelude::quant {

enum class RowCut {
    rows,      ///< [.., K]
    patches,   ///< [B, C, H, W]: a row is a patch in (c, ky, kx) order, K = C k^2
    matrices,  ///< [B, M, K]: a row is a sample of a matrix's rows, one after the other
};

/// How a value is cut into rows.
struct RowForm {
    RowCut cut = RowCut::rows;
    std::int64_t kernel = 1, stride = 1, padding = 0;  ///< patches
    std::int64_t matrix_rows = 0;                      ///< matrices: rows kept of each; 0: all
    friend bool operator==(const RowForm&, const RowForm&) = default;
};

using RowForms = std::map<std::string, RowForm, std::less<>>;  ///< by value name

/// The values that enter a lin2: the hidden layers of the MLPs.
[[nodiscard]] RowForms hidden_layer_rows(const models::Graph& graph);
/// The values that enter any layer with weights. Of two readers that cut differently the first counts.
[[nodiscard]] RowForms layer_rows(const models::Graph& graph);
/// Probabilities and the values they weigh: a few rows of matrices, and whole matrices, of the same heads and windows.
[[nodiscard]] RowForms attention_rows(const models::Graph& graph);

inline constexpr std::int64_t kMatrices = 16;

[[nodiscard]] std::int64_t row_length(const RowForm& form, const models::Shape& shape) noexcept;

/// Appends `count` rows or kMatrices matrices that are spread over the value (quant/calibration/spread.hpp), or as many as there are, while `rows` stays within `limit` words. Padding is 0.
void sample_rows(const RowForm& form, const models::Tensor& tensor, std::int64_t count, std::size_t limit, std::vector<float>& rows);

}  // namespace prelude::quant
