// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which exported layers the kernel implements: another block, or another model, is another list of names here.

#include "prelude_params.h"

namespace norm2 = prelude_params::encoder_block0_norm2;
namespace lin1 = prelude_params::encoder_block0_lin1;
namespace gelu = prelude_params::encoder_block0_gelu;
namespace lin2 = prelude_params::encoder_block0_lin2;
namespace add2 = prelude_params::encoder_block0_add2;
namespace softmax = prelude_params::encoder_block0_softmax;
namespace requantize = prelude_params::decoder_layer0_lin1_in;

// The same names as the data files have them, and the values that come from layers outside.
namespace files {
const char* const kNorm2 = "encoder.block0.norm2";
const char* const kLin1 = "encoder.block0.lin1";
const char* const kGelu = "encoder.block0.gelu";
const char* const kLin2 = "encoder.block0.lin2";
const char* const kAdd2 = "encoder.block0.add2";
const char* const kSoftmax = "encoder.block0.softmax";
const char* const kRequantizeOut = "decoder.layer0.lin1.in";
const char* const kResidual = "encoder.block0.add1.out";
const char* const kScores = "encoder.block0.rel_pos.out";
const char* const kRequantizeIn = "decoder.layer0.norm2.out";
}  // namespace files

// What the kernel is written for; a design of other forms needs other code.
static_assert(norm2::kRoot == 0 && norm2::kChannelStride == 1, "the norm has a table for its root and reads tokens");
static_assert(lin1::kCodeKind == 0, "lin1 reads uniform codes");
static_assert(gelu::kGuardBits == 0, "GELU is one table");
static_assert(lin2::kCodeKind == 2 && lin2::kCodeAlignment < 0, "lin2 reads hybrid codes in two sums");
static_assert(softmax::kTau > 0 && softmax::kScale != 0 && softmax::kExponential == 0, "softmax has logarithmic codes of a share of the row's sum");
static_assert(lin1::kNarrowingOverflow == 0 && lin2::kNarrowingOverflow == 0, "accumulators are exact");
