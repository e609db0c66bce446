// SPDX-License-Identifier: Apache-2.0
#pragma once

// From a picture and a user's prompt to the inputs of the graph, exactly as the official code does it: longest side resized to
// the model's picture size, normalised, padded with zeros; prompt positions moved along with the picture.

#include <optional>
#include <vector>

#include "models/data/image.hpp"
#include "models/tensor.hpp"

namespace prelude::models {

/// Sides of a picture as given, and after the longest side was made `model_size`.
struct Frame {
    int original_width = 0, original_height = 0;
    int input_width = 0, input_height = 0;
    int model_size = 0;

    friend bool operator==(const Frame&, const Frame&) = default;
};

/// Meaning  side -> floor(side * model_size / longest + 0.5)
/// Throws   DataError if a side would become 0 (a picture more than 2 * model_size times as long as wide), or is not positive
[[nodiscard]] Frame frame_of(int width, int height, int model_size);

/// Resizes with Pillow's 8-bit bilinear filter (a triangle as wide as the reduction: antialiasing), bit by bit.
///
/// Integer  first along rows, then along columns, each rounded to 8 bits: clamp((2^21 + sum_k c_k * pixel_k) >> 22), with the
///          filter's weights normalised in double and rounded to 22 fraction bits, halves away from zero
/// Source   Pillow, `Image.resize(size, BILINEAR)`; checked against Pillow 9.4 (tests/data/resize)
/// Limits   sides positive
[[nodiscard]] Image resize_bilinear(const Image& image, int width, int height);

struct PreprocessedImage {
    Tensor image;  ///< [1,3,S,S]: (value - mean) / deviation, zeros to the right and below
    Frame frame;
};
[[nodiscard]] PreprocessedImage preprocess(const Image& image, int model_size);

/// A click: label 1 inside the object, 0 outside, -1 padding (ignored).
struct LabelledPoint {
    Point position;
    int label = 1;
};

/// What the user points at. Positions are in pixels of the picture as given, unless a function says otherwise.
struct Prompt {
    std::vector<LabelledPoint> points;
    std::optional<Box> box;
    std::optional<Tensor> mask;  ///< logits [1,1,4n,4n] of an earlier prediction, in the model's frame
};

/// Positions from the picture as given to the resized one. The mask stays.
[[nodiscard]] Prompt to_input_frame(Prompt prompt, const Frame& frame);

/// The token lists of the graph's prompt encoder.
struct PromptTokens {
    Tensor coordinates;  ///< [N,2] x, y
    Tensor labels;       ///< [N]
};

/// Meaning  the points in order; then, without a box but with points, one padding point; with a box its corners (labels 2, 3).
///          A prompt of neither has no tokens (N = 0). Positions are taken as they are: pixels of the resized picture
[[nodiscard]] PromptTokens prompt_tokens(const Prompt& prompt);

}  // namespace prelude::models
