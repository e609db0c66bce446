// SPDX-License-Identifier: Apache-2.0
#include "models/data/preprocess.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "models/error.hpp"

namespace prelude::models {

namespace {

constexpr int kFractionBits = 22;
constexpr int kNumChannels = 3;
constexpr std::array<float, kNumChannels> kMean{123.675F, 116.28F, 103.53F};
constexpr std::array<float, kNumChannels> kDeviation{58.395F, 57.12F, 57.375F};

/// Source pixels [first, first + weights.size()) of one output pixel, weights with kFractionBits fraction bits.
struct Window {
    int first = 0;
    std::vector<std::int32_t> weights;
};

std::vector<Window> filter_windows(int in, int out) {
    const double scale = static_cast<double>(in) / out;
    const double support = std::max(scale, 1.0);  // of the triangle, in source pixels
    const double inverse_support = 1.0 / support;
    std::vector<Window> windows(static_cast<std::size_t>(out));
    std::vector<double> weights;
    for (int index = 0; index < out; ++index) {
        auto& window = windows[static_cast<std::size_t>(index)];
        const double centre = (index + 0.5) * scale;
        window.first = std::max(static_cast<int>(centre - support + 0.5), 0);
        const int end = std::min(static_cast<int>(centre + support + 0.5), in);
        weights.clear();
        double total = 0;
        for (int pixel = 0; pixel < end - window.first; ++pixel) {
            const double distance = std::abs((pixel + window.first - centre + 0.5) * inverse_support);
            weights.push_back(std::max(1.0 - distance, 0.0));
            total += weights.back();
        }
        for (const double weight : weights) {
            const double share = total != 0.0 ? weight / total : weight;
            window.weights.push_back(static_cast<std::int32_t>(0.5 + share * (1 << kFractionBits)));
        }
    }
    return windows;
}

std::uint8_t round_to_pixel(std::int32_t sum) noexcept {
    return static_cast<std::uint8_t>(std::clamp(sum >> kFractionBits, 0, 255));
}

constexpr std::int32_t kHalf = 1 << (kFractionBits - 1);

Image resize_rows(const Image& image, int width) {
    const auto windows = filter_windows(image.width, width);
    Image result{width, image.height, std::vector<std::uint8_t>(static_cast<std::size_t>(width) * image.height * kNumChannels)};
    auto* target = result.rgb.data();
    for (int row = 0; row < image.height; ++row) {
        const auto* source_row = image.rgb.data() + static_cast<std::size_t>(row) * image.width * kNumChannels;
        for (const auto& window : windows) {
            std::array<std::int32_t, kNumChannels> sums{kHalf, kHalf, kHalf};
            const auto* source = source_row + static_cast<std::size_t>(window.first) * kNumChannels;
            for (const auto weight : window.weights) {
                for (auto& sum : sums) sum += weight * *source++;
            }
            for (const auto sum : sums) *target++ = round_to_pixel(sum);
        }
    }
    return result;
}

Image resize_columns(const Image& image, int height) {
    const auto windows = filter_windows(image.height, height);
    const auto row_bytes = static_cast<std::size_t>(image.width) * kNumChannels;
    Image result{image.width, height, std::vector<std::uint8_t>(row_bytes * height)};
    std::vector<std::int32_t> sums(row_bytes);
    auto* target = result.rgb.data();
    for (const auto& window : windows) {
        std::ranges::fill(sums, kHalf);
        const auto* source = image.rgb.data() + window.first * row_bytes;
        for (const auto weight : window.weights) {
            for (auto& sum : sums) sum += weight * *source++;
        }
        for (const auto sum : sums) *target++ = round_to_pixel(sum);
    }
    return result;
}

}  // namespace

Frame frame_of(int width, int height, int model_size) {
    if (width <= 0 || height <= 0) throw DataError(fmt::format("a picture of {} x {} pixels has nothing to see", width, height));
    const double scale = static_cast<double>(model_size) / std::max(width, height);
    const Frame frame{.original_width = width,
                      .original_height = height,
                      .input_width = static_cast<int>(width * scale + 0.5),
                      .input_height = static_cast<int>(height * scale + 0.5),
                      .model_size = model_size};
    if (frame.input_width == 0 || frame.input_height == 0) {
        throw DataError(
            fmt::format("a picture of {} x {} pixels is too thin: resized to a longest side of {}, nothing is left of the other", width,
                        height, model_size));
    }
    return frame;
}

Image resize_bilinear(const Image& image, int width, int height) {
    check(image.width > 0 && image.height > 0 && width > 0 && height > 0, "resize: a side is not positive");
    const auto resized = image.width == width ? image : resize_rows(image, width);
    return image.height == height ? resized : resize_columns(resized, height);
}

PreprocessedImage preprocess(const Image& image, int model_size) {
    const auto frame = frame_of(image.width, image.height, model_size);
    const auto resized = resize_bilinear(image, frame.input_width, frame.input_height);
    PreprocessedImage result{Tensor(Shape{1, kNumChannels, model_size, model_size}), frame};
    for (int channel = 0; channel < kNumChannels; ++channel) {
        const auto index = static_cast<std::size_t>(channel);
        for (int row = 0; row < resized.height; ++row) {
            const auto* source = resized.rgb.data() + static_cast<std::size_t>(row) * resized.width * kNumChannels + channel;
            auto* target = result.image.data() + (static_cast<std::size_t>(channel) * model_size + row) * model_size;
            for (int column = 0; column < resized.width; ++column) {
                target[column] = (static_cast<float>(source[column * kNumChannels]) - kMean[index]) / kDeviation[index];
            }
        }
    }
    return result;
}

Prompt to_input_frame(Prompt prompt, const Frame& frame) {
    const double x_scale = static_cast<double>(frame.input_width) / frame.original_width;
    const double y_scale = static_cast<double>(frame.input_height) / frame.original_height;
    for (auto& point : prompt.points) point.position = {point.position.x * x_scale, point.position.y * y_scale};
    if (prompt.box) {
        prompt.box = Box{prompt.box->x0 * x_scale, prompt.box->y0 * y_scale, prompt.box->x1 * x_scale, prompt.box->y1 * y_scale};
    }
    return prompt;
}

PromptTokens prompt_tokens(const Prompt& prompt) {
    std::vector<float> coordinates, labels;
    const auto append = [&](double x, double y, int label) {
        coordinates.push_back(static_cast<float>(x));
        coordinates.push_back(static_cast<float>(y));
        labels.push_back(static_cast<float>(label));
    };
    for (const auto& point : prompt.points) append(point.position.x, point.position.y, point.label);
    if (prompt.box) {
        append(prompt.box->x0, prompt.box->y0, 2);
        append(prompt.box->x1, prompt.box->y1, 3);
    } else if (!prompt.points.empty()) {
        append(0, 0, -1);
    }
    const auto num_tokens = static_cast<std::int64_t>(labels.size());
    return {Tensor(Shape{num_tokens, 2}, std::move(coordinates)), Tensor(Shape{num_tokens}, std::move(labels))};
}

}  // namespace prelude::models
