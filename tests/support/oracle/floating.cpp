// SPDX-License-Identifier: Apache-2.0
#include "tests/support/oracle/floating.hpp"

#include <cmath>
#include <functional>
#include <limits>

namespace prelude::oracle {

using models::Tensor;

namespace {

float add(float a, float b) { return static_cast<float>(static_cast<double>(a) + static_cast<double>(b)); }
float sub(float a, float b) { return static_cast<float>(static_cast<double>(a) - static_cast<double>(b)); }
float mul(float a, float b) { return static_cast<float>(static_cast<double>(a) * static_cast<double>(b)); }
float div(float a, float b) { return static_cast<float>(static_cast<double>(a) / static_cast<double>(b)); }
float root(float a) { return static_cast<float>(std::sqrt(static_cast<double>(a))); }
float round(float x) { return static_cast<float>(std::nearbyint(static_cast<double>(x))); }
float nearest(double x) { return static_cast<float>(x); }

float tree(std::span<const float> x, std::int64_t a, std::int64_t n) {
    if (n == 1) return a < static_cast<std::int64_t>(x.size()) ? x[static_cast<std::size_t>(a)] : 0.0F;
    return add(tree(x, a, n / 2), tree(x, a + n / 2, n / 2));
}

/// c_0 s^m + c_1 s^(m-1) + ... by Horner.
float polynomial(float s, std::initializer_list<double> coefficients) {
    float p = nearest(*coefficients.begin());
    for (auto c = coefficients.begin() + 1; c != coefficients.end(); ++c) p = add(mul(p, s), nearest(*c));
    return p;
}

/// Index of logical coordinates.
std::size_t at(const models::Shape& shape, std::initializer_list<std::int64_t> index) {
    std::int64_t place = 0;
    std::size_t axis = 0;
    for (auto i : index) place = place * shape[axis++] + i;
    return static_cast<std::size_t>(place);
}

class NodeOracle {
  public:
    NodeOracle(const models::Graph& graph, const models::Node& node, std::span<const Tensor* const> in, const models::Weights& weights, const FloatForm& form, bool wide)
        : graph_(graph), node_(node), in_(in), weights_(weights), form_(form), out_(graph.value(node.output).shape), out_bits_(wide ? 32 : form.bits) {}

    Tensor run() {
        std::visit([this](const auto& op) { apply(op); }, node_.op);
        return std::move(out_);
    }

  private:
    float r(float x) const { return stored(out_bits_, x); }
    const Tensor& in(std::size_t i = 0) const { return *in_[i]; }
    /// Stored constant.
    std::function<float(std::int64_t)> weight(const std::string& name) const {
        const auto values = weights_.values(name);
        return [values, bits = form_.bits](std::int64_t i) { return stored(bits, values[static_cast<std::size_t>(i)]); };
    }
    float bias(const std::string& name, std::int64_t o, float s) const { return name.empty() ? s : add(s, weights_.values(name)[static_cast<std::size_t>(o)]); }
    /// S over k of left(k) right(k).
    template <class Left, class Right>
    float products(std::int64_t count, const Left& left, const Right& right) const {
        std::vector<float> entries;
        for (std::int64_t k = 0; k < count; ++k) entries.push_back(mul(left(k), right(k)));
        return sum(entries, form_.block);
    }
    float s_of(const std::vector<float>& entries) const { return sum(entries, form_.block); }

    void apply(const models::Linear& op) {
        const auto w = weight(op.weight);
        const auto K = op.in_features, N = op.out_features;
        for (std::int64_t row = 0; row < in().num_elements() / K; ++row) {
            for (std::int64_t n = 0; n < N; ++n) {
                const float s = products(K, [&](auto k) { return in()[static_cast<std::size_t>(row * K + k)]; }, [&](auto k) { return w(n * K + k); });
                out_[static_cast<std::size_t>(row * N + n)] = r(bias(op.bias, n, s));
            }
        }
    }

