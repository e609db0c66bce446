// SPDX-License-Identifier: Apache-2.0
#include "tests/support/oracle/network.hpp"

#include <functional>
#include <numeric>

namespace prelude::oracle {

namespace {

using Index = std::vector<std::int64_t>;

std::int64_t count(const Index& shape) { return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>()); }

/// Position of the element `flat` (row-major) of `shape`.
Index unflatten(std::int64_t flat, const Index& shape) {
    Index index(shape.size());
    for (auto axis = shape.size(); axis-- > 0; flat /= shape[axis]) index[axis] = flat % shape[axis];
    return index;
}

std::int64_t flatten(const Index& index, const Index& shape) {
    std::int64_t flat = 0;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) flat = flat * shape[axis] + index[axis];
    return flat;
}

Words elementwise(const Array& in, const std::function<Word(Word)>& function) {
    Words out;
    for (auto word : in.words) out.push_back(function(word));
    return out;
}

ImageShape image_shape(const Array& in) { return {in.shape.at(0), in.shape.at(1), in.shape.at(2), in.shape.at(3)}; }

struct Runner {
    const Node& node;
    const std::vector<const Array*>& inputs;
    Overflows& overflows;

    [[nodiscard]] const Array& in(std::size_t i = 0) const { return *inputs.at(i); }

