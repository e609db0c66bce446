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

/// How a value is cut into rows of depth K.
struct RowForm {
    bool is_image = false;  ///< [B, C, H, W]: a row is a patch in (c, ky, kx) order, K = C k^2; else [.., K]
    std::int64_t kernel = 1, stride = 1, padding = 0;
    friend bool operator==(const RowForm&, const RowForm&) = default;
};

using RowForms = std::map<std::string, RowForm, std::less<>>;  ///< by value name

/// The values that enter a lin2: the hidden layers of the MLPs.
[[nodiscard]] RowForms hidden_layer_rows(const models::Graph& graph);
/// The values that enter any layer with weights. Of two readers that cut differently the first counts.
[[nodiscard]] RowForms layer_rows(const models::Graph& graph);

[[nodiscard]] std::int64_t row_length(const RowForm& form, const models::Shape& shape) noexcept;

/// Appends about `count` evenly spaced rows, while `rows` stays within `limit` words. Padding is 0.
void sample_rows(const RowForm& form, const models::Tensor& tensor, std::int64_t count, std::size_t limit, std::vector<float>& rows);

}  // namespace prelude::quant
