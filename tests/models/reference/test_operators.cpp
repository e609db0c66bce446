// SPDX-License-Identifier: Apache-2.0
// Every operator against loops in double that follow its definition, on prime shapes.
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <memory>
#include <numbers>
#include <set>

#include "models/data/random.hpp"
#include "models/graph/movement.hpp"
#include "models/metrics.hpp"
#include "models/reference/operators.hpp"

using namespace prelude::models;

namespace {

Tensor random_tensor(const Shape& shape, std::uint64_t seed, double scale = 1.0) {
    Tensor tensor(shape);
    Random random(seed);
    for (auto& value : tensor.values()) value = static_cast<float>(random.uniform(-scale, scale));
    return tensor;
}

/// Element of an image tensor, 0 outside.
double at(const Tensor& x, std::int64_t b, std::int64_t c, std::int64_t y, std::int64_t z) {
    const auto& s = x.shape();
    if (y < 0 || y >= s[2] || z < 0 || z >= s[3]) return 0;
    return x[static_cast<std::size_t>(((b * s[1] + c) * s[2] + y) * s[3] + z)];
}

/// Compares element by element, relative to the largest expected magnitude.
void check_close(const Tensor& actual, const Shape& shape, const std::function<double(std::int64_t)>& expected, double tolerance = 1e-6) {
    REQUIRE(actual.shape() == shape);
    Tensor reference(shape);
    for (std::int64_t index = 0; index < shape.num_elements(); ++index)
        reference[static_cast<std::size_t>(index)] = static_cast<float>(expected(index));
    CHECK(relative_deviation(reference.values(), actual.values()) <= tolerance);
}

}  // namespace

TEST_CASE("linear is x W^T + b, with and without bias, for one row and for many") {
    for (const std::int64_t rows : {1, 2, 7, 131}) {
        const std::int64_t k = 37, n = 23;
        const auto x = random_tensor({1, rows, k}, 1), weight = random_tensor({n, k}, 2), bias = random_tensor({n}, 3);
        for (const bool biased : {false, true}) {
            INFO(rows << " rows, bias " << biased);
            const Linear op{.weight = "w", .bias = "b", .in_features = k, .out_features = n};
            check_close(reference::linear(op, x, weight.values(), biased ? bias.values() : std::span<const float>{}), {1, rows, n},
                        [&](auto index) {
                            const auto row = index / n, column = index % n;
                            double sum = biased ? bias[static_cast<std::size_t>(column)] : 0.0F;
                            for (std::int64_t i = 0; i < k; ++i)
                                sum += double(x.row(row)[std::size_t(i)]) * weight.row(column)[std::size_t(i)];
                            return sum;
                        });
        }
    }
}

TEST_CASE("a matrix product is scaled and transposed as its operator says") {
    const std::int64_t batch = 3, m = 13, k = 17, n = 11;
    const auto left = random_tensor({batch, m, k}, 1);
    for (const bool transpose : {false, true}) {
        const auto right = random_tensor(transpose ? Shape{batch, n, k} : Shape{batch, k, n}, 2);
        check_close(reference::matmul({.transpose_right = transpose, .scale = 0.3}, left, right), {batch, m, n}, [&](auto index) {
            const auto b = index / (m * n), row = index / n % m, column = index % n;
            double sum = 0;
            for (std::int64_t i = 0; i < k; ++i) {
                const auto other = transpose ? (b * n + column) * k + i : (b * k + i) * n + column;
                sum += double(left[std::size_t((b * m + row) * k + i)]) * right[std::size_t(other)];
            }
            return 0.3 * sum;
        });
    }
}

