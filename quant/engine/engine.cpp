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
#include "quant/engine/attention.hpp"
#include "quant/engine/relative_rows.hpp"
#include "quant/engine/softmax_rows.hpp"

namespace prelude::quant {

using models::Graph;
using models::Node;
using models::ValueId;

namespace {

using Inputs = std::span<const IntTensor* const>;

/// One node: the graph's operator says where words lie, the operation says what is computed.
class NodeRunner {
  public:
    using Contractions = std::map<const Contraction*, ContractionRunner>;

    NodeRunner(const Graph& graph, const Node& node, Inputs inputs, ProductPath path, Contractions& contractions, std::int64_t& overflows)
        : graph_(graph), node_(node), in_(inputs), out_(IntTensor::uninitialised(graph.value(node.output).shape)), path_(path), contractions_(contractions), overflows_(overflows) {}

    IntTensor take() { return std::move(out_); }

    void operator()(const Contraction& form) {
        auto& runner = runner_of(form);
        contract(form, out_, [&](std::int64_t, std::span<const std::int64_t> acc, std::int32_t* out) { runner.rescale_row(acc, out); });
    }

    void operator()(const PatchEmbedding& form) {
        const auto& op = std::get<models::Conv>(node_.op);
        const auto across = graph_.value(node_.output).shape[3];
        const auto height = op.content_height ? op.content_height : in_[0]->shape()[2], width = op.content_width ? op.content_width : in_[0]->shape()[3];
        const PatchOffsets offsets(form, height, width);
        contract(form.contraction, out_, [&](std::int64_t row, std::span<const std::int64_t> acc, std::int32_t* out) {
            const auto& rescale_form = form.contraction.rescale;
            for (std::size_t o = 0; o < acc.size(); ++o) {
                const auto operand = rne_shift(acc[o], rescale_form.operand_shift);
                const auto y = rne_shift(rescale_form.multiplier[o] * operand + offsets.at(row / across, row % across, o), rescale_form.shift[o]);
                out[o] = static_cast<std::int32_t>(saturate(rescale_form.zero_point[o] + y, rescale_form.lo, rescale_form.hi));
            }
        });
    }

    void operator()(const Product& form) { out_ = run_product(form, *in_[0], *in_[1], path_, overflows_); }

    void operator()(const RelativePositionOp& form) {
        const auto &scores = *in_[0], &q = *in_[1];
        const auto tokens = form.height * form.width;
        out_ = scores;
        constexpr std::int64_t kBlock = 64;
        const RelativeRows relative(form, kBlock, path_);
        const auto blocks = (tokens + kBlock - 1) / kBlock;
#pragma omp parallel for schedule(dynamic)
        for (std::int64_t task = 0; task < scores.shape()[0] * blocks; ++task) {
            const auto first = task % blocks * kBlock, count = std::min(kBlock, tokens - first), row = task / blocks * tokens + first;
            const auto queries = q.values().subspan(static_cast<std::size_t>(row * form.head_dim), static_cast<std::size_t>(count * form.head_dim));
            relative.run(queries, first, count, out_.row(row).data());
        }
    }

    void operator()(const SoftmaxOp& form) {
        const SoftmaxRows rows(form);
#pragma omp parallel for
        for (std::int64_t row = 0; row < out_.shape().num_rows(); ++row) rows.run(in_[0]->row(row), out_.row(row).data());
    }

    void operator()(const LayerNormOp& form) {
        const auto axis = graph_.value(node_.inputs[0]).channel_axis;
        const auto& shape = in_[0]->shape();
        std::int64_t stride = 1;
        for (auto a = axis + 1; a < shape.rank(); ++a) stride *= shape[a];
#pragma omp parallel for
        for (std::int64_t row = 0; row < shape.num_elements() / form.channels; ++row) {
            const auto begin = row / stride * form.channels * stride + row % stride;
            layer_norm_row(form, in_[0]->data() + begin, out_.data() + begin, stride);
        }
    }

    void operator()(const TableOp& form) {
        for_each_word([&](std::size_t i) { return lookup(form, (*in_[0])[i]); });
    }

