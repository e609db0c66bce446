// SPDX-License-Identifier: Apache-2.0
#include "sim/datapath/float_words.hpp"

#include "quant/float/arithmetic.hpp"
#include "sim/datapath/payloads.hpp"

namespace prelude::sim {

namespace {

namespace floating = quant::floating;

template <class Form>
const Form* form_of(const Run& run, models::NodeId node) {
    return std::get_if<Form>(&run.functional->floats->operation(run.graph->node(node).name));
}
int block_of(const Run& run) { return run.functional->floats->block(); }

/// Numbers of a row of words.
std::vector<float> values_of(std::span<const std::int32_t> words, int bits) {
    std::vector<float> values(words.size());
    for (std::size_t i = 0; i < words.size(); ++i) values[i] = floating::value_of(bits, words[i]);
    return values;
}
void write(std::span<std::int32_t> words, std::span<const float> values, int bits) {
    for (std::size_t i = 0; i < values.size(); ++i) words[i] = floating::word_of(bits, values[i]);
}

/// A row of a tile that holds part of K: only the positions of the command are numbers.
std::vector<std::vector<float>> rows_of(Tile& tile, Range rows, int bits) {
    std::vector<std::vector<float>> all;
    for (auto row = rows.begin; row < rows.end; ++row) all.push_back(values_of(tile.row(row), bits));
    return all;
}

float activation(const models::Operator& op, float x) { return std::holds_alternative<models::Gelu>(op) ? floating::gelu(x) : floating::relu(x); }

void resize_floats(const Run& run, const Command& command, Tile& input, Tile& output) {
    const auto& node = run.graph->node(run.program->segment.main);
    const auto& op = std::get<models::Resize>(node.op);
    const auto &in = run.graph->value(node.inputs[0]).shape, &out = run.graph->value(node.output).shape;
    const int in_bits = run.bits_of(node.inputs[0]), out_bits = run.bits_of(node.output);
    output.resize({command.rows.begin * out[3], command.rows.end * out[3]}, in[1]);
    std::vector<float> top(static_cast<std::size_t>(in[3])), bottom(top.size());
    for (auto line = command.rows.begin; line < command.rows.end; ++line) {
        const auto down = floating::tap(line % out[2], in[2], op.height);
        const auto image = line / out[2] * in[2];
        for (std::int64_t c = 0; c < in[1]; ++c) {
            for (std::int64_t x = 0; x < in[3]; ++x) {
                const auto number = [&](std::int64_t source) { return floating::value_of(in_bits, input.row((image + source) * in[3] + x)[static_cast<std::size_t>(c)]); };
                top[static_cast<std::size_t>(x)] = number(down.first);
                bottom[static_cast<std::size_t>(x)] = number(down.second);
            }
            for (std::int64_t x = 0; x < out[3]; ++x) {
                const float value = floating::interpolate(top.data(), bottom.data(), down.weight, floating::tap(x, in[3], op.width));
                output.row(line * out[3] + x)[static_cast<std::size_t>(c)] = floating::word_of(out_bits, floating::stored(out_bits, value));
            }
        }
    }
}

}  // namespace

void fill_float_weights(const Run& run, models::NodeId node, const Command& load, Tile& tile) {
    const auto* form = form_of<quant::FloatContraction>(run, node);
    if (!form || load.rows.size() == 0) return;  // constants of a vector unit: read from the operation
    tile.resize(load.rows, form->depth);
    for (auto row = load.rows.begin; row < load.rows.end; ++row) {
        const auto* from = form->weights.data() + run.program->output->column_of(row) * form->depth;
        write(tile.row(row), {from, static_cast<std::size_t>(form->depth)}, run.plan->float_bits);
    }
}

void multiply_floats(const Run& run, const Command& command, const ProductUse&, Tile& left, Tile& right, Tile& sums) {
    const int bits = run.plan->float_bits;
    const auto lefts = rows_of(left, command.rows, bits), rights = rows_of(right, command.cols, bits);
    if (command.first) sums.reals.assign(lefts.size() * rights.size(), 0.0F);
    std::size_t i = 0;
    for (const auto& row : lefts) {
        for (const auto& col : rights) {
            sums.reals[i] = floating::add_products(sums.reals[i], row.data(), col.data(), command.depth.begin, command.depth.end, block_of(run));
            ++i;
        }
    }
}

void finish_floats(const Run& run, const Command& command, const ProductUse& use, Tile& sums, Tile& output, Tile* extra) {
    const auto& segment = run.program->segment;
    const auto& graph = *run.graph;
    const auto& node = graph.node(use.node);
    const bool scores = segment.kind == SegmentKind::attention && command.product == 0;
    const auto stored_value = scores ? graph.node(segment.softmax).inputs[0] : segment.output;
    const bool keep = node.output != stored_value && is_wanted(run, node.output), keep_scores = scores && is_wanted(run, stored_value);
    const auto* contraction = form_of<quant::FloatContraction>(run, use.node);
    const auto* product = form_of<quant::FloatProduct>(run, use.node);
    const auto* relative = segment.relative >= 0 && command.product == 0 ? &std::get<models::RelativePosition>(graph.node(segment.relative).op) : nullptr;
    const int node_bits = run.bits_of(node.output), output_bits = run.bits_of(stored_value);
    const OutputMap own_map(Layout{graph}, node, node.output);

    if (!scores || command.first) output.resize(command.rows, scores ? run.program->cols : command.cols.end);
    std::size_t i = 0;
    for (auto row = command.rows.begin; row < command.rows.end; ++row) {
        auto words = output.row(row);
        for (auto col = command.cols.begin; col < command.cols.end; ++col, ++i) {
            const float sum = sums.reals[i];
            float value = floating::stored(node_bits, product ? sum * product->scale : contraction->finish(sum, run.program->output->channel_of(col)));
            if (keep) {
                const auto place = to_logical(graph.value(node.output).shape, *own_map.place(command.batch, row, col));
                capture(run, node.output, place, floating::word_of(node_bits, value));
            }
            if (relative) {
                const auto* terms = extra->reals.data() + (row - command.rows.begin) * (relative->height + relative->width);
                value = floating::stored(output_bits, (value + terms[col / relative->width]) + terms[relative->height + col % relative->width]);
            }
            for (const auto id : segment.post) {
                const auto& step = graph.node(id);
                const int step_bits = run.bits_of(step.output);
                if (std::holds_alternative<models::Add>(step.op)) {
                    value = floating::stored(step_bits, value + floating::value_of(run.bits_of(segment.residual), extra->row(row)[static_cast<std::size_t>(col)]));
                } else {
                    value = floating::stored(step_bits, activation(step.op, value));
                }
            }
            const auto word = floating::word_of(output_bits, value);
            words[static_cast<std::size_t>(col)] = word;
            if (keep_scores) {
                const auto& shape = graph.value(stored_value).shape;
                capture(run, stored_value, (command.batch * shape[1] + row) * shape[2] + col, word);
            }
        }
    }
}

void relative_float_terms(const Run& run, const Command& command, const ProductUse& use, Tile& query, Tile& terms) {
    const auto& form = *form_of<quant::FloatRelativePosition>(run, use.node);
    const auto& op = std::get<models::RelativePosition>(run.graph->node(use.node).op);
    const auto height = static_cast<std::size_t>(op.height), width = static_cast<std::size_t>(op.width);
    terms.rows = command.rows;
    terms.reals.assign(static_cast<std::size_t>(command.rows.size()) * (height + width), 0.0F);
    for (auto row = command.rows.begin; row < command.rows.end; ++row) {
        const std::span all(terms.reals.data() + static_cast<std::size_t>(row - command.rows.begin) * (height + width), height + width);
        const auto q = values_of(query.row(row).first(static_cast<std::size_t>(op.head_dim)), run.plan->float_bits);
        floating::relative_position_terms(q, form.table_height, form.table_width, row / op.width, row % op.width, block_of(run), all.first(height), all.subspan(height));
    }
}

void elementwise_floats(const Run& run, const Command& command, Tile& input, Tile* second, Tile& output) {
    const auto& segment = run.program->segment;
    const auto& node = run.graph->node(segment.main);
    if (segment.kind == SegmentKind::resize) return resize_floats(run, command, input, output);
    const int in_bits = run.bits_of(node.inputs[0]), out_bits = run.bits_of(node.output);
    output.resize(command.rows, command.cols.end);
    std::vector<float> results(static_cast<std::size_t>(command.cols.end));
    for (auto row = command.rows.begin; row < command.rows.end; ++row) {
        const auto from = values_of(input.row(row), in_bits);
        if (segment.kind == SegmentKind::prompt) {
            const float label = floating::value_of(run.bits_of(node.inputs[1]), second->words[static_cast<std::size_t>(row)]);
            floating::prompt_row(form_of<quant::FloatPrompt>(run, segment.main)->tables(), from[0], from[1], label, results, out_bits);
        } else {
            const bool is_sum = std::holds_alternative<models::Add>(node.op);
            const auto others = is_sum ? values_of(second->row(row), run.bits_of(node.inputs[1])) : std::vector<float>{};
            for (std::size_t c = 0; c < results.size(); ++c) results[c] = floating::stored(out_bits, is_sum ? from[c] + others[c] : activation(node.op, from[c]));
        }
        write(output.row(row), results, out_bits);
    }
}

void softmax_floats(const Run& run, const Command& command, models::NodeId softmax, Tile& scores, Tile& probabilities) {
    const auto& node = run.graph->node(softmax);
    const int in_bits = run.bits_of(node.inputs[0]), out_bits = run.bits_of(node.output);
    if (&probabilities != &scores) probabilities.resize(command.rows, command.cols.end);
    const bool keep = softmax != run.program->segment.main && is_wanted(run, node.output);
    for (auto row = command.rows.begin; row < command.rows.end; ++row) {
        auto values = values_of(scores.row(row).first(static_cast<std::size_t>(command.cols.size())), in_bits);
        floating::softmax_row(values, block_of(run), out_bits);
        const auto words = probabilities.row(row);
        write(words, values, out_bits);
        if (!keep) continue;
        const auto& shape = run.graph->value(node.output).shape;
        for (std::int64_t k = 0; k < shape[2]; ++k) capture(run, node.output, (command.batch * shape[1] + row) * shape[2] + k, words[static_cast<std::size_t>(k)]);
    }
}

void layer_norm_floats(const Run& run, const Command& command, Tile& input, Tile& output) {
    const auto& node = run.graph->node(run.program->segment.main);
    const auto& form = *form_of<quant::FloatNorm>(run, run.program->segment.main);
    const int in_bits = run.bits_of(node.inputs[0]), out_bits = run.bits_of(node.output);
    output.resize(command.rows, command.cols.end);
    for (auto row = command.rows.begin; row < command.rows.end; ++row) {
        const auto values = values_of(input.row(row), in_bits);
        std::vector<float> results(values.size());
        floating::layer_norm_row(values.data(), results.data(), 1, form.gamma, form.beta, form.epsilon, block_of(run), out_bits);
        write(output.row(row), results, out_bits);
    }
}

}  // namespace prelude::sim