TEST_CASE("a convolution sums its padded neighbourhoods") {
    struct Geometry {
        std::int64_t kernel, stride, padding, height, width;
    };
    const auto geometry = GENERATE(Geometry{1, 1, 0, 7, 5}, Geometry{3, 1, 1, 7, 11}, Geometry{2, 2, 0, 8, 6}, Geometry{3, 2, 2, 7, 5},
                                   Geometry{5, 5, 0, 15, 25}, Geometry{3, 1, 1, 1, 1}, Geometry{3, 3, 1, 2, 13});
    const auto [kernel, stride, padding, height, width] = geometry;
    const std::int64_t batch = 2, in = 3, out = 5;
    const auto x = random_tensor({batch, in, height, width}, 1), weight = random_tensor({out, in, kernel, kernel}, 2),
               bias = random_tensor({out}, 3);
    const Conv op{
        .weight = "w", .bias = "b", .in_channels = in, .out_channels = out, .kernel = kernel, .stride = stride, .padding = padding};
    const auto out_height = (height + 2 * padding - kernel) / stride + 1, out_width = (width + 2 * padding - kernel) / stride + 1;
    INFO("kernel " << kernel << " stride " << stride << " padding " << padding << " on " << height << " x " << width);
    check_close(reference::conv(op, x, weight.values(), bias.values()), {batch, out, out_height, out_width},
                [=, &x, &weight, &bias](auto index) {
                    const auto z = index % out_width, y = index / out_width % out_height, o = index / (out_width * out_height) % out,
                               b = index / (out_width * out_height * out);
                    double sum = bias[std::size_t(o)];
                    for (std::int64_t c = 0; c < in; ++c) {
                        for (std::int64_t dy = 0; dy < kernel; ++dy) {
                            for (std::int64_t dx = 0; dx < kernel; ++dx) {
                                sum += at(x, b, c, y * stride + dy - padding, z * stride + dx - padding) * at(weight, o, c, dy, dx);
                            }
                        }
                    }
                    return sum;
                });
}

TEST_CASE("a convolution in many strips is the same as in one") {
    // 512 * 9 inputs per pixel: strips of a few rows
    const std::int64_t in = 512, out = 2, height = 37, width = 29;
    const auto x = random_tensor({1, in, height, width}, 1), weight = random_tensor({out, in, 3, 3}, 2);
    const Conv op{.weight = "w", .bias = "", .in_channels = in, .out_channels = out, .kernel = 3, .padding = 1};
    check_close(reference::conv(op, x, weight.values(), {}), {1, out, height, width}, [&](auto index) {
        const auto z = index % width, y = index / width % height, o = index / (width * height);
        double sum = 0;
        for (std::int64_t c = 0; c < in; ++c) {
            for (std::int64_t tap = 0; tap < 9; ++tap)
                sum += at(x, 0, c, y + tap / 3 - 1, z + tap % 3 - 1) * at(weight, o, c, tap / 3, tap % 3);
        }
        return sum;
    });
}

TEST_CASE("a transposed convolution places a kernel at every pixel") {
    const std::int64_t batch = 2, in = 7, out = 3, height = 5, width = 11;
    for (const std::int64_t kernel : {2, 3}) {
        const auto x = random_tensor({batch, in, height, width}, 1), weight = random_tensor({in, out, kernel, kernel}, 2),
                   bias = random_tensor({out}, 3);
        const ConvTranspose op{.weight = "w", .bias = "b", .in_channels = in, .out_channels = out, .kernel = kernel};
        check_close(reference::conv_transpose(op, x, weight.values(), bias.values()), {batch, out, height * kernel, width * kernel},
                    [&](auto index) {
                        const auto z = index % (width * kernel), y = index / (width * kernel) % (height * kernel);
                        const auto o = index / (width * height * kernel * kernel) % out,
                                   b = index / (width * height * kernel * kernel * out);
                        double sum = bias[std::size_t(o)];
                        for (std::int64_t c = 0; c < in; ++c)
                            sum += at(x, b, c, y / kernel, z / kernel) * at(weight, c, o, y % kernel, z % kernel);
                        return sum;
                    });
    }
}

