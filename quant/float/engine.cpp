// SPDX-License-Identifier: Apache-2.0
#include "quant/float/engine.hpp"

#include "models/graph/movement.hpp"
#include "models/overloaded.hpp"

namespace prelude::quant {

using models::Graph;
using models::Node;
using models::Shape;
using models::Tensor;
using models::ValueId;

/// One node: the graph's operator says where values lie, the operation has its constants.
class FloatEngine::NodeRunner {
  public:
    NodeRunner(const FloatEngine& engine, const Node& node, std::span<const Tensor* const> inputs)
        : engine_(engine), node_(node), in_(inputs), operation_(engine.floats_.operation(node.name)), out_(Tensor::uninitialised(engine.graph_.value(node.output).shape)),
          bits_(engine.floats_.plan.format(engine.graph_.value(node.output).name).bits), block_(engine.floats_.block()) {}

    Tensor run() {
        std::visit([this](const auto& op) { apply(op); }, node_.op);
        return std::move(out_);
    }

  private:
    template <class Form>
    [[nodiscard]] const Form& form() const {
        return std::get<Form>(operation_);
    }
    [[nodiscard]] float stored(float x) const noexcept { return floating::stored(bits_, x); }

    template <class Word>
    void for_each(const Word& word) {
        constexpr std::int64_t kWorthThreads = 1 << 16;
        const auto count = out_.num_elements();
#pragma omp parallel for if (count >= kWorthThreads)
        for (std::int64_t i = 0; i < count; ++i) out_[static_cast<std::size_t>(i)] = word(static_cast<std::size_t>(i));
    }

    const floating::PackedOperand& packed(const FloatContraction& form) const {
        const auto at = [&](std::int64_t n, std::int64_t k) { return form.weights[static_cast<std::size_t>(n * form.depth + k)]; };
        return engine_.packed_.try_emplace(&form, form.num_outputs, form.depth, block_, at).first->second;
    }

    /// Sums of `rows` rows of operands; `place(row, n)`: where output n of a row goes.
    template <class Place>
    void contract(const float* left, std::int64_t rows, const Place& place) {
        const auto& f = form<FloatContraction>();
        const auto outputs = f.num_outputs;
        constexpr std::int64_t kRows = 4096;
        std::vector<float> sums(static_cast<std::size_t>(std::min(rows, kRows) * outputs));
        for (std::int64_t begin = 0; begin < rows; begin += kRows) {
            const auto count = std::min(kRows, rows - begin);
            floating::multiply(left + begin * f.depth, count, packed(f), block_, sums.data());
            for (std::int64_t r = 0; r < count; ++r) {
                for (std::int64_t n = 0; n < outputs; ++n) {
                    out_[static_cast<std::size_t>(place(begin + r, n))] = stored(f.finish(sums[static_cast<std::size_t>(r * outputs + n)], n / f.outputs_per_bias));
                }
            }
        }
    }

    /// Operands of every output pixel of a convolution: [pixels, C k k], 0 outside the picture.
    [[nodiscard]] std::vector<float> patches(const models::Conv& op) const {
        const auto &in = in_[0]->shape(), &out = out_.shape();
        std::vector<float> rows;
        rows.reserve(static_cast<std::size_t>(in[0] * out[2] * out[3] * op.in_channels * op.kernel * op.kernel));
        for (std::int64_t b = 0; b < in[0]; ++b) {
            for (std::int64_t pixel = 0; pixel < out[2] * out[3]; ++pixel) {
                for (std::int64_t c = 0; c < op.in_channels; ++c) {
                    for (std::int64_t tap = 0; tap < op.kernel * op.kernel; ++tap) {
                        const auto y = pixel / out[3] * op.stride - op.padding + tap / op.kernel, x = pixel % out[3] * op.stride - op.padding + tap % op.kernel;
                        const bool inside = y >= 0 && x >= 0 && y < in[2] && x < in[3];
                        rows.push_back(inside ? (*in_[0])[static_cast<std::size_t>(((b * in[1] + c) * in[2] + y) * in[3] + x)] : 0.0F);
                    }
                }
            }
        }
        return rows;
    }

    void apply(const models::Linear&) {
        const auto outputs = out_.shape().back();
        contract(in_[0]->data(), in_[0]->shape().num_rows(), [&](std::int64_t row, std::int64_t n) { return row * outputs + n; });
    }