    void apply(const models::Conv& op) {
        const auto w = weight(op.weight);
        const auto& shape = in().shape();
        const auto area = op.kernel * op.kernel, K = op.in_channels * area;
        for (std::int64_t b = 0; b < shape[0]; ++b) {
            for (std::int64_t o = 0; o < op.out_channels; ++o) {
                for (std::int64_t y = 0; y < out_.shape()[2]; ++y) {
                    for (std::int64_t x = 0; x < out_.shape()[3]; ++x) {
                        const auto pixel = [&](std::int64_t k) {
                            const auto c = k / area, dy = k / op.kernel % op.kernel, dx = k % op.kernel;
                            const auto sy = y * op.stride + dy - op.padding, sx = x * op.stride + dx - op.padding;
                            return sy < 0 || sx < 0 || sy >= shape[2] || sx >= shape[3] ? 0.0F : in()[at(shape, {b, c, sy, sx})];
                        };
                        out_[at(out_.shape(), {b, o, y, x})] = r(bias(op.bias, o, products(K, pixel, [&](auto k) { return w(o * K + k); })));
                    }
                }
            }
        }
    }

    void apply(const models::ConvTranspose& op) {
        const auto w = weight(op.weight);
        const auto& shape = in().shape();
        const auto k2 = op.kernel;
        for (std::int64_t b = 0; b < shape[0]; ++b) {
            for (std::int64_t o = 0; o < op.out_channels; ++o) {
                for (std::int64_t y = 0; y < shape[2] * k2; ++y) {
                    for (std::int64_t x = 0; x < shape[3] * k2; ++x) {
                        const float s = products(op.in_channels, [&](auto c) { return in()[at(shape, {b, c, y / k2, x / k2})]; },
                                                 [&](auto c) { return w(((c * op.out_channels + o) * k2 + y % k2) * k2 + x % k2); });
                        out_[at(out_.shape(), {b, o, y, x})] = r(bias(op.bias, o, s));
                    }
                }
            }
        }
    }

    void apply(const models::MatMul& op) {
        const auto &a = in(0).shape(), &b = in(1).shape();
        for (std::int64_t batch = 0; batch < a[0]; ++batch) {
            for (std::int64_t m = 0; m < a[1]; ++m) {
                for (std::int64_t n = 0; n < out_.shape()[2]; ++n) {
                    const auto right = [&](std::int64_t k) { return op.transpose_right ? in(1)[at(b, {batch, n, k})] : in(1)[at(b, {batch, k, n})]; };
                    const float s = products(a[2], [&](auto k) { return in(0)[at(a, {batch, m, k})]; }, right);
                    out_[at(out_.shape(), {batch, m, n})] = r(mul(s, nearest(op.scale)));
                }
            }
        }
    }

    void apply(const models::RelativePosition& op) {
        const auto rh = weight(op.table_height), rw = weight(op.table_width);
        const auto &shape = in(0).shape(), &qs = in(1).shape();
        for (std::int64_t b = 0; b < shape[0]; ++b) {
            for (std::int64_t query = 0; query < shape[1]; ++query) {
                const auto q = [&](std::int64_t d) { return in(1)[at(qs, {b, query, d})]; };
                for (std::int64_t key = 0; key < shape[2]; ++key) {
                    const auto i = key / op.width, j = key % op.width;
                    const float v = products(op.head_dim, q, [&](auto d) { return rh((query / op.width - i + op.height - 1) * op.head_dim + d); });
                    const float h = products(op.head_dim, q, [&](auto d) { return rw((query % op.width - j + op.width - 1) * op.head_dim + d); });
                    const auto place = at(shape, {b, query, key});
                    out_[place] = r(add(add(in(0)[place], v), h));
                }
            }
        }
    }

