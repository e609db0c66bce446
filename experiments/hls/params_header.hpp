// SPDX-License-Identifier: Apache-2.0
#pragma once

// What an HLS engineer compiles: exported layers as C++ text. Types of every word, loop bounds, the constants of every channel, tables.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "models/graph/graph.hpp"
#include "quant/quantized_graph.hpp"

namespace prelude::experiments {

/// Tile of a layer with products; 0: not known.
struct Tile {
    std::int64_t rows = 0, inputs = 0, outputs = 0;
};
using Tiles = std::map<std::string, Tile, std::less<>>;  ///< by node name

/// prelude_params.h of `part`: namespace prelude_params with one namespace per node, called c_name of it (handoff/selection.hpp).
///
/// Contract
///  - words       typedefs input0_t, input1_t .. output_t (and _fixed_t where the point stands still), weight_t, product_t (A_t), accumulator_t (Acc)
///  - bounds      kBatch, kRows, kInputs, kOutputs; kernel, stride, padding; shapes of inputs and output; kTileRows .. where `tiles` has them
///  - constants   every member of the node's operation (quant/operations.hpp) by its name: rescale.multiplier is kRescaleMultiplier[] of rescale_multiplier_t, the
///                narrowest word that holds the values (of an accumulator study: kNarrowingBits ..). Weights, constant tensors and vectors beyond 2^14 entries are in the data files: type and size stand here
///  - tables      besides the operation's: seeds of the root, the sine of prompts, offsets of patches at the picture's edge
///  - real values of words are comments: value = scale * (word - zero)
/// Compiles as C++14 with the public ap_int.h and ap_fixed.h, as C++17 with prelude_ap_types.h's own.
/// Throws    models::InputError naming a node without integers or a value without a format
[[nodiscard]] std::string params_header(const models::Graph& part, const quant::QuantizedGraph& quantized, const Tiles& tiles,
                                        const std::string& design);

/// A test bench that reads bin/NAME.bin of every input and weight, calls a function per node that is declared and left to write, and writes its words to
/// actual/NAME.bin.
[[nodiscard]] std::string test_bench_skeleton(const models::Graph& part, const quant::QuantizedGraph& quantized);

/// prelude_ap_types.h and prelude_words.h, which the two include.
[[nodiscard]] std::string_view ap_types_header();
[[nodiscard]] std::string_view words_header();

}  // namespace prelude::experiments