    void apply(const models::Conv& op) {
        const auto& out = out_.shape();
        const auto pixels = out[2] * out[3];
        const auto rows = patches(op);
        contract(rows.data(), out[0] * pixels, [&](std::int64_t row, std::int64_t n) { return (row / pixels * out[1] + n) * pixels + row % pixels; });
    }

    void apply(const models::ConvTranspose& op) {
        const auto &in = in_[0]->shape(), &out = out_.shape();
        const auto pixels = in[2] * in[3], area = op.kernel * op.kernel;
        std::vector<float> rows(static_cast<std::size_t>(in.num_elements()));
        for (std::int64_t b = 0; b < in[0]; ++b) models::transpose(in_[0]->data() + b * in[1] * pixels, pixels, rows.data() + b * in[1] * pixels, pixels, in[1]);
        contract(rows.data(), in[0] * pixels, [&](std::int64_t row, std::int64_t n) {
            const auto b = row / pixels, y = row / in[3] % in[2], x = row % in[3];
            return ((b * out[1] + n / area) * out[2] + y * op.kernel + n / op.kernel % op.kernel) * out[3] + x * op.kernel + n % op.kernel;
        });
    }

    void apply(const models::MatMul&) {
        const auto& f = form<FloatProduct>();
        const auto &left = *in_[0], &right = *in_[1];
        const auto batch = left.shape()[0], rows = left.shape()[1], depth = left.shape()[2], outputs = out_.shape()[2];
        for (std::int64_t b = 0; b < batch; ++b) {
            const auto* from = right.data() + b * depth * outputs;
            const auto n_stride = f.transpose_right ? depth : 1, k_stride = f.transpose_right ? 1 : outputs;
            const floating::PackedOperand operand(outputs, depth, block_, [&](std::int64_t n, std::int64_t k) { return from[n * n_stride + k * k_stride]; });
            auto* to = out_.data() + b * rows * outputs;
            floating::multiply(left.data() + b * rows * depth, rows, operand, block_, to);
            for (std::int64_t i = 0; i < rows * outputs; ++i) to[i] = stored(to[i] * f.scale);
        }
    }

    void apply(const models::RelativePosition& op) {
        const auto& f = form<FloatRelativePosition>();
        const auto tokens = op.height * op.width;
#pragma omp parallel for schedule(dynamic, 16)
        for (std::int64_t row = 0; row < in_[0]->shape()[0] * tokens; ++row) {
            std::vector<float> down(static_cast<std::size_t>(op.height)), across(static_cast<std::size_t>(op.width));
            const auto token = row % tokens;
            floating::relative_position_terms(in_[1]->row(row), f.table_height, f.table_width, token / op.width, token % op.width, block_, down, across);
            const auto scores = in_[0]->row(row);
            auto out = out_.row(row);
            for (std::size_t k = 0; k < scores.size(); ++k) out[k] = stored((scores[k] + down[k / across.size()]) + across[k % across.size()]);
        }
    }

    void apply(const models::Softmax&) {
        out_ = *in_[0];
#pragma omp parallel for
        for (std::int64_t row = 0; row < out_.shape().num_rows(); ++row) floating::softmax_row(out_.row(row), block_, bits_);
    }

    void apply(const models::LayerNorm&) {
        const auto& f = form<FloatNorm>();
        const auto axis = engine_.graph_.value(node_.inputs[0]).channel_axis;
        const auto& shape = in_[0]->shape();
        const auto channels = shape[axis];
        std::int64_t stride = 1;
        for (auto a = axis + 1; a < shape.rank(); ++a) stride *= shape[a];
#pragma omp parallel for
        for (std::int64_t row = 0; row < shape.num_elements() / channels; ++row) {
            const auto begin = row / stride * channels * stride + row % stride;
            floating::layer_norm_row(in_[0]->data() + begin, out_.data() + begin, stride, f.gamma, f.beta, f.epsilon, block_, bits_);
        }
    }

    void apply(const models::Gelu&) {
        for_each([&](std::size_t i) { return stored(floating::gelu((*in_[0])[i])); });
    }
    void apply(const models::Relu&) {
        for_each([&](std::size_t i) { return stored(floating::relu((*in_[0])[i])); });
    }