    void apply(const models::LayerNorm& op) {
        const auto axis = graph_.value(node_.inputs[0]).channel_axis;
        const auto& shape = in().shape();
        const auto D = shape[axis];
        std::int64_t stride = 1;
        for (auto a = axis + 1; a < shape.rank(); ++a) stride *= shape[a];
        const auto gamma = weights_.values(op.gamma), beta = weights_.values(op.beta);
        for (std::int64_t row = 0; row < in().num_elements() / D; ++row) {
            const auto place = [&](std::int64_t c) { return static_cast<std::size_t>((row / stride * D + c) * stride + row % stride); };
            std::vector<float> x, c, squares;
            for (std::int64_t k = 0; k < D; ++k) x.push_back(in()[place(k)]);
            const float mean = div(s_of(x), static_cast<float>(D));
            for (auto v : x) c.push_back(sub(v, mean));
            for (auto v : c) squares.push_back(mul(v, v));
            const float f = div(1, root(add(div(s_of(squares), static_cast<float>(D)), nearest(op.eps))));
            for (std::int64_t k = 0; k < D; ++k) {
                const auto i = static_cast<std::size_t>(k);
                out_[place(k)] = r(add(mul(mul(c[i], f), gamma[i]), beta[i]));
            }
        }
    }

    void apply(const models::Softmax&) {
        const auto N = in().shape().back();
        for (std::int64_t row = 0; row < in().num_elements() / N; ++row) {
            float largest = -std::numeric_limits<float>::infinity();
            for (std::int64_t k = 0; k < N; ++k) largest = std::fmax(largest, in()[static_cast<std::size_t>(row * N + k)]);
            std::vector<float> e;
            for (std::int64_t k = 0; k < N; ++k) e.push_back(exponential(sub(in()[static_cast<std::size_t>(row * N + k)], largest)));
            const float reciprocal = div(1, s_of(e));
            for (std::int64_t k = 0; k < N; ++k) out_[static_cast<std::size_t>(row * N + k)] = r(mul(e[static_cast<std::size_t>(k)], reciprocal));
        }
    }

    void apply(const models::Gelu&) {
        for (std::size_t i = 0; i < out_.values().size(); ++i) out_[i] = r(gelu(in()[i]));
    }
    void apply(const models::Relu&) {
        for (std::size_t i = 0; i < out_.values().size(); ++i) out_[i] = in()[i] > 0 ? in()[i] : 0.0F;
    }

    void apply(const models::Add&) {
        const auto &a = in(0).shape(), &b = in(1).shape();
        std::vector<std::int64_t> index(a.rank(), 0);
        for (std::size_t i = 0; i < out_.values().size(); ++i) {
            std::int64_t other = 0;
            for (std::size_t axis = 0; axis < a.rank(); ++axis) other = other * b[axis] + (b[axis] == 1 ? 0 : index[axis]);
            out_[i] = r(add(in(0)[i], in(1)[static_cast<std::size_t>(other)]));
            for (auto axis = a.rank(); axis-- > 0;) {
                if (++index[axis] < a[axis]) break;
                index[axis] = 0;
            }
        }
    }

    void apply(const models::Resize& op) {
        const auto &from = in().shape(), &to = out_.shape();
        const auto tap = [](std::int64_t i, std::int64_t n_in, std::int64_t n_out) {
            const auto p = std::min(std::max<std::int64_t>((2 * i + 1) * n_in - n_out, 0), 2 * (n_in - 1) * n_out), first = p / (2 * n_out);
            return std::tuple{first, std::min(first + 1, n_in - 1), div(static_cast<float>(p % (2 * n_out)), static_cast<float>(2 * n_out))};
        };
        const auto blend = [](float a, float b, float w) { return add(mul(sub(1, w), a), mul(w, b)); };
        for (std::int64_t plane = 0; plane < to[0] * to[1]; ++plane) {
            for (std::int64_t y = 0; y < to[2]; ++y) {
                for (std::int64_t x = 0; x < to[3]; ++x) {
                    const auto [y0, y1, wy] = tap(y, from[2], op.height);
                    const auto [x0, x1, wx] = tap(x, from[3], op.width);
                    const auto pixel = [&](std::int64_t py, std::int64_t px) { return in()[static_cast<std::size_t>((plane * from[2] + py) * from[3] + px)]; };
                    const float top = blend(pixel(y0, x0), pixel(y0, x1), wx), bottom = blend(pixel(y1, x0), pixel(y1, x1), wx);
                    out_[static_cast<std::size_t>((plane * to[2] + y) * to[3] + x)] = r(blend(top, bottom, wy));
                }
            }
        }
    }

