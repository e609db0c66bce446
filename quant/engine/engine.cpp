// SPDX-License-Identifier: Apache-2.0
#include "quant/engine/engine.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

#include "models/graph/movement.hpp"
#include "models/overloaded.hpp"
#include "quant/arithmetic/elementwise.hpp"
#include "quant/arithmetic/layernorm.hpp"
#include "quant/arithmetic/rescale.hpp"
#include "quant/arithmetic/softmax.hpp"
#include "quant/engine/products.hpp"

namespace prelude::quant {

using models::Graph;
using models::Node;
using models::ValueId;

namespace {

using Inputs = std::span<const IntTensor* const>;

/// One node: the graph's operator says where words lie, the operation says what is computed.
class NodeRunner {
  public:
    NodeRunner(const Graph& graph, const Node& node, Inputs inputs, ProductPath path, std::int64_t& overflows)
        : graph_(graph), node_(node), in_(inputs), out_(graph.value(node.output).shape), path_(path), overflows_(overflows) {}

    IntTensor take() { return std::move(out_); }

    void operator()(const Contraction& form) { contract(form, [&](std::int64_t, std::size_t o, std::int64_t acc) { return rescale(form.rescale, o, acc); }); }

    void operator()(const PatchEmbedding& form) {
        const auto& op = std::get<models::Conv>(node_.op);
        const auto across = graph_.value(node_.output).shape[3];
        const auto height = op.content_height ? op.content_height : in_[0]->shape()[2], width = op.content_width ? op.content_width : in_[0]->shape()[3];
        const PatchOffsets offsets(form, height, width);
        contract(form.contraction, [&](std::int64_t row, std::size_t o, std::int64_t acc) {
            const auto& rescale_form = form.contraction.rescale;
            const auto operand = rne_shift(acc, rescale_form.operand_shift);
            const auto y = rne_shift(rescale_form.multiplier[o] * operand + offsets.at(row / across, row % across, o), rescale_form.shift[o]);
            return static_cast<std::int32_t>(saturate(rescale_form.zero_point[o] + y, rescale_form.lo, rescale_form.hi));
        });
    }

    void operator()(const Product& form) { out_ = run_product(form, *in_[0], *in_[1], path_, overflows_); }

    void operator()(const RelativePositionOp& form) {
        const auto &scores = *in_[0], &q = *in_[1];
        const auto tokens = form.height * form.width;
        std::vector<std::int64_t> down(static_cast<std::size_t>(form.height)), across(static_cast<std::size_t>(form.width));
        for (std::int64_t b = 0; b < scores.shape()[0]; ++b) {
            for (std::int64_t t = 0; t < tokens; ++t) {
                const auto row = q.row(b * tokens + t);
                relative_position_terms(form, row, t / form.width, t % form.width, down, across);
                const auto from = scores.row(b * tokens + t);
                auto to = out_.row(b * tokens + t);
                std::size_t k = 0;
                for (const auto vertical : down) {
                    for (const auto horizontal : across) {
                        to[k] = static_cast<std::int32_t>(saturate(from[k] + vertical + horizontal, signed_min(form.score_bits), signed_max(form.score_bits)));
                        ++k;
                    }
                }
            }
        }
    }

    void operator()(const SoftmaxOp& form) {
        for (std::int64_t row = 0; row < out_.shape().num_rows(); ++row) softmax_row(form, in_[0]->row(row), out_.row(row));
    }

    void operator()(const LayerNormOp& form) {
        const auto axis = graph_.value(node_.inputs[0]).channel_axis;
        const auto& shape = in_[0]->shape();
        std::int64_t stride = 1;
        for (auto a = axis + 1; a < shape.rank(); ++a) stride *= shape[a];
        for (std::int64_t outer = 0; outer < shape.num_elements() / (stride * form.channels); ++outer) {
            for (std::int64_t inner = 0; inner < stride; ++inner) {
                const auto begin = outer * form.channels * stride + inner;
                layer_norm_row(form, in_[0]->data() + begin, out_.data() + begin, stride);
            }
        }
    }

    void operator()(const TableOp& form) {
        for (std::size_t i = 0; i < out_.values().size(); ++i) out_[i] = lookup(form, (*in_[0])[i]);
    }