TEST_CASE("layer norm normalises tokens over the last axis and images over their channels") {
    const double eps = 1e-3;
    const auto gamma = random_tensor({31}, 5), beta = random_tensor({31}, 6);
    for (const bool image : {false, true}) {
        const Shape shape = image ? Shape{2, 31, 3, 7} : Shape{2, 21, 31};
        const std::int64_t inner = image ? 21 : 1, channels = 31;
        auto x = random_tensor(shape, 4, 3.0);
        for (auto& value : x.values()) value += 5.0F;  // a mean that matters
        const auto before = x;
        reference::layer_norm({.gamma = "g", .beta = "b", .eps = eps}, x, gamma.values(), beta.values(), image ? 1 : 2);
        check_close(x, shape, [&](auto index) {
            const auto channel = index / inner % channels, first = index - channel * inner;
            double mean = 0, variance = 0;
            for (std::int64_t c = 0; c < channels; ++c) mean += before[std::size_t(first + c * inner)] / double(channels);
            for (std::int64_t c = 0; c < channels; ++c)
                variance += std::pow(before[std::size_t(first + c * inner)] - mean, 2) / double(channels);
            return (before[std::size_t(index)] - mean) / std::sqrt(variance + eps) * gamma[std::size_t(channel)] +
                   beta[std::size_t(channel)];
        });
    }
}

TEST_CASE("softmax rows are positive, sum to one and survive large scores") {
    for (const std::int64_t length : {1, 2, 15, 16, 17, 127}) {
        auto x = random_tensor({3, length}, 1, 8.0);
        for (auto& value : x.row(1)) value += 1e4F;
        for (auto& value : x.row(2)) value *= 50.0F;
        const auto before = x;
        reference::softmax(x);
        INFO("rows of " << length);
        check_close(x, {3, length}, [&](auto index) {
            const auto row = before.row(index / length);
            const double largest = *std::ranges::max_element(row);
            double sum = 0;
            for (const float value : row) sum += std::exp(value - largest);
            return std::exp(before[std::size_t(index)] - largest) / sum;
        });
    }
}

TEST_CASE("GELU is x Phi(x) for every float that matters") {
    Tensor x(Shape{40013});
    for (std::int64_t index = 0; index < x.num_elements(); ++index)
        x[std::size_t(index)] = static_cast<float>(double(index - 20006) * 6e-4);
    const auto before = x;
    reference::gelu(x);
    double worst = 0;
    for (std::size_t index = 0; index < x.values().size(); ++index) {
        const double v = before[index], exact = 0.5 * v * std::erfc(-v / std::numbers::sqrt2);
        worst = std::max(worst, std::abs(x[index] - exact) / std::max(1.0, std::abs(v)));
    }
    CHECK(worst < 4e-7);
}

TEST_CASE("ReLU keeps what is positive") {
    Tensor x(Shape{5}, {-1.0F, -0.0F, 0.0F, 1e-30F, 3.0F});
    reference::relu(x);
    CHECK(x == Tensor(Shape{5}, {0.0F, 0.0F, 0.0F, 1e-30F, 3.0F}));
}

TEST_CASE("an addend is broadcast along axes of extent one") {
    const Shape shape{2, 3, 5, 7};
    const auto other =
        GENERATE(Shape{2, 3, 5, 7}, Shape{1, 3, 1, 1}, Shape{2, 1, 5, 1}, Shape{1, 1, 1, 7}, Shape{1, 1, 1, 1}, Shape{2, 3, 1, 7});
    const auto x = random_tensor(shape, 1), y = random_tensor(other, 2);
    auto sum = x;
    reference::add(sum, y);
    INFO(other.to_string());
    check_close(
        sum, shape,
        [&](auto index) {
            std::int64_t position = 0, rest = index, stride = 1;
            for (std::size_t axis = 4; axis-- > 0;) {
                if (other[axis] != 1) position += rest % shape[axis] * stride;
                rest /= shape[axis];
                stride *= other[axis];
            }
            return double(x[std::size_t(index)]) + y[std::size_t(position)];
        },
        0);
}