    void apply(const models::PromptEmbedding& op) {
        const auto gaussian = weights_.values(op.gaussian);
        const auto F = op.num_frequencies;
        for (std::int64_t token = 0; token < in(1).num_elements(); ++token) {
            const float label = in(1)[static_cast<std::size_t>(token)];
            const auto l = weights_.values(label < 0 ? op.not_a_point : op.labels[static_cast<std::size_t>(label)]);
            const auto centred = [&](std::int64_t axis) {
                const float x = in(0)[static_cast<std::size_t>(2 * token + axis)];
                return sub(mul(2, div(add(x, 0.5F), static_cast<float>(op.image_size))), 1);
            };
            for (std::int64_t i = 0; i < 2 * F; ++i) {
                const auto g = static_cast<std::size_t>(i % F);
                const float t = add(mul(centred(0), gaussian[g]), mul(centred(1), gaussian[static_cast<std::size_t>(F) + g]));
                const float f = sub(t, round(t));
                const float sine = sine_of_turns(i < F ? f : add(f, 0.25F)), embedding = l[static_cast<std::size_t>(i)];
                out_[static_cast<std::size_t>(token * 2 * F + i)] = r(label < 0 ? embedding : add(sine, embedding));
            }
        }
    }

    void apply(const models::Parameter& op) {
        const auto w = weight(op.tensor);
        for (std::int64_t i = 0; i < out_.num_elements(); ++i) out_[static_cast<std::size_t>(i)] = w(i);
    }

    template <class Other>
    void apply(const Other&) {
        models::check(false, "float oracle: moves or is computed offline: " + node_.name);
    }

    const models::Graph& graph_;
    const models::Node& node_;
    std::span<const Tensor* const> in_;
    const models::Weights& weights_;
    FloatForm form_;
    Tensor out_;
    int out_bits_;
};

}  // namespace

float stored(int bits, float x) {
    if (bits == 32) return x;
    const double magnitude = std::fabs(static_cast<double>(x));
    int exponent = 0;
    (void)std::frexp(magnitude, &exponent);
    const int last_bit = std::max(exponent - 11, -24);
    const double rounded = std::ldexp(std::nearbyint(std::ldexp(magnitude, -last_bit)), last_bit);
    return std::copysign(nearest(std::min(rounded, 65504.0)), x);
}

float sum(std::span<const float> entries, int block) {
    float s = 0;
    for (std::int64_t first = 0; first < static_cast<std::int64_t>(entries.size()); first += block) s = add(s, tree(entries, first, block));
    return s;
}

float exponential(float v) {
    if (v < -86) return 0;
    const float n = round(mul(v, nearest(1.44269504)));
    const float r = sub(sub(v, mul(n, nearest(0.693359375))), mul(n, nearest(-2.12194440e-4)));
    const float p = polynomial(r, {1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1, 1});
    return mul(p, static_cast<float>(std::ldexp(1.0, static_cast<int>(n))));
}

float gelu(float x) {
    const float a = mul(std::fabs(x), nearest(0.70710678));
    const float t = div(1, add(mul(nearest(0.3275911), a), 1));
    const float p = mul(polynomial(t, {1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592}), t);
    const float h = mul(0.5F, mul(p, exponential(-mul(a, a))));
    return mul(x, x < 0 ? h : sub(1, h));
}

float sine_of_turns(float t) {
    float f = sub(t, round(t));
    if (std::fabs(f) > 0.25F) f = sub(std::copysign(0.5F, f), f);
    const float x = mul(f, nearest(6.28318531)), s = mul(x, x);
    return mul(polynomial(s, {1.0 / 6227020800.0, -1.0 / 39916800, 1.0 / 362880, -1.0 / 5040, 1.0 / 120, -1.0 / 6, 1}), x);
}

models::Tensor float_node(const models::Graph& graph, const models::Node& node, std::span<const models::Tensor* const> inputs, const models::Weights& weights,
                          const FloatForm& form, bool wide) {
    return NodeOracle(graph, node, inputs, weights, form, wide).run();
}

}  // namespace prelude::oracle