    void operator()(const AddOp& form) {
        const auto &left = *in_[0], &right = *in_[1];
        if (left.shape() == right.shape()) {
            for (std::size_t i = 0; i < out_.values().size(); ++i) out_[i] = add(form, left[i], right[i]);
            return;
        }
        const auto& shape = left.shape();  // broadcast: walk the right operand's indices
        std::vector<std::int64_t> index(shape.rank(), 0);
        for (std::size_t i = 0; i < out_.values().size(); ++i) {
            std::int64_t source = 0;
            for (std::size_t axis = 0; axis < shape.rank(); ++axis) source = source * right.shape()[axis] + (right.shape()[axis] == 1 ? 0 : index[axis]);
            out_[i] = add(form, left[i], right[static_cast<std::size_t>(source)]);
            for (auto axis = shape.rank(); axis-- > 0;) {
                if (++index[axis] < shape[axis]) break;
                index[axis] = 0;
            }
        }
    }

    void operator()(const RequantizeOp& form) {
        const auto axis = graph_.value(node_.inputs[0]).channel_axis;
        const auto& shape = in_[0]->shape();
        std::int64_t stride = 1;
        for (auto a = axis + 1; a < shape.rank(); ++a) stride *= shape[a];
        for (std::int64_t i = 0; i < out_.num_elements(); ++i) {
            const auto channel = static_cast<std::size_t>(i / stride % shape[axis]);
            out_[static_cast<std::size_t>(i)] = rescale(form.rescale, channel, (*in_[0])[static_cast<std::size_t>(i)]);
        }
    }

    void operator()(const ConstantOp& form) { out_ = form.values; }

    void operator()(const PromptOp& form) {
        const auto &coordinates = *in_[0], &labels = *in_[1];
        for (std::int64_t token = 0; token < labels.num_elements(); ++token) {
            const auto t = static_cast<std::size_t>(token);
            prompt_row(form, coordinates[2 * t], coordinates[2 * t + 1], labels[t], out_.row(token));
        }
    }

    void operator()(const MoveOp& form) {
        std::visit(models::Overloaded{[&](const models::Rearrange& op) { out_ = models::rearrange(op, *in_[0]); },
                                      [&](const models::WindowPartition& op) {
                                          out_ = models::window_partition(op, *in_[0], std::span<const std::int32_t>(form.padding));
                                      },
                                      [&](const models::WindowUnpartition& op) { out_ = models::window_unpartition(op, *in_[0]); },
                                      [&](const models::Concat& op) { out_ = models::concat<std::int32_t>(op, in_, out_.shape()); },
                                      [&](const auto&) { models::check(false, node_.name + " is not a movement"); }},
                   node_.op);
    }

    void operator()(const ResizeOp& form) {
        const auto& op = std::get<models::Resize>(node_.op);
        const auto& in = in_[0]->shape();
        const auto rows = out_.shape()[2], cols = out_.shape()[3];
        std::vector<Tap> across;
        for (std::int64_t x = 0; x < cols; ++x) across.push_back(tap(x, in[3], op.width));
        for (std::int64_t plane = 0; plane < in[0] * in[1]; ++plane) {
            const auto* from = in_[0]->data() + plane * in[2] * in[3];
            auto* to = out_.data() + plane * rows * cols;
            for (std::int64_t y = 0; y < rows; ++y) {
                const auto down = tap(y, in[2], op.height);
                for (const auto& horizontal : across) *to++ = interpolate(form, from + down.first * in[3], from + down.second * in[3], down.weight, horizontal);
            }
        }
    }

  private:
    /// Offsets of the patch embedding by how many rows and columns of a patch are real.
    class PatchOffsets {
      public:
        PatchOffsets(const PatchEmbedding& form, std::int64_t height, std::int64_t width)
            : patch_(form.patch), height_(height), width_(width), outputs_(static_cast<std::size_t>(form.contraction.num_outputs)) {
            for (const auto rows : {patch_, height % patch_, std::int64_t{0}}) {
                for (const auto cols : {patch_, width % patch_, std::int64_t{0}}) {
                    for (std::size_t o = 0; o < outputs_; ++o) offsets_.push_back(patch_offset(form, o, rows, cols));
                }
            }
        }
        [[nodiscard]] std::int64_t at(std::int64_t row, std::int64_t col, std::size_t o) const {
            return offsets_[(3 * kind(row, height_) + kind(col, width_)) * outputs_ + o];
        }

      private:
        [[nodiscard]] std::size_t kind(std::int64_t index, std::int64_t extent) const {
            return (index + 1) * patch_ <= extent ? 0 : index * patch_ < extent ? 1 : 2;
        }
        std::int64_t patch_, height_, width_;
        std::size_t outputs_;
        std::vector<std::int64_t> offsets_;
    };