    Words operator()(const Contraction& op) const { return linear(op, in().words, overflows); }
    Words operator()(const Convolution& op) const { return convolution(op.contraction, in().words, image_shape(in()), op.kernel, overflows); }
    Words operator()(const TransposedConvolution& op) const {
        return transposed_convolution(op.contraction, in().words, image_shape(in()), op.side, overflows);
    }
    Words operator()(const PatchEmbedding& op) const {
        return patch_embedding(op.patches, in().words, image_shape(in()), op.content_height, op.content_width, overflows);
    }
    Words operator()(const Product& op) const {
        const auto& left = in(0).shape;
        const auto n = op.right_is_rows_of_outputs ? in(1).shape.at(1) : in(1).shape.at(2);
        return product(op, in(0).words, in(1).words, {left.at(0), left.at(1), n, left.at(2)}, overflows);
    }
    Words operator()(const RelativePosition& op) const { return relative_position(op, in(0).words, in(1).words); }
    Words operator()(const Softmax& op) const {
        const auto length = static_cast<std::ptrdiff_t>(in().shape.back());
        Words out;
        for (auto row = in().words.begin(); row != in().words.end(); row += length) {
            for (auto code : softmax_row(op, Words(row, row + length))) out.push_back(code);
        }
        return out;
    }
    Words operator()(const LayerNormNode& op) const {
        const auto& shape = in().shape;
        const auto channels = shape.at(op.channel_axis);
        Words out(in().words.size());
        for (std::int64_t flat = 0; flat < in().size(); ++flat) {
            auto index = unflatten(flat, shape);
            if (index[op.channel_axis] != 0) continue;
            std::vector<std::size_t> at;
            Words x;
            for (auto& c = index[op.channel_axis]; c < channels; ++c) {
                at.push_back(static_cast<std::size_t>(flatten(index, shape)));
                x.push_back(in().words[at.back()]);
            }
            const auto y = layer_norm_row(op.form, x);
            for (std::size_t c = 0; c < at.size(); ++c) out[at[c]] = y[c];
        }
        return out;
    }
    Words operator()(const Table& op) const {
        return elementwise(in(), [&](Word word) { return lookup(op, word); });
    }
    Words operator()(const Add& op) const {
        Words out;
        for (std::int64_t flat = 0; flat < in(0).size(); ++flat) {
            auto index = unflatten(flat, in(0).shape);
            for (std::size_t axis = 0; axis < index.size(); ++axis) {
                if (in(1).shape[axis] == 1) index[axis] = 0;
            }
            out.push_back(add(op, in(0).words[static_cast<std::size_t>(flat)], in(1).words.at(static_cast<std::size_t>(flatten(index, in(1).shape)))));
        }
        return out;
    }
    Words operator()(const Requantize& op) const {
        Words out;
        for (std::int64_t flat = 0; flat < in().size(); ++flat) {
            const auto channel = unflatten(flat, in().shape)[op.channel_axis];
            out.push_back(rescale(op.output, static_cast<std::size_t>(channel), in().words[static_cast<std::size_t>(flat)]));
        }
        return out;
    }
    Words operator()(const Constant& op) const { return op.words; }
    Words operator()(const Prompt& op) const {
        Words out;
        for (std::size_t token = 0; token < in(1).words.size(); ++token) {
            for (auto word : prompt_row(op, in(0).words.at(2 * token), in(0).words.at(2 * token + 1), in(1).words[token])) out.push_back(word);
        }
        return out;
    }
    Words operator()(const Rearrange& op) const {
        Index kept = op.view;
        if (op.slice_axis >= 0) kept.at(static_cast<std::size_t>(op.slice_axis)) = op.slice_count;
        Index permuted;
        for (auto axis : op.order) permuted.push_back(kept.at(axis));
        Words out;
        for (std::int64_t flat = 0; flat < count(permuted); ++flat) {
            const auto to = unflatten(flat, permuted);
            Index from(op.view.size());
            for (std::size_t axis = 0; axis < from.size(); ++axis) from[op.order[axis]] = to[axis];
            if (op.slice_axis >= 0) from[static_cast<std::size_t>(op.slice_axis)] += op.slice_begin;
            out.push_back(in().words.at(static_cast<std::size_t>(flatten(from, op.view))));
        }
        return out;
    }
    Words operator()(const WindowPartition& op) const {
        const auto across = (op.width + op.window - 1) / op.window;
        const auto channels = in().shape.at(2);
        Words out;
        for (std::int64_t flat = 0; flat < count(node.output_shape); ++flat) {
            const auto index = unflatten(flat, node.output_shape);  // window, token, channel
            const auto y = index[0] / across * op.window + index[1] / op.window, x = index[0] % across * op.window + index[1] % op.window;
            out.push_back(y < op.height && x < op.width ? in().words[static_cast<std::size_t>((y * op.width + x) * channels + index[2])]
                                                        : op.padding.at(static_cast<std::size_t>(index[2])));
        }
        return out;
    }
    Words operator()(const WindowUnpartition& op) const {
        const auto across = (op.width + op.window - 1) / op.window;
        Words out;
        for (std::int64_t flat = 0; flat < count(node.output_shape); ++flat) {
            const auto index = unflatten(flat, node.output_shape);  // 0, token, channel
            const auto y = index[1] / op.width, x = index[1] % op.width;
            const Index from{y / op.window * across + x / op.window, y % op.window * op.window + x % op.window, index[2]};
            out.push_back(in().words.at(static_cast<std::size_t>(flatten(from, in().shape))));
        }
        return out;
    }
    Words operator()(const Concatenation& op) const {
        Words out;
        for (std::int64_t flat = 0; flat < count(node.output_shape); ++flat) {
            auto index = unflatten(flat, node.output_shape);
            std::size_t part = 0;
            while (index[op.axis] >= in(part).shape.at(op.axis)) index[op.axis] -= in(part++).shape.at(op.axis);
            out.push_back(in(part).words[static_cast<std::size_t>(flatten(index, in(part).shape))]);
        }
        return out;
    }
    Words operator()(const Resize& op) const { return resize(op, in().words, image_shape(in())); }
};

}  // namespace

std::int64_t Array::size() const { return count(shape); }

Array run(const Node& node, const std::vector<const Array*>& inputs, Overflows& overflows) {
    Array out{node.output_shape, std::visit(Runner{node, inputs, overflows}, node.operation)};
    require(out.size() == static_cast<std::int64_t>(out.words.size()), "oracle: a node's output has another size than its shape");
    return out;
}

std::map<int, Array> walk(const std::vector<Node>& nodes, std::map<int, Array> given, Overflows& overflows) {
    for (const auto& node : nodes) {
        std::vector<const Array*> inputs;
        for (auto id : node.inputs) inputs.push_back(&given.at(id));
        given[node.output] = run(node, inputs, overflows);
    }
    return given;
}

}  // namespace prelude::oracle
