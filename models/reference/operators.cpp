// SPDX-License-Identifier: Apache-2.0
#include "models/reference/operators.hpp"

#include "models/graph/movement.hpp"

#include <fmt/format.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <unsupported/Eigen/SpecialFunctions>
#include <vector>

#include "models/reference/vector_math.hpp"

namespace prelude::models::reference {

namespace {

/// The order of a long sum depends on how Eigen cuts it, which depends on the caches it believes to have.
[[maybe_unused]] const bool kCacheSizesAreFixed = [] {
    Eigen::setCpuCacheSizes(32 << 10, 512 << 10, 4 << 20);
    return true;
}();

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Rows = Eigen::Map<Matrix, 0, Eigen::OuterStride<>>;
using ConstRows = Eigen::Map<const Matrix, 0, Eigen::OuterStride<>>;

Rows rows(float* data, std::int64_t num_rows, std::int64_t num_columns, std::int64_t stride = 0) {
    return {data, num_rows, num_columns, Eigen::OuterStride<>(stride ? stride : num_columns)};
}
ConstRows rows(const float* data, std::int64_t num_rows, std::int64_t num_columns, std::int64_t stride = 0) {
    return {data, num_rows, num_columns, Eigen::OuterStride<>(stride ? stride : num_columns)};
}

/// Fills the first F rows with sin(phase), the others with cos(phase): rows [2F, count], phases given in the first F.
void sine_and_cosine(float* phases, std::int64_t count) {
    std::copy_n(phases, count, phases + count);
    transform(phases, count, [](const Chunk& x) -> Chunk { return x.sin(); });
    transform(phases + count, count, [](const Chunk& x) -> Chunk { return x.cos(); });
}

/// 2 pi (u . gaussian column), u in [-1, 1]: the official order of operations.
float phase(float x, float y, Floats gaussian, std::int64_t frequency) {
    const auto num_frequencies = static_cast<std::int64_t>(gaussian.size() / 2);
    const float u = 2.0F * x - 1.0F;
    const float v = 2.0F * y - 1.0F;
    const float product =
        u * gaussian[static_cast<std::size_t>(frequency)] + v * gaussian[static_cast<std::size_t>(num_frequencies + frequency)];
    return 2.0F * std::numbers::pi_v<float> * product;
}

/// Copies the k x k neighbourhoods of output rows [first, first + count) to columns: target [C*k*k, count * width].
void gather_patches(const Conv& op, const float* image, std::int64_t height, std::int64_t width, std::int64_t out_width, std::int64_t first,
                    std::int64_t count, float* target) {
    for (std::int64_t channel = 0; channel < op.in_channels; ++channel) {
        for (std::int64_t dy = 0; dy < op.kernel; ++dy) {
            for (std::int64_t dx = 0; dx < op.kernel; ++dx) {
                const auto shift = dx - op.padding;  // column of the first tap; taps [begin, end) lie inside the image
                const auto begin = std::clamp<std::int64_t>((-shift + op.stride - 1) / op.stride, 0, out_width);
                const auto end = std::clamp<std::int64_t>((width - shift + op.stride - 1) / op.stride, begin, out_width);
                for (std::int64_t row = first; row < first + count; ++row, target += out_width) {
                    const auto y = row * op.stride + dy - op.padding;
                    if (y < 0 || y >= height) {
                        std::fill_n(target, out_width, 0.0F);
                        continue;
                    }
                    const auto* source = image + (channel * height + y) * width + shift;
                    std::fill_n(target, begin, 0.0F);
                    if (op.stride == 1) {
                        std::copy(source + begin, source + end, target + begin);
                    } else {
                        for (auto x = begin; x < end; ++x) target[x] = source[x * op.stride];
                    }
                    std::fill(target + end, target + out_width, 0.0F);
                }
            }
        }
    }
}

}  // namespace

Tensor linear(const Linear& op, const Tensor& x, Floats weight, Floats bias) {
    auto extents = x.shape().extents();
    extents.back() = op.out_features;
    Tensor y{Shape(extents)};
    const auto num_rows = x.shape().num_rows();
    if (!bias.empty()) {
        for (std::int64_t row = 0; row < num_rows; ++row) std::ranges::copy(bias, y.row(row).begin());
    }
    rows(y.data(), num_rows, op.out_features).noalias() +=
        rows(x.data(), num_rows, op.in_features) * rows(weight.data(), op.out_features, op.in_features).transpose();
    return y;
}

Tensor matmul(const MatMul& op, const Tensor& left, const Tensor& right) {
    const auto batch = left.shape()[0], m = left.shape()[1], k = left.shape()[2];
    const auto n = right.shape()[op.transpose_right ? 1 : 2];
    const auto scale = static_cast<float>(op.scale);
    Tensor y(Shape{batch, m, n});
    for (std::int64_t index = 0; index < batch; ++index) {
        const auto a = rows(left.data() + index * m * k, m, k);
        auto product = rows(y.data() + index * m * n, m, n);
        if (op.transpose_right) {
            product.noalias() += (scale * a) * rows(right.data() + index * k * n, n, k).transpose();
        } else {
            product.noalias() += (scale * a) * rows(right.data() + index * k * n, k, n);
        }
    }
    return y;
}

Tensor conv(const Conv& op, const Tensor& x, Floats weight, Floats bias) {
    const auto batch = x.shape()[0], height = x.shape()[2], width = x.shape()[3];
    const auto out_height = (height + 2 * op.padding - op.kernel) / op.stride + 1;
    const auto out_width = (width + 2 * op.padding - op.kernel) / op.stride + 1;
    const auto depth = op.in_channels * op.kernel * op.kernel;
    const auto num_pixels = out_height * out_width;
    Tensor y(Shape{batch, op.out_channels, out_height, out_width});
    if (!bias.empty()) {
        for (std::int64_t row = 0; row < batch * op.out_channels; ++row) {
            std::fill_n(y.data() + row * num_pixels, num_pixels, bias[static_cast<std::size_t>(row % op.out_channels)]);
        }
    }
    const auto kernel = rows(weight.data(), op.out_channels, depth);
    const bool pointwise = op.kernel == 1 && op.stride == 1 && op.padding == 0;
    constexpr std::int64_t kStripFloats = 1 << 19;
    const auto strip = std::clamp<std::int64_t>(kStripFloats / (depth * out_width), 1, out_height);
    std::vector<float> patches(static_cast<std::size_t>(pointwise ? 0 : depth * strip * out_width));
    for (std::int64_t index = 0; index < batch; ++index) {
        const auto* image = x.data() + index * op.in_channels * height * width;
        auto* out = y.data() + index * op.out_channels * num_pixels;
        if (pointwise) {
            rows(out, op.out_channels, num_pixels).noalias() += kernel * rows(image, depth, num_pixels);
            continue;
        }
        for (std::int64_t first = 0; first < out_height; first += strip) {
            const auto count = std::min(strip, out_height - first);
            gather_patches(op, image, height, width, out_width, first, count, patches.data());
            rows(out + first * out_width, op.out_channels, count * out_width, num_pixels).noalias() +=
                kernel * rows(std::as_const(patches).data(), depth, count * out_width);
        }
    }
    return y;
}

Tensor conv_transpose(const ConvTranspose& op, const Tensor& x, Floats weight, Floats bias) {
    const auto batch = x.shape()[0], height = x.shape()[2], width = x.shape()[3], k = op.kernel;
    const auto num_pixels = height * width;
    Tensor y(Shape{batch, op.out_channels, height * k, width * k});
    Matrix taps(op.out_channels * k * k, num_pixels);  // row (o, dy, dx): what every pixel adds at that place of its k x k square
    for (std::int64_t index = 0; index < batch; ++index) {
        taps.noalias() = rows(weight.data(), op.in_channels, op.out_channels * k * k).transpose() *
                         rows(x.data() + index * op.in_channels * num_pixels, op.in_channels, num_pixels);
        const float* tap = taps.data();
        for (std::int64_t channel = 0; channel < op.out_channels; ++channel) {
            const float offset = bias.empty() ? 0.0F : bias[static_cast<std::size_t>(channel)];
            auto* plane = y.data() + (index * op.out_channels + channel) * num_pixels * k * k;
            for (std::int64_t dy = 0; dy < k; ++dy) {
                for (std::int64_t dx = 0; dx < k; ++dx) {
                    for (std::int64_t row = 0; row < height; ++row, tap += width) {
                        auto* target = plane + (row * k + dy) * width * k + dx;
                        for (std::int64_t column = 0; column < width; ++column) target[column * k] = tap[column] + offset;
                    }
                }
            }
        }
    }
    return y;
}

void layer_norm(const LayerNorm& op, Tensor& x, Floats gamma, Floats beta, std::size_t channel_axis) {
    const auto eps = static_cast<float>(op.eps);
    const auto num_channels = x.shape()[channel_axis];
    const auto count = static_cast<float>(num_channels);
    if (channel_axis + 1 == x.shape().rank()) {
        for (std::int64_t index = 0; index < x.shape().num_rows(); ++index) {
            auto* row = x.row(index).data();
            const float mean = sum(row, num_channels) / count;
            const float factor = 1.0F / std::sqrt(sum_of_squares(row, num_channels, mean) / count + eps);
            transform(row, gamma.data(), num_channels, [&](const Chunk& v, const Chunk& g) -> Chunk { return (v - mean) * factor * g; });
            transform(row, beta.data(), num_channels, [](const Chunk& v, const Chunk& b) -> Chunk { return v + b; });
        }
        return;
    }
    check(channel_axis == 1, "layer norm: channels are the last axis or axis 1");
    const auto plane = x.num_elements() / (x.shape()[0] * num_channels);
    std::vector<float> mean(static_cast<std::size_t>(plane)), factor(mean.size());
    const auto size = static_cast<std::int64_t>(mean.size());
    for (std::int64_t index = 0; index < x.shape()[0]; ++index) {
        auto* image = x.data() + index * num_channels * plane;
        std::ranges::fill(mean, 0.0F);
        std::ranges::fill(factor, 0.0F);
        for (std::int64_t c = 0; c < num_channels; ++c) {
            transform(mean.data(), image + c * plane, size, [](const Chunk& total, const Chunk& v) -> Chunk { return total + v; });
        }
        transform(mean.data(), size, [&](const Chunk& total) -> Chunk { return total / count; });
        for (std::int64_t c = 0; c < num_channels; ++c) {
            transform(image + c * plane, mean.data(), size, [](const Chunk& v, const Chunk& m) -> Chunk { return v - m; });
            transform(factor.data(), image + c * plane, size,
                      [](const Chunk& total, const Chunk& v) -> Chunk { return total + v.square(); });
        }
        // not Eigen's vector square root: it starts from an estimate that differs between processors
        for (auto& value : factor) value = 1.0F / std::sqrt(value / count + eps);
        for (std::int64_t c = 0; c < num_channels; ++c) {
            const float g = gamma[static_cast<std::size_t>(c)], b = beta[static_cast<std::size_t>(c)];
            transform(image + c * plane, factor.data(), size, [&](const Chunk& v, const Chunk& f) -> Chunk { return v * f * g + b; });
        }
    }
}

void softmax(Tensor& x) {
    const auto length = x.shape().back();
    for (std::int64_t index = 0; index < x.shape().num_rows(); ++index) {
        auto* row = x.row(index).data();
        const float largest = max(row, length);
        transform(row, length, [&](const Chunk& v) -> Chunk { return (v - largest).exp(); });
        const float factor = 1.0F / sum(row, length);
        transform(row, length, [&](const Chunk& v) -> Chunk { return v * factor; });
    }
}

void gelu(Tensor& x) {
    constexpr float kInverseSqrt2 = static_cast<float>(1.0 / std::numbers::sqrt2);
    transform(x.data(), x.num_elements(), [=](const Chunk& v) -> Chunk { return v * 0.5F * ((v * kInverseSqrt2).erf() + 1.0F); });
}

void relu(Tensor& x) {
    transform(x.data(), x.num_elements(), [](const Chunk& v) -> Chunk { return v.max(0.0F); });
}

void add(Tensor& x, const Tensor& y) {
    const auto sum_of = [](const Chunk& a, const Chunk& b) -> Chunk { return a + b; };
    if (x.shape() == y.shape()) {
        transform(x.data(), y.data(), x.num_elements(), sum_of);
        return;
    }
    // y as a view of x's shape: a broadcast axis has stride 0
    IndexMap map;
    std::int64_t stride = 1;
    for (auto axis = x.shape().rank(); axis-- > 0; stride *= y.shape()[axis]) {
        map.axes.insert(map.axes.begin(), {x.shape()[axis], y.shape()[axis] == 1 ? 0 : stride});
    }
    auto* target = x.data();
    const auto [length, inner_stride] = map.axes.back();
    for_each_outer(map, 1, [&, length = length, inner_stride = inner_stride](std::int64_t offset) {
        const auto* source = y.data() + offset;
        if (inner_stride == 0) {
            transform(target, length, [value = *source](const Chunk& v) -> Chunk { return v + value; });
        } else {
            transform(target, source, length, sum_of);
        }
        target += length;
    });
}

void relative_position(const RelativePosition& op, Tensor& scores, const Tensor& q, Floats table_height, Floats table_width) {
    const auto height = op.height, width = op.width, dim = op.head_dim, num_tokens = height * width;
    // With the tables reversed, the terms of query row i for key rows 0, 1, ... stand in ascending order from H-1-i.
    const Matrix rows_reversed = rows(table_height.data(), 2 * height - 1, dim).colwise().reverse();
    const Matrix columns_reversed = rows(table_width.data(), 2 * width - 1, dim).colwise().reverse();
    Matrix by_row(num_tokens, 2 * height - 1), by_column(num_tokens, 2 * width - 1);
    for (std::int64_t index = 0; index < q.shape()[0]; ++index) {
        const auto queries = rows(q.data() + index * num_tokens * dim, num_tokens, dim);
        by_row.noalias() = queries * rows_reversed.transpose();
        by_column.noalias() = queries * columns_reversed.transpose();
        for (std::int64_t token = 0; token < num_tokens; ++token) {
            auto* score = scores.data() + (index * num_tokens + token) * num_tokens;
            const auto* row_term = by_row.data() + token * by_row.cols() + height - 1 - token / width;
            const auto* column_terms = by_column.data() + token * by_column.cols() + width - 1 - token % width;
            for (std::int64_t row = 0; row < height; ++row, score += width) {
                transform(score, column_terms, width,
                          [term = row_term[row]](const Chunk& s, const Chunk& c) -> Chunk { return (s + term) + c; });
            }
        }
    }
}

Tensor window_partition(const WindowPartition& op, const Tensor& x) {
    const std::vector<float> padding(static_cast<std::size_t>(x.shape()[2]), 0.0F);
    return models::window_partition(op, x, std::span<const float>(padding));
}

Tensor concat(const Concat& op, std::span<const Tensor* const> parts) {
    auto extents = parts.front()->shape().extents();
    extents[op.axis] = 0;
    for (const auto* part : parts) extents[op.axis] += part->shape()[op.axis];
    return models::concat<float>(op, parts, Shape(extents));
}

Tensor dense_position_code(const DensePositionCode& op, Floats gaussian) {
    Tensor y(Shape{1, 2 * op.num_frequencies, op.height, op.width});
    auto* out = y.data();
    for (std::int64_t frequency = 0; frequency < op.num_frequencies; ++frequency) {
        for (std::int64_t row = 0; row < op.height; ++row) {
            for (std::int64_t column = 0; column < op.width; ++column) {
                *out++ = phase((static_cast<float>(column) + 0.5F) / static_cast<float>(op.width),
                               (static_cast<float>(row) + 0.5F) / static_cast<float>(op.height), gaussian, frequency);
            }
        }
    }
    sine_and_cosine(y.data(), y.num_elements() / 2);
    return y;
}

Tensor prompt_embedding(const PromptEmbedding& op, const Tensor& coordinates, const Tensor& labels, const PromptTables& tables) {
    const auto num_points = coordinates.shape()[0];
    const auto size = static_cast<float>(op.image_size);
    Tensor y(Shape{1, num_points, 2 * op.num_frequencies});
    for (std::int64_t point = 0; point < num_points; ++point) {
        const auto row = y.row(point);
        const float label = labels[static_cast<std::size_t>(point)];
        const auto num_labels = static_cast<float>(tables.labels.size());
        if (!(label >= -1.0F && label < num_labels && label == std::floor(label))) {
            throw DataError(fmt::format(
                "prompt: label {} of point {}; allowed are -1 (padding), 0 (outside), 1 (inside), 2 and 3 (box corners)", label, point));
        }
        if (label < 0) {
            std::ranges::copy(tables.not_a_point, row.begin());
            continue;
        }
        const float x = (coordinates.row(point)[0] + 0.5F) / size;
        const float y_position = (coordinates.row(point)[1] + 0.5F) / size;
        for (std::int64_t frequency = 0; frequency < op.num_frequencies; ++frequency) {
            row[static_cast<std::size_t>(frequency)] = phase(x, y_position, tables.gaussian, frequency);
        }
        sine_and_cosine(row.data(), op.num_frequencies);
        const auto embedding = tables.labels[static_cast<std::size_t>(label)];
        transform(row.data(), embedding.data(), 2 * op.num_frequencies, [](const Chunk& a, const Chunk& b) -> Chunk { return a + b; });
    }
    return y;
}

namespace {

/// Where output position `index` of a bilinear resize reads: two neighbours and the weight of the second.
struct Tap {
    std::int64_t first, second;
    float weight;
};

std::vector<Tap> taps(std::int64_t in, std::int64_t out, std::int64_t count) {
    const float scale = static_cast<float>(in) / static_cast<float>(out);
    std::vector<Tap> result(static_cast<std::size_t>(count));
    for (std::int64_t index = 0; index < count; ++index) {
        const float position = std::max(0.0F, scale * (static_cast<float>(index) + 0.5F) - 0.5F);
        const auto first = std::min(static_cast<std::int64_t>(position), in - 1);
        result[static_cast<std::size_t>(index)] = {first, std::min(first + 1, in - 1),
                                                   std::min(1.0F, std::max(0.0F, position - static_cast<float>(first)))};
    }
    return result;
}

}  // namespace

Tensor resize(const Resize& op, const Tensor& x) {
    const auto height = x.shape()[2], width = x.shape()[3];
    const auto out_height = op.crop_height ? op.crop_height : op.height, out_width = op.crop_width ? op.crop_width : op.width;
    const auto vertical = taps(height, op.height, out_height), horizontal = taps(width, op.width, out_width);
    Tensor y(Shape{x.shape()[0], x.shape()[1], out_height, out_width});
    // Two horizontally resized source rows at a time: their numbers never decrease.
    std::vector<float> upper(static_cast<std::size_t>(out_width)), lower(upper.size());
    const auto stretch = [&](const float* source, std::vector<float>& target) {
        for (std::size_t column = 0; column < target.size(); ++column) {
            const auto& tap = horizontal[column];
            target[column] = (1.0F - tap.weight) * source[tap.first] + tap.weight * source[tap.second];
        }
    };
    for (std::int64_t plane = 0; plane < x.shape()[0] * x.shape()[1]; ++plane) {
        const auto* source = x.data() + plane * height * width;
        std::int64_t upper_row = -1, lower_row = -1;
        for (std::int64_t row = 0; row < out_height; ++row) {
            const auto& tap = vertical[static_cast<std::size_t>(row)];
            if (tap.first == lower_row) std::swap(upper, lower), std::swap(upper_row, lower_row);
            if (tap.first != upper_row) stretch(source + tap.first * width, upper), upper_row = tap.first;
            if (tap.second != lower_row) stretch(source + tap.second * width, lower), lower_row = tap.second;
            auto* target = y.data() + (plane * out_height + row) * out_width;
            std::copy(upper.begin(), upper.end(), target);
            transform(target, lower.data(), out_width,
                      [w = tap.weight](const Chunk& a, const Chunk& b) -> Chunk { return a * (1.0F - w) + b * w; });
        }
    }
    return y;
}

}  // namespace prelude::models::reference