    /// Runs a contraction by its operator's layout; `finish_word(row, output channel, Acc)` makes the word.
    template <class Finish>
    void contract(const Contraction& form, Finish finish_word) {
        if (std::holds_alternative<models::Linear>(node_.op)) {
            const auto rows = in_[0]->shape().num_rows();
            const auto acc = accumulate_rows(form, in_[0]->values(), rows, path_, overflows_);
            for (std::size_t i = 0; i < acc.size(); ++i) {
                const auto n = static_cast<std::size_t>(form.num_outputs);
                out_[i] = finish_word(static_cast<std::int64_t>(i / n), i % n, acc[i]);
            }
            return;
        }
        const auto& shape = out_.shape();
        if (const auto* conv = std::get_if<models::Conv>(&node_.op)) {
            const auto pixels = shape[2] * shape[3];
            const auto acc = accumulate_rows(form, convolution_rows(*conv, *in_[0], form), shape[0] * pixels, path_, overflows_);
            for (std::int64_t row = 0; row < shape[0] * pixels; ++row) {
                for (std::int64_t o = 0; o < shape[1]; ++o) {
                    out_[static_cast<std::size_t>((row / pixels * shape[1] + o) * pixels + row % pixels)] =
                        finish_word(row % pixels, static_cast<std::size_t>(o), acc[static_cast<std::size_t>(row * shape[1] + o)]);
                }
            }
            return;
        }
        const auto& up = std::get<models::ConvTranspose>(node_.op);
        const models::Conv pointwise{.in_channels = up.in_channels, .out_channels = up.out_channels};
        const auto height = in_[0]->shape()[2], width = in_[0]->shape()[3], kernel = up.kernel;
        const auto acc = accumulate_rows(form, convolution_rows(pointwise, *in_[0], form), shape[0] * height * width, path_, overflows_);
        for (std::int64_t row = 0; row < shape[0] * height * width; ++row) {
            const auto b = row / (height * width), y = row / width % height, x = row % width;
            for (std::int64_t n = 0; n < form.num_outputs; ++n) {
                const auto o = n / (kernel * kernel), ky = n / kernel % kernel, kx = n % kernel;
                out_[static_cast<std::size_t>(((b * shape[1] + o) * shape[2] + y * kernel + ky) * shape[3] + x * kernel + kx)] =
                    finish_word(row, static_cast<std::size_t>(o), acc[static_cast<std::size_t>(row * form.num_outputs + n)]);
            }
        }
    }

    const Graph& graph_;
    const Node& node_;
    Inputs in_;
    IntTensor out_;
    ProductPath path_;
    std::int64_t& overflows_;
};

}  // namespace

Engine::Engine(const Graph& graph, const QuantizedGraph& quantized, ProductPath path) : graph_(graph), quantized_(quantized), path_(path) {
    std::vector<std::string> missing;
    for (const auto& node : graph.nodes()) {
        if (!quantized.operations.contains(node.name)) missing.push_back(node.name);
    }
    if (!missing.empty()) throw SettingsError(fmt::format("the quantized graph has no integers for: {}", fmt::join(missing, ", ")));
}

IntTensor Engine::run_node(const Node& node, Inputs inputs) const {
    NodeRunner runner(graph_, node, inputs, path_, overflows_);
    std::visit(runner, quantized_.operation(node.name));
    return runner.take();
}

Words Engine::run(Words given, std::span<const ValueId> wanted, const WordHook& hook) const {
    std::vector<ValueId> have;
    for (const auto& [id, words] : given) have.push_back(id);
    const auto order = models::slice(graph_, have, wanted);
    std::map<ValueId, std::size_t> last_use;
    for (std::size_t i = 0; i < order.size(); ++i) {
        for (auto input : graph_.node(order[i]).inputs) last_use[input] = i;
    }
    for (auto id : wanted) last_use[id] = order.size();
    auto live = std::move(given);
    for (const auto input : graph_.inputs()) {
        if (const auto found = live.find(input); hook && found != live.end()) hook(graph_, input, found->second);
    }
    for (std::size_t i = 0; i < order.size(); ++i) {
        const auto& node = graph_.node(order[i]);
        std::vector<const IntTensor*> inputs;
        for (auto input : node.inputs) inputs.push_back(&live.at(input));
        auto words = run_node(node, inputs);
        if (hook) hook(graph_, node.output, words);
        live[node.output] = std::move(words);
        for (auto input : node.inputs) {
            if (last_use[input] == i) live.erase(input);
        }
    }
    std::erase_if(live, [&](const auto& entry) { return std::ranges::find(wanted, entry.first) == wanted.end(); });
    return live;
}

std::int32_t coordinate_word(double pixel) noexcept { return static_cast<std::int32_t>(std::nearbyint(std::ldexp(pixel + 0.5, kCoordinateFraction))); }

}  // namespace prelude::quant
