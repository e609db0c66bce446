// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration/rows.hpp"

#include <algorithm>

#include "models/overloaded.hpp"

namespace prelude::quant {

namespace {

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
                       [&](const models::Conv& op) { add({.is_image = true, .kernel = op.kernel, .stride = op.stride, .padding = op.padding}); },
                       [&](const models::ConvTranspose&) { add({.is_image = true}); },
                       [](const auto&) {}},
                   node.op);
    }
    return forms;
}

std::int64_t row_length(const RowForm& form, const models::Shape& shape) noexcept {
    return form.is_image ? shape[1] * form.kernel * form.kernel : shape.back();
}

void sample_rows(const RowForm& form, const models::Tensor& tensor, std::int64_t count, std::size_t limit, std::vector<float>& rows) {
    const auto& shape = tensor.shape();
    const auto out = [&](std::int64_t side) { return (side + 2 * form.padding - form.kernel) / form.stride + 1; };
    const auto height = form.is_image ? out(shape[2]) : 1, width = form.is_image ? out(shape[3]) : 1;
    const auto total = form.is_image ? shape[0] * height * width : shape.num_rows();
    const auto length = static_cast<std::size_t>(row_length(form, shape));
    const auto step = std::max<std::int64_t>(1, total / count);
    for (auto row = step / 2; row < total && rows.size() + length <= limit; row += step) {
        if (form.is_image) {
            append_patch(form, tensor, row / (height * width), row / width % height, row % width, rows);
        } else {
            const auto words = tensor.row(row);
            rows.insert(rows.end(), words.begin(), words.end());
        }
    }
}

}  // namespace prelude::quant
