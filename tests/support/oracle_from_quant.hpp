// SPDX-License-Identifier: Apache-2.0
#pragma once

// quant's operations as the oracle's plain structs: a copy of numbers, field by field, nothing computed.

#include "models/graph/graph.hpp"
#include "models/overloaded.hpp"
#include "quant/operations.hpp"
#include "quant/quantized_graph.hpp"
#include "tests/support/oracle/network.hpp"

namespace prelude::tests {

template <class T>
[[nodiscard]] oracle::Words widen(const std::vector<T>& values) {
    return oracle::Words(values.begin(), values.end());
}
[[nodiscard]] inline oracle::Array to_oracle(const models::IntTensor& words) {
    return {words.shape().extents(), oracle::Words(words.values().begin(), words.values().end())};
}
[[nodiscard]] inline oracle::Output to_oracle(const quant::Rescale& form) {
    return {form.operand_shift, widen(form.multiplier), widen(form.offset), widen(form.shift), widen(form.zero_point), form.lo, form.hi};
}
[[nodiscard]] inline std::vector<oracle::Term> to_oracle(const std::vector<quant::Term>& terms) {
    std::vector<oracle::Term> out;
    for (const auto& term : terms) out.push_back({term.multiplier, term.exponent, term.zero_point});
    return out;
}
[[nodiscard]] inline oracle::Narrowing to_oracle(const quant::Accumulator& accumulator) {
    using Kind = oracle::Narrowing::Kind;
    using Overflow = quant::AccumulatorOverflow;
    const auto kind = accumulator.overflow == Overflow::wrap ? Kind::wrap : accumulator.overflow == Overflow::saturate ? Kind::saturate : Kind::exact;
    return {kind, accumulator.bits, accumulator.chunk};
}
[[nodiscard]] inline oracle::Contraction to_oracle(const quant::Contraction& form) {
    const bool hybrid = form.code.kind == quant::OperandKind::hybrid;
    return {.num_outputs = form.num_outputs,
            .depth = form.depth,
            .weights = widen(form.weights),
            .hybrid = hybrid ? oracle::HybridCode{form.code.log_levels, form.code.shift_cap, form.code.alignment} : oracle::HybridCode{},
            .terms = to_oracle(form.terms),
            .term_of = widen(form.term_of),
            .narrowing = to_oracle(form.accumulator),
            .output = to_oracle(form.rescale)};
}
[[nodiscard]] inline oracle::Patches to_oracle(const quant::PatchEmbedding& form) {
    return {to_oracle(form.contraction), oracle::Words(form.mean_q8.begin(), form.mean_q8.end()), form.patch};
}
[[nodiscard]] inline oracle::Product::Left to_oracle(quant::OperandKind kind) {
    using Left = oracle::Product::Left;
    switch (kind) {
        case quant::OperandKind::logarithmic: return Left::powers;
        case quant::OperandKind::companded: return Left::companded;
        case quant::OperandKind::table: return Left::table;
        case quant::OperandKind::bucket: return Left::bucket;
        case quant::OperandKind::uniform:
        case quant::OperandKind::hybrid: break;
    }
    return Left::plain;
}
[[nodiscard]] inline oracle::Product to_oracle(const quant::Product& form) {
    return {.right_is_rows_of_outputs = form.transpose_right,
            .left = to_oracle(form.code.kind),
            .left_zero = form.left_zero_point,
            .right_zero = form.right_zero_point,
            .tau = form.code.tau,
            .largest_shift = form.code.shift_cap,
            .zero_code = form.code.zero_code,
            .factors = widen(form.code.factors),
            .terms = to_oracle(form.terms),
            .row_scale = form.row_normalised,
            .row_fraction = form.normalised_fraction,
            .narrowing = to_oracle(form.accumulator),
            .output = to_oracle(form.rescale)};
}
[[nodiscard]] inline oracle::RelativePosition to_oracle(const quant::RelativePositionOp& form) {
    return {form.height,
            form.width,
            form.head_dim,
            form.q_zero_point,
            widen(form.table_height),
            widen(form.table_width),
            to_oracle(form.rescale_height),
            to_oracle(form.rescale_width),
            form.score_bits};
}
[[nodiscard]] inline oracle::Softmax to_oracle(const quant::SoftmaxOp& form) {
    return {form.score_fraction,
            form.bits,
            form.tau,
            form.num_levels,
            form.zero_code,
            form.scale == quant::ScaleMode::row,
            form.exp_bits,
            form.exponential == quant::Exponential::table        ? oracle::Exponential::chords
            : form.exponential == quant::Exponential::polynomial ? oracle::Exponential::polynomial
                                                                 : oracle::Exponential::line,
            form.threshold_mantissa,
            widen(form.threshold_exponent)};
}
[[nodiscard]] inline oracle::Root to_oracle(quant::Root form) {
    return form == quant::Root::seeded ? oracle::Root::products : form == quant::Root::newton ? oracle::Root::whole : oracle::Root::ten_steps;
}
[[nodiscard]] inline oracle::LayerNorm to_oracle(const quant::LayerNormOp& form) {
    return {form.epsilon, form.normalised_fraction, to_oracle(form.root), to_oracle(form.rescale)};
}
[[nodiscard]] inline oracle::Table to_oracle(const quant::TableOp& form) {
    return {form.input_bits, form.guard_bits, widen(form.table), form.lo, form.hi};
}
[[nodiscard]] inline oracle::Add to_oracle(const quant::AddOp& form) { return {form.left_shift, form.right_shift, form.output_shift, form.bits}; }
[[nodiscard]] inline oracle::Prompt to_oracle(const quant::PromptOp& form) {
    return {form.image_size, form.num_frequencies, form.frequency, widen(form.label_embedding), form.output_fraction, form.bits};
}

/// One node with its operation; `quantized` may be null for pure movement.
[[nodiscard]] inline oracle::Node to_oracle(const models::Graph& graph, const models::Node& node, const quant::Operation* operation) {
    const auto in_axis = node.inputs.empty() ? 0 : graph.value(node.inputs[0]).channel_axis;
    const auto in_shape = [&] { return graph.value(node.inputs.at(0)).shape; };
    const auto form = [&]<class T>(std::type_identity<T>) -> const T& { return std::get<T>(*operation); };
    auto converted = std::visit(
        models::Overloaded{
            [&](const models::Linear&) -> oracle::Operation { return to_oracle(form(std::type_identity<quant::Contraction>{})); },
            [&](const models::Conv& op) -> oracle::Operation {
                if (const auto* patches = std::get_if<quant::PatchEmbedding>(operation)) {
                    const auto side = in_shape();
                    return oracle::PatchEmbedding{to_oracle(*patches), op.content_height ? op.content_height : side[2],
                                                  op.content_width ? op.content_width : side[3]};
                }
                return oracle::Convolution{to_oracle(form(std::type_identity<quant::Contraction>{})), {op.kernel, op.stride, op.padding}};
            },
            [&](const models::ConvTranspose& op) -> oracle::Operation {
                return oracle::TransposedConvolution{to_oracle(form(std::type_identity<quant::Contraction>{})), op.kernel};
            },
            [&](const models::MatMul&) -> oracle::Operation { return to_oracle(form(std::type_identity<quant::Product>{})); },
            [&](const models::RelativePosition&) -> oracle::Operation { return to_oracle(form(std::type_identity<quant::RelativePositionOp>{})); },
            [&](const models::Softmax&) -> oracle::Operation { return to_oracle(form(std::type_identity<quant::SoftmaxOp>{})); },
            [&](const models::LayerNorm&) -> oracle::Operation {
                return oracle::LayerNormNode{to_oracle(form(std::type_identity<quant::LayerNormOp>{})), in_axis};
            },
            [&](const models::Add&) -> oracle::Operation { return to_oracle(form(std::type_identity<quant::AddOp>{})); },
            [&](const models::PromptEmbedding&) -> oracle::Operation { return to_oracle(form(std::type_identity<quant::PromptOp>{})); },
            [&](const models::Rearrange& op) -> oracle::Operation {
                return oracle::Rearrange{op.view.extents(), op.slice_axis ? static_cast<int>(*op.slice_axis) : -1, op.slice_begin, op.slice_count, op.order};
            },
            [&](const models::WindowPartition& op) -> oracle::Operation {
                return oracle::WindowPartition{op.height, op.width, op.window, widen(form(std::type_identity<quant::MoveOp>{}).padding)};
            },
            [&](const models::WindowUnpartition& op) -> oracle::Operation { return oracle::WindowUnpartition{op.height, op.width, op.window}; },
            [&](const models::Concat& op) -> oracle::Operation { return oracle::Concatenation{op.axis}; },
            [&](const models::Resize& op) -> oracle::Operation {
                const auto& resize = form(std::type_identity<quant::ResizeOp>{});
                return oracle::Resize{resize.guard_bits, resize.bits, op.height, op.width, op.crop_height, op.crop_width};
            },
            [&](const auto&) -> oracle::Operation {  // GELU, ReLU, requantize; parameters and position codes
                if (const auto* table = std::get_if<quant::TableOp>(operation)) return to_oracle(*table);
                if (const auto* constant = std::get_if<quant::ConstantOp>(operation)) return oracle::Constant{to_oracle(constant->values).words};
                return oracle::Requantize{to_oracle(form(std::type_identity<quant::RequantizeOp>{}).rescale), in_axis};
            },
        },
        node.op);
    return {node.name, std::move(converted), {node.inputs.begin(), node.inputs.end()}, node.output, graph.value(node.output).shape.extents()};
}

/// The whole graph, in its order.
[[nodiscard]] inline std::vector<oracle::Node> to_oracle(const models::Graph& graph, const quant::QuantizedGraph& quantized) {
    std::vector<oracle::Node> nodes;
    for (const auto& node : graph.nodes()) {
        const auto found = quantized.operations.find(node.name);
        nodes.push_back(to_oracle(graph, node, found == quantized.operations.end() ? nullptr : &found->second));
    }
    return nodes;
}

}  // namespace prelude::tests
