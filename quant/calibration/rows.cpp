// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/rows.hpp"

#include <algorithm>

#include "models/overloaded.hpp"
#include "quant/calibration/spread.hpp"

namespace prelude::quant {

namespace {

constexpr std::int64_t kProbabilityRows = 16;

std::int64_t kept_rows(const RowForm& form, const models::Shape& shape) noexcept {
    return form.matrix_rows > 0 ? std::min(form.matrix_rows, shape[1]) : shape[1];
}

void append_matrices(const RowForm& form, const models::Tensor& tensor, std::size_t limit, std::vector<float>& rows) {
    const auto& shape = tensor.shape();
    const auto kept = kept_rows(form, shape);
    const auto length = static_cast<std::size_t>(kept * shape[2]);
    Spread matrices(static_cast<std::size_t>(shape[0]), rows.size() / length);
    for (auto left = std::min(kMatrices, shape[0]); left > 0 && rows.size() + length <= limit; --left) {
        const auto matrix = static_cast<std::int64_t>(matrices.next());
        Spread some(static_cast<std::size_t>(shape[1]), rows.size() / static_cast<std::size_t>(shape[2]));
        for (std::int64_t r = 0; r < kept; ++r) {
            const auto row = kept == shape[1] ? r : static_cast<std::int64_t>(some.next());
            const auto words = tensor.row(matrix * shape[1] + row);
            rows.insert(rows.end(), words.begin(), words.end());
        }
    }
}

void append_patch(const RowForm& form, const models::Tensor& image, std::int64_t batch, std::int64_t y, std::int64_t x, std::vector<float>& rows) {
    const auto &shape = image.shape();
    const auto channels = shape[1], height = shape[2], width = shape[3];
    for (std::int64_t c = 0; c < channels; ++c) {
        for (std::int64_t dy = 0; dy < form.kernel; ++dy) {
            for (std::int64_t dx = 0; dx < form.kernel; ++dx) {
                const auto from_y = y * form.stride + dy - form.padding, from_x = x * form.stride + dx - form.padding;
                const bool inside = from_y >= 0 && from_y < height && from_x >= 0 && from_x < width;
                rows.push_back(inside ? image[static_cast<std::size_t>(((batch * channels + c) * height + from_y) * width + from_x)] : 0.0F);
            }
        }
    }
}

}  // namespace

RowForms hidden_layer_rows(const models::Graph& graph) {
    RowForms forms;
    for (const auto& node : graph.nodes()) {
        if (std::holds_alternative<models::Linear>(node.op) && node.name.ends_with(".lin2")) forms.emplace(graph.value(node.inputs[0]).name, RowForm{});
    }
    return forms;
}

RowForms layer_rows(const models::Graph& graph) {
    RowForms forms;
    for (const auto& node : graph.nodes()) {
        const auto add = [&](RowForm form) { forms.emplace(graph.value(node.inputs[0]).name, form); };
        std::visit(models::Overloaded{
                       [&](const models::Linear&) { add({}); },
                       [&](const models::Conv& op) { add({.cut = RowCut::patches, .kernel = op.kernel, .stride = op.stride, .padding = op.padding}); },
                       [&](const models::ConvTranspose&) { add({.cut = RowCut::patches}); },
                       [](const auto&) {}},
                   node.op);
    }
    return forms;
}

RowForms attention_rows(const models::Graph& graph) {
    RowForms forms;
    for (const auto& node : graph.nodes()) {
        if (!std::holds_alternative<models::MatMul>(node.op)) continue;
        const auto* producer = graph.producer(node.inputs[0]);
        if (!producer || !std::holds_alternative<models::Softmax>(producer->op)) continue;
        forms.emplace(graph.value(node.inputs[0]).name, RowForm{.cut = RowCut::matrices, .matrix_rows = kProbabilityRows});
        forms.emplace(graph.value(node.inputs[1]).name, RowForm{.cut = RowCut::matrices});
    }
    return forms;
}

std::int64_t row_length(const RowForm& form, const models::Shape& shape) noexcept {
    switch (form.cut) {
        case RowCut::patches: return shape[1] * form.kernel * form.kernel;
        case RowCut::matrices: return kept_rows(form, shape) * shape[2];
        case RowCut::rows: return shape.back();
    }
    return 0;
}

void sample_rows(const RowForm& form, const models::Tensor& tensor, std::int64_t count, std::size_t limit, std::vector<float>& rows) {
    if (form.cut == RowCut::matrices) return append_matrices(form, tensor, limit, rows);
    const bool is_image = form.cut == RowCut::patches;
    const auto& shape = tensor.shape();
    const auto out = [&](std::int64_t side) { return (side + 2 * form.padding - form.kernel) / form.stride + 1; };
    const auto height = is_image ? out(shape[2]) : 1, width = is_image ? out(shape[3]) : 1;
    const auto total = is_image ? shape[0] * height * width : shape.num_rows();
    const auto length = static_cast<std::size_t>(row_length(form, shape));
    Spread spread(static_cast<std::size_t>(total), rows.size() / length);
    for (auto left = std::min(total, count); left > 0 && rows.size() + length <= limit; --left) {
        const auto row = static_cast<std::int64_t>(spread.next());
        if (is_image) {
            append_patch(form, tensor, row / (height * width), row / width % height, row % width, rows);
        } else {
            const auto words = tensor.row(row);
            rows.insert(rows.end(), words.begin(), words.end());
        }
    }
}

}  // namespace prelude::quant