TEST_CASE("relative positions add the table rows of the distance between query and key") {
    const std::int64_t batch = 3, height = 5, width = 7, dim = 11, tokens = height * width;
    const auto scores = random_tensor({batch, tokens, tokens}, 1), q = random_tensor({batch, tokens, dim}, 2);
    const auto rows = random_tensor({2 * height - 1, dim}, 3), columns = random_tensor({2 * width - 1, dim}, 4);
    auto result = scores;
    const RelativePosition op{.table_height = "h", .table_width = "w", .height = height, .width = width, .head_dim = dim};
    reference::relative_position(op, result, q, rows.values(), columns.values());
    check_close(result, {batch, tokens, tokens}, [&](auto index) {
        const auto b = index / (tokens * tokens), query = index / tokens % tokens, key = index % tokens;
        const auto row = query / width - key / width + height - 1, column = query % width - key % width + width - 1;
        double sum = scores[std::size_t(index)];
        for (std::int64_t i = 0; i < dim; ++i) {
            sum += double(q.row(b * tokens + query)[std::size_t(i)]) *
                   (double(rows.row(row)[std::size_t(i)]) + columns.row(column)[std::size_t(i)]);
        }
        return sum;
    });
}

TEST_CASE("windows are padded with zeros at the right and bottom, and put together again") {
    const std::int64_t height = 7, width = 11, window = 3, channels = 5, across = 4;
    const auto x = random_tensor({1, height * width, channels}, 1);
    const auto windows = reference::window_partition({height, width, window}, x);
    check_close(
        windows, {12, 9, channels},
        [&](auto index) {
            const auto channel = index % channels, token = index / channels % 9, number = index / channels / 9;
            const auto row = number / across * window + token / window, column = number % across * window + token % window;
            return row < height && column < width ? x.row(row * width + column)[std::size_t(channel)] : 0.0F;
        },
        0);
    CHECK(window_unpartition({height, width, window}, windows) == x);
}

TEST_CASE("a rearrangement takes the slice, then permutes") {
    struct Case {
        Rearrange op;
        bool reshape;
    };
    const auto test = GENERATE(
        Case{{.view = Shape{2, 3, 5, 7}, .order = {0, 2, 3, 1}, .result = Shape{2, 35, 3}}, false},
        Case{{.view = Shape{2, 15, 7}, .order = {0, 1, 2}, .result = Shape{210}}, true},
        Case{{.view = Shape{1, 30, 7}, .order = {1, 0, 2}, .result = Shape{30, 7}}, true},
        Case{{.view = Shape{2, 5, 3, 7},
              .slice_axis = 2,
              .slice_begin = 1,
              .slice_count = 2,
              .order = {0, 2, 1, 3},
              .result = Shape{2, 2, 5, 7}},
             false},
        Case{{.view = Shape{5, 6, 7}, .slice_axis = 0, .slice_begin = 4, .slice_count = 1, .order = {0, 1, 2}, .result = Shape{42}}, false},
        Case{{.view = Shape{5, 42}, .slice_axis = 0, .slice_begin = 0, .slice_count = 5, .order = {0, 1}, .result = Shape{210}}, true},
        Case{{.view = Shape{2, 3, 5, 7}, .order = {3, 2, 1, 0}, .result = Shape{7, 5, 3, 2}}, false},
        Case{{.view = Shape{2, 3, 5, 7}, .order = {2, 0, 3, 1}, .result = Shape{5, 2, 7, 3}}, false},
        Case{{.view = Shape{30, 7}, .slice_axis = 1, .slice_begin = 3, .slice_count = 1, .order = {1, 0}, .result = Shape{30}}, false});
    const auto& op = test.op;
    const auto x = random_tensor({210}, 1);
    auto extents = op.view.extents();
    if (op.slice_axis) extents[*op.slice_axis] = op.slice_count;
    CHECK(is_reshape(op) == test.reshape);
    check_close(
        rearrange(op, x), op.result,
        [&](auto index) {
            std::vector<std::int64_t> position(extents.size());
            for (auto axis = op.order.size(); axis-- > 0;) {
                position[op.order[axis]] = index % extents[op.order[axis]];
                index /= extents[op.order[axis]];
            }
            if (op.slice_axis) position[*op.slice_axis] += op.slice_begin;
            std::int64_t source = 0;
            for (std::size_t axis = 0; axis < extents.size(); ++axis) source = source * op.view[axis] + position[axis];
            return x[std::size_t(source)];
        },
        0);
}