    void apply(const models::Add&) {
        const auto &left = *in_[0], &right = *in_[1];
        if (left.shape() == right.shape()) return for_each([&](std::size_t i) { return stored(left[i] + right[i]); });
        const auto& shape = left.shape();
        for_each([&](std::size_t i) {
            std::int64_t source = 0, stride = 1;
            auto index = static_cast<std::int64_t>(i);
            for (auto axis = shape.rank(); axis-- > 0;) {  // broadcast: axes of extent 1 repeat
                if (right.shape()[axis] != 1) source += index % shape[axis] * stride;
                stride *= right.shape()[axis];
                index /= shape[axis];
            }
            return stored(left[i] + right[static_cast<std::size_t>(source)]);
        });
    }

    void apply(const models::WindowPartition& op) {
        const std::vector<float> padding(static_cast<std::size_t>(in_[0]->shape()[2]), 0.0F);
        out_ = models::window_partition(op, *in_[0], std::span<const float>(padding));
    }
    void apply(const models::WindowUnpartition& op) { out_ = models::window_unpartition(op, *in_[0]); }
    void apply(const models::Rearrange& op) { out_ = models::rearrange(op, *in_[0]); }
    void apply(const models::Concat& op) { out_ = models::concat<float>(op, in_, out_.shape()); }
    void apply(const models::Requantize&) { models::check(false, node_.name + ": the float engine walks graphs of one format"); }
    void apply(const models::Parameter&) { out_ = form<FloatConstant>().values; }
    void apply(const models::DensePositionCode&) { out_ = form<FloatConstant>().values; }

    void apply(const models::PromptEmbedding&) {
        const auto tables = form<FloatPrompt>().tables();
        for (std::int64_t token = 0; token < in_[1]->num_elements(); ++token) {
            const auto point = in_[0]->row(token);
            floating::prompt_row(tables, point[0], point[1], (*in_[1])[static_cast<std::size_t>(token)], out_.row(token), bits_);
        }
    }

    void apply(const models::Resize& op) {
        const auto& in = in_[0]->shape();
        const auto rows = out_.shape()[2], cols = out_.shape()[3];
        std::vector<floating::Tap> across;
        for (std::int64_t x = 0; x < cols; ++x) across.push_back(floating::tap(x, in[3], op.width));
        for (std::int64_t plane = 0; plane < in[0] * in[1]; ++plane) {
            const auto* from = in_[0]->data() + plane * in[2] * in[3];
            auto* to = out_.data() + plane * rows * cols;
            for (std::int64_t y = 0; y < rows; ++y) {
                const auto down = floating::tap(y, in[2], op.height);
                for (const auto& tap : across) *to++ = stored(floating::interpolate(from + down.first * in[3], from + down.second * in[3], down.weight, tap));
            }
        }
    }

    const FloatEngine& engine_;
    const Node& node_;
    std::span<const Tensor* const> in_;
    const FloatOperation& operation_;
    Tensor out_;
    int bits_, block_;
};

FloatEngine::FloatEngine(const Graph& graph, const FloatGraph& floats) : graph_(graph), floats_(floats) {
    for (const auto& node : graph.nodes()) models::check(floats.operations.contains(node.name), "float engine: the float graph has no " + node.name);
}

FloatEngine::Values FloatEngine::run(Values given, std::span<const ValueId> wanted, const Hook& hook) const {
    std::vector<ValueId> have;
    for (auto& [id, tensor] : given) {
        have.push_back(id);
        for (auto& value : tensor.values()) value = floating::stored(floats_.plan.format(graph_.value(id).name).bits, value);
    }
    const auto order = models::slice(graph_, have, wanted);
    const auto last_use = models::last_uses(graph_, order, wanted);
    auto live = std::move(given);
    for (std::size_t i = 0; i < order.size(); ++i) {
        const auto& node = graph_.node(order[i]);
        std::vector<const Tensor*> inputs;
        for (auto input : node.inputs) inputs.push_back(&live.at(input));
        auto values = NodeRunner(*this, node, inputs).run();
        if (hook) hook(graph_, node.output, values);
        live[node.output] = std::move(values);
        for (auto input : node.inputs) {
            if (last_use.at(input) == i) live.erase(input);
        }
    }
    std::erase_if(live, [&](const auto& entry) { return std::ranges::find(wanted, entry.first) == wanted.end(); });
    return live;
}

}  // namespace prelude::quant
