// SPDX-License-Identifier: Apache-2.0
#pragma once

// The second half of a transformer block, x + lin2(GELU(lin1(norm2(x)))), a softmax with logarithmic codes, and a change of format, in words.
// Arrays are row-major as in the data files. Accumulators leave the kernel only to be compared: a design drops them.

#include "layers.h"

void layer_norm(const norm2::input0_t* in, norm2::output_t* out);
void linear1(const lin1::input0_t* in, const lin1::weight_t* weights, lin1::accumulator_t* accumulators, lin1::output_t* out);
void gelu_table(const gelu::input0_t* in, gelu::output_t* out);
void linear2(const lin2::input0_t* in, const lin2::weight_t* weights, lin2::accumulator_t* accumulators, lin2::output_t* out);
void residual_add(const add2::input0_t* left, const add2::input1_t* right, add2::output_t* out);
void softmax_rows(const softmax::input0_t* in, softmax::output_t* out);
void requantize_words(const requantize::input0_t* in, requantize::output_t* out);