TEST_CASE("tensors are put side by side along an axis") {
    const auto a = random_tensor({2, 1, 5}, 1), b = random_tensor({2, 3, 5}, 2), c = random_tensor({2, 2, 5}, 3);
    const std::vector<const Tensor*> parts{&a, &b, &c};
    const auto joined = reference::concat({.axis = 1}, parts);
    check_close(
        joined, {2, 6, 5},
        [&](auto index) {
            const auto column = index % 5, row = index / 5 % 6, batch = index / 30;
            if (row < 1) return a[std::size_t(batch * 5 + column)];
            return row < 4 ? b[std::size_t((batch * 3 + row - 1) * 5 + column)] : c[std::size_t((batch * 2 + row - 4) * 5 + column)];
        },
        0);
}

TEST_CASE("position codes are sine and cosine of random frequencies") {
    const std::int64_t frequencies = 13, height = 5, width = 7, size = 64;
    const auto gaussian = random_tensor({2, frequencies}, 1, 3.0);
    const auto code = [&](double x, double y, std::int64_t feature) {
        const auto f = std::size_t(feature % frequencies);
        const double phase = 2 * std::numbers::pi * ((2 * x - 1) * gaussian[f] + (2 * y - 1) * gaussian[std::size_t(frequencies) + f]);
        return feature < frequencies ? std::sin(phase) : std::cos(phase);
    };
    check_close(
        reference::dense_position_code({.gaussian = "g", .height = height, .width = width, .num_frequencies = frequencies},
                                       gaussian.values()),
        {1, 2 * frequencies, height, width},
        [&](auto index) {
            return code((double(index % width) + 0.5) / width, (double(index / width % height) + 0.5) / height, index / (height * width));
        },
        5e-6);

    const auto tables = random_tensor({5, 2 * frequencies}, 2);
    std::vector<std::span<const float>> labels;
    for (std::int64_t label = 0; label < 4; ++label) labels.push_back(tables.row(label));
    const reference::PromptTables prompt{.gaussian = gaussian.values(), .not_a_point = tables.row(4), .labels = labels};
    const PromptEmbedding op{
        .gaussian = "g", .not_a_point = "n", .labels = {"0", "1", "2", "3"}, .image_size = size, .num_frequencies = frequencies};
    const Tensor coordinates(Shape{6, 2}, {0, 0, 63.5F, 10, 7, 40, 3, 3, 5, 6, 64, 64}), kinds(Shape{6}, {1, 0, -1, 2, 3, 1});
    check_close(
        reference::prompt_embedding(op, coordinates, kinds, prompt), {1, 6, 2 * frequencies},
        [&](auto index) {
            const auto point = std::size_t(index / (2 * frequencies));
            const auto feature = index % (2 * frequencies);
            if (kinds[point] < 0) return double(tables.row(4)[std::size_t(feature)]);
            return code((coordinates[2 * point] + 0.5) / size, (coordinates[2 * point + 1] + 0.5) / size, feature) +
                   tables.row(std::int64_t(kinds[point]))[std::size_t(feature)];
        },
        5e-6);

    for (const float label : {-2.0F, 4.0F, 0.5F, std::nanf("")}) {
        const Tensor wrong(Shape{6}, {1, 0, label, 2, 3, 1});
        CHECK_THROWS_WITH(reference::prompt_embedding(op, coordinates, wrong, prompt),
                          Catch::Contains("of point 2; allowed are -1 (padding)"));
    }
}

