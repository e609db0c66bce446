// SPDX-License-Identifier: Apache-2.0
#pragma once

// The members of every operation by name, once: saving and loading walk the same list, so neither can forget one.
// An archive offers `scalar(name, value)` for numbers and enumerations, `vector(name, values)` and `tensor(name, tensor)`.

#include "quant/quantized_graph.hpp"

namespace prelude::quant {

template <class Archive>
void fields(Archive& a, auto&& x, const Rescale*) {
    a.scalar("operand_shift", x.operand_shift);
    a.vector("multiplier", x.multiplier);
    a.vector("offset", x.offset);
    a.vector("shift", x.shift);
    a.vector("zero_point", x.zero_point);
    a.scalar("lo", x.lo);
    a.scalar("hi", x.hi);
}

template <class Archive>
void fields(Archive& a, auto&& x, const Accumulator*) {
    a.scalar("overflow", x.overflow);
    a.scalar("bits", x.bits);
    a.scalar("chunk", x.chunk);
}

template <class Archive>
void fields(Archive& a, auto&& x, const OperandCode*) {
    a.scalar("kind", x.kind);
    a.scalar("bits", x.bits);
    a.scalar("tau", x.tau);
    a.scalar("shift_cap", x.shift_cap);
    a.scalar("zero_code", x.zero_code);
    a.scalar("log_levels", x.log_levels);
    a.scalar("alignment", x.alignment);
    a.vector("factors", x.factors);
}

template <class Archive>
void fields(Archive& a, auto&& x, const Contraction*) {
    a.scalar("num_outputs", x.num_outputs);
    a.scalar("depth", x.depth);
    a.vector("weights", x.weights);
    a.scalar("weight_bits", x.weight_bits);
    a.scalar("weight_symmetric", x.weight_symmetric);
    a.object("code", x.code);
    a.terms("terms", x.terms);
    a.vector("term_of", x.term_of);
    a.scalar("product_bits", x.product_bits);
    a.scalar("accumulator_bits", x.accumulator_bits);
    a.object("accumulator", x.accumulator);
    a.object("rescale", x.rescale);
}

template <class Archive>
void fields(Archive& a, auto&& x, const PatchEmbedding*) {
    a.object("contraction", x.contraction);
    a.array("mean_q8", x.mean_q8);
    a.scalar("patch", x.patch);
}

template <class Archive>
void fields(Archive& a, auto&& x, const Product*) {
    a.scalar("transpose_right", x.transpose_right);
    a.scalar("left_bits", x.left_bits);
    a.scalar("right_bits", x.right_bits);
    a.scalar("left_zero_point", x.left_zero_point);
    a.scalar("right_zero_point", x.right_zero_point);
    a.object("code", x.code);
    a.terms("terms", x.terms);
    a.scalar("product_bits", x.product_bits);
    a.scalar("accumulator_bits", x.accumulator_bits);
    a.scalar("row_normalised", x.row_normalised);
    a.scalar("normalised_fraction", x.normalised_fraction);
    a.object("accumulator", x.accumulator);
    a.object("rescale", x.rescale);
}

template <class Archive>
void fields(Archive& a, auto&& x, const RelativePositionOp*) {
    a.scalar("height", x.height);
    a.scalar("width", x.width);
    a.scalar("head_dim", x.head_dim);
    a.scalar("q_zero_point", x.q_zero_point);
    a.scalar("q_bits", x.q_bits);
    a.scalar("table_bits", x.table_bits);
    a.vector("table_height", x.table_height);
    a.vector("table_width", x.table_width);
    a.object("rescale_height", x.rescale_height);
    a.object("rescale_width", x.rescale_width);
    a.scalar("score_bits", x.score_bits);
}

template <class Archive>
void fields(Archive& a, auto&& x, const SoftmaxOp*) {
    a.scalar("score_fraction", x.score_fraction);
    a.scalar("bits", x.bits);
    a.scalar("tau", x.tau);
    a.scalar("num_levels", x.num_levels);
    a.scalar("zero_code", x.zero_code);
    a.scalar("scale", x.scale);
    a.scalar("exp_bits", x.exp_bits);
    a.scalar("exponential", x.exponential);
    a.vector("exp_constants", x.exp_constants);
    a.vector("threshold_mantissa", x.threshold_mantissa);
    a.vector("threshold_exponent", x.threshold_exponent);
}

template <class Archive>
void fields(Archive& a, auto&& x, const LayerNormOp*) {
    a.scalar("channels", x.channels);
    a.scalar("epsilon", x.epsilon);
    a.scalar("normalised_fraction", x.normalised_fraction);
    a.scalar("root", x.root);
    a.object("rescale", x.rescale);
}

template <class Archive>
void fields(Archive& a, auto&& x, const TableOp*) {
    a.scalar("input_bits", x.input_bits);
    a.scalar("guard_bits", x.guard_bits);
    a.vector("table", x.table);
    a.scalar("lo", x.lo);
    a.scalar("hi", x.hi);
}

template <class Archive>
void fields(Archive& a, auto&& x, const AddOp*) {
    a.scalar("left_shift", x.left_shift);
    a.scalar("right_shift", x.right_shift);
    a.scalar("output_shift", x.output_shift);
    a.scalar("bits", x.bits);
}

template <class Archive>
void fields(Archive& a, auto&& x, const RequantizeOp*) {
    a.object("rescale", x.rescale);
}

template <class Archive>
void fields(Archive& a, auto&& x, const ConstantOp*) {
    a.tensor("values", x.values);
}

template <class Archive>
void fields(Archive& a, auto&& x, const PromptOp*) {
    a.scalar("image_size", x.image_size);
    a.scalar("num_frequencies", x.num_frequencies);
    a.vector("frequency", x.frequency);
    a.vector("label_embedding", x.label_embedding);
    a.scalar("output_fraction", x.output_fraction);
    a.scalar("bits", x.bits);
}

template <class Archive>
void fields(Archive& a, auto&& x, const MoveOp*) {
    a.vector("padding", x.padding);
}

template <class Archive>
void fields(Archive& a, auto&& x, const ResizeOp*) {
    a.scalar("guard_bits", x.guard_bits);
    a.scalar("bits", x.bits);
}

}  // namespace prelude::quant