    void operator()(const AddOp& form) {
        const auto &left = *in_[0], &right = *in_[1];
        if (left.shape() == right.shape()) {
            for_each_word([&](std::size_t i) { return add(form, left[i], right[i]); });
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
        for_each_word([&](std::size_t i) {
            const auto channel = i / static_cast<std::size_t>(stride) % static_cast<std::size_t>(shape[axis]);
            return rescale(form.rescale, channel, (*in_[0])[i]);
        });
    }

    /// Acc instead of words.
    models::BasicTensor<std::int64_t> sums(const Contraction& form) {
        auto sums = models::BasicTensor<std::int64_t>::uninitialised(out_.shape());
        contract(form, sums, [&](std::int64_t, std::span<const std::int64_t> acc, std::int64_t* out) { std::ranges::copy(acc, out); });
        return sums;
    }
    models::BasicTensor<std::int64_t> sums(const Product& form) { return {out_.shape(), product_sums(form, *in_[0], *in_[1])}; }

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

    ContractionRunner& runner_of(const Contraction& form) { return contractions_.try_emplace(&form, form, path_).first->second; }

    /// Runs a contraction by its operator's layout; `finish_row(pixel or token, Acc of all outputs, words)` ends a row, whose words go to `to`.
    template <class Word, class FinishRow>
    void contract(const Contraction& form, models::BasicTensor<Word>& to, const FinishRow& finish_row) {
        const auto n = static_cast<std::size_t>(form.num_outputs);
        // Every row of operands gives the words of `n` outputs, which `place(row, words)` brings to where the operator has them.
        const auto run = [&](std::span<const std::int32_t> codes, std::int64_t num_rows, std::int64_t rows_of_image, const auto& place) {
            runner_of(form).run(codes, num_rows, overflows_, [&](std::int64_t first, std::int64_t count, std::span<const std::int64_t> acc) {
                std::vector<Word> words(n);
                for (std::int64_t i = 0; i < count; ++i) {
                    finish_row((first + i) % rows_of_image, acc.subspan(static_cast<std::size_t>(i) * n, n), words.data());
                    place(first + i, words);
                }
            });
        };
        if (std::holds_alternative<models::Linear>(node_.op)) {
            const auto rows = in_[0]->shape().num_rows();
            return run(in_[0]->values(), rows, rows, [&](std::int64_t row, std::span<const Word> words) { std::ranges::copy(words, to.row(row).begin()); });
        }
        const auto& shape = to.shape();
        if (const auto* conv = std::get_if<models::Conv>(&node_.op)) {
            const auto pixels = shape[2] * shape[3];
            return run(convolution_rows(*conv, *in_[0], form), shape[0] * pixels, pixels, [&](std::int64_t row, std::span<const Word> words) {
                auto* first = to.data() + row / pixels * shape[1] * pixels + row % pixels;
                for (std::size_t o = 0; o < n; ++o) first[static_cast<std::int64_t>(o) * pixels] = words[o];
            });
        }
        const auto& up = std::get<models::ConvTranspose>(node_.op);
        const models::Conv pointwise{.in_channels = up.in_channels, .out_channels = up.out_channels};
        const auto height = in_[0]->shape()[2], width = in_[0]->shape()[3], kernel = up.kernel, pixels = height * width;
        run(convolution_rows(pointwise, *in_[0], form), shape[0] * pixels, pixels, [&](std::int64_t row, std::span<const Word> words) {
            const auto b = row / pixels, y = row / width % height, x = row % width;
            for (std::int64_t i = 0; i < form.num_outputs; ++i) {
                const auto o = i / (kernel * kernel), ky = i / kernel % kernel, kx = i % kernel;
                to[static_cast<std::size_t>(((b * shape[1] + o) * shape[2] + y * kernel + ky) * shape[3] + x * kernel + kx)] = words[static_cast<std::size_t>(i)];
            }
        });
    }

    /// out[i] = word(i), every word on its own.
    template <class Word>
    void for_each_word(const Word& word) {
        constexpr std::int64_t kWorthThreads = 1 << 16;
        const auto count = out_.num_elements();
#pragma omp parallel for if (count >= kWorthThreads)
        for (std::int64_t i = 0; i < count; ++i) out_[static_cast<std::size_t>(i)] = word(static_cast<std::size_t>(i));
    }

    const Graph& graph_;
    const Node& node_;
    Inputs in_;
    IntTensor out_;
    ProductPath path_;
    Contractions& contractions_;
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
    NodeRunner runner(graph_, node, inputs, path_, contractions_, overflows_);
    std::visit(runner, quantized_.operation(node.name));
    return runner.take();
}

models::BasicTensor<std::int64_t> Engine::accumulators(const Node& node, Inputs inputs) const {
    std::int64_t narrowed = 0;
    const auto& operation = quantized_.operation(node.name);
    const auto exact = [&](Contraction form) {
        form.accumulator = {};
        std::map<const Contraction*, ContractionRunner> own;
        return NodeRunner(graph_, node, inputs, path_, own, narrowed).sums(form);
    };
    if (const auto* form = std::get_if<Contraction>(&operation)) return exact(*form);
    if (const auto* patch = std::get_if<PatchEmbedding>(&operation)) return exact(patch->contraction);
    const auto* product = std::get_if<Product>(&operation);
    models::check(product != nullptr, node.name + " has no accumulators");
    return NodeRunner(graph_, node, inputs, path_, contractions_, narrowed).sums(*product);
}

std::optional<Engine::Attention> Engine::attention_at(std::span<const models::NodeId> next, std::span<const ValueId> wanted) const {
    Attention found{};
    const auto take = [&]<class Op>(const Node*& node, std::type_identity<Op>) {
        if (found.num_nodes == next.size()) return false;
        const auto& candidate = graph_.node(next[found.num_nodes]);
        if (!std::holds_alternative<Op>(candidate.op)) return false;
        if (found.num_nodes > 0) {  // reads what came before, alone
            const auto before = graph_.node(next[found.num_nodes - 1]).output;
            if (candidate.inputs[0] != before || graph_.consumers(before).size() != 1 || std::ranges::find(wanted, before) != wanted.end()) return false;
        }
        node = &candidate;
        ++found.num_nodes;
        return true;
    };
    if (!take(found.scores, std::type_identity<models::MatMul>{})) return std::nullopt;
    (void)take(found.relative, std::type_identity<models::RelativePosition>{});
    if (!take(found.softmax, std::type_identity<models::Softmax>{}) || !take(found.values, std::type_identity<models::MatMul>{})) return std::nullopt;
    return found;
}

std::optional<IntTensor> Engine::run_attention(const Attention& attention, const Words& live) const {
    if (path_ != ProductPath::automatic) return std::nullopt;
    const auto form = [&]<class Form>(const Node* node, std::type_identity<Form>) { return std::get_if<Form>(&quantized_.operation(node->name)); };
    const auto* scores = form(attention.scores, std::type_identity<Product>{});
    const auto* softmax = form(attention.softmax, std::type_identity<SoftmaxOp>{});
    const auto* values = form(attention.values, std::type_identity<Product>{});
    const auto* relative = attention.relative ? form(attention.relative, std::type_identity<RelativePositionOp>{}) : nullptr;
    const auto words = [&](const Node* node, std::size_t input) -> const IntTensor& { return live.at(node->inputs[input]); };
    return quant::run_attention({*scores, relative, *softmax, *values}, {words(attention.scores, 0), words(attention.scores, 1),
                                                                         relative ? &words(attention.relative, 1) : nullptr, words(attention.values, 1)});
}

Words Engine::run(Words given, std::span<const ValueId> wanted, const WordHook& hook) const {
    std::vector<ValueId> have;
    for (const auto& [id, words] : given) have.push_back(id);
    const auto order = models::slice(graph_, have, wanted);
    const auto last_use = models::last_uses(graph_, order, wanted);
    auto live = std::move(given);
    for (const auto input : graph_.inputs()) {
        if (const auto found = live.find(input); hook && found != live.end()) hook(graph_, input, found->second);
    }
    const auto forget_inputs = [&](std::size_t i) {
        for (auto input : graph_.node(order[i]).inputs) {
            if (last_use.at(input) == i) live.erase(input);
        }
    };
    for (std::size_t i = 0; i < order.size(); ++i) {
        const auto& node = graph_.node(order[i]);
        if (const auto attention = hook ? std::nullopt : attention_at(std::span(order).subspan(i), wanted)) {
            if (auto words = run_attention(*attention, live)) {
                live[attention->values->output] = *std::move(words);
                const auto end = i + attention->num_nodes;
                for (; i < end; ++i) forget_inputs(i);
                --i;
                continue;
            }
        }
        std::vector<const IntTensor*> inputs;
        for (auto input : node.inputs) inputs.push_back(&live.at(input));
        auto words = run_node(node, inputs);
        if (hook) hook(graph_, node.output, words);
        live[node.output] = std::move(words);
        forget_inputs(i);
    }
    std::erase_if(live, [&](const auto& entry) { return std::ranges::find(wanted, entry.first) == wanted.end(); });
    return live;
}

std::int32_t coordinate_word(double pixel) noexcept { return static_cast<std::int32_t>(std::nearbyint(std::ldexp(pixel + 0.5, kCoordinateFraction))); }

}  // namespace prelude::quant