TEST_CASE("a resize interpolates between pixel centres and holds at the edges") {
    const auto [out_height, out_width, crop_height, crop_width] = GENERATE(
        std::array<std::int64_t, 4>{20, 28, 0, 0}, std::array<std::int64_t, 4>{3, 4, 0, 0}, std::array<std::int64_t, 4>{5, 7, 0, 0},
        std::array<std::int64_t, 4>{13, 11, 7, 5}, std::array<std::int64_t, 4>{1, 1, 0, 0}, std::array<std::int64_t, 4>{2, 41, 0, 0});
    const auto x = random_tensor({2, 3, 5, 7}, 1);
    const auto rows = crop_height ? crop_height : out_height, columns = crop_width ? crop_width : out_width;
    INFO(out_height << " x " << out_width);
    check_close(
        reference::resize({out_height, out_width, crop_height, crop_width}, x), {2, 3, rows, columns},
        [&, h = out_height, w = out_width](auto index) {
            const auto plane = index / (rows * columns);
            const double y = std::clamp((double(index / columns % rows) + 0.5) * 5 / double(h) - 0.5, 0.0, 4.0);
            const double z = std::clamp((double(index % columns) + 0.5) * 7 / double(w) - 0.5, 0.0, 6.0);
            const auto y0 = std::int64_t(y), z0 = std::int64_t(z), y1 = std::min<std::int64_t>(y0 + 1, 4),
                       z1 = std::min<std::int64_t>(z0 + 1, 6);
            const auto pixel = [&](auto r, auto c) { return at(x, plane / 3, plane % 3, r, c); };
            const double fy = y - double(y0), fz = z - double(z0);
            return (1 - fy) * ((1 - fz) * pixel(y0, z0) + fz * pixel(y0, z1)) + fy * ((1 - fz) * pixel(y1, z0) + fz * pixel(y1, z1));
        },
        3e-6);
}

TEST_CASE("results do not depend on where the operands lie in memory") {
    const Shape shape{3, 13, 29};
    std::vector<std::unique_ptr<char[]>> spacers;  // move what is allocated next
    std::set<std::uintptr_t> alignments;
    std::vector<Tensor> first, kept;
    for (std::size_t round = 0; round < 24; ++round) {
        spacers.push_back(std::make_unique<char[]>(16 * (round % 5) + 24));
        auto x = random_tensor(shape, 1, 4.0), y = random_tensor(shape, 2), weight = random_tensor({11, 29}, 3);
        alignments.insert(reinterpret_cast<std::uintptr_t>(x.data()) % 64);
        std::vector<Tensor> results;
        results.push_back(reference::linear({.weight = "w", .bias = "", .in_features = 29, .out_features = 11}, x, weight.values(), {}));
        results.push_back(reference::matmul({.transpose_right = true}, x, y));
        results.push_back(x), reference::softmax(results.back());
        results.push_back(x), reference::gelu(results.back());
        results.push_back(x), reference::layer_norm({.gamma = "g", .beta = "b"}, results.back(), weight.row(0), weight.row(1), 2);
        // small enough for a library to choose another way
        const auto a = random_tensor({1, 3, 5}, 4), b = random_tensor({1, 3, 5}, 5);
        results.push_back(reference::matmul({.transpose_right = true}, a, b));
        if (first.empty()) first = results;
        REQUIRE(results == first);
        for (auto* tensor : {&x, &y, &weight}) kept.push_back(std::move(*tensor));  // the next round lies elsewhere
    }
#ifndef __SANITIZE_ADDRESS__  // its allocator puts all of them at the same place of a cache line
    CHECK(alignments.size() > 1);
#endif
}
