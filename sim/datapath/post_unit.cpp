// SPDX-License-Identifier: Apache-2.0
#include "sim/datapath/post_unit.hpp"

#include "sim/datapath/activation_unit.hpp"
#include "sim/datapath/float_words.hpp"
#include "sim/mapping/build_program.hpp"

namespace prelude::sim {

Cycle PostUnit::execute(const Command& command) {
    switch (command.opcode) {
        case Opcode::rescale: return rescale(command);
        case Opcode::add_relative: return add_relative(command);
        default: return elementwise(command);
    }
}

Cycle PostUnit::table_cycles(std::int64_t words) {
    auto delay = sc_core::SC_ZERO_TIME;
    words_.set_data_length(static_cast<unsigned>(words));
    words_out->b_transport(words_, delay);
    return static_cast<Cycle>(delay.value());
}

Cycle PostUnit::own_latency() const { return run_.plan->is_floating() ? float_timing::kPost : kLatency; }
Cycle PostUnit::table_latency() const { return run_.plan->is_floating() ? float_timing::kGelu : ActivationUnit::kLatency; }

Cycle PostUnit::rescale(const Command& command) {
    const auto& use = program().products[static_cast<std::size_t>(command.product)];
    const auto& segment = program().segment;
    const auto words = command.rows.size() * command.cols.size();
    const auto& plan = run_.plan->contraction(run_.graph->node(use.node).name);
    auto cycles = post_cycles(run_.hardware->pe, use.swap, command.rows.size(), command.cols.size()) * use.form.num_sums();
    auto latency = own_latency();
    run_.count("rescale", plan.accumulator_bits, 17, words);
    const bool scores = segment.kind == SegmentKind::attention && command.product == 0;
    const auto output_value = scores ? run_.graph->node(segment.softmax).inputs[0] : segment.output;
    const int output_bits = run_.bits_of(output_value);
    for (auto id : segment.post) {
        const auto& node = run_.graph->node(id);
        if (std::holds_alternative<models::Add>(node.op)) {
            run_.count("add", run_.bits_of(node.inputs[0]), run_.bits_of(node.inputs[1]), words);
        } else {
            run_.count("lookup", run_.bits_of(node.inputs[0]), run_.bits_of(node.output), words);
            cycles = std::max(cycles, table_cycles(words));
            latency += table_latency();
        }
    }
    Tile *sums = nullptr, *extra = nullptr, *output = nullptr;
    auto end = access(command.left, false, words * use.form.num_sums() * plan.accumulator_bits, &sums);
    if (command.extra.index >= 0) {
        const bool relative = segment.relative >= 0;
        if (relative) run_.count("relative_add", 32, output_bits, 2 * words);
        const auto terms = relative ? std::get<models::RelativePosition>(run_.graph->node(segment.relative).op) : models::RelativePosition{};
        const auto bits = relative ? command.rows.size() * (terms.height + terms.width) * 32 : words * run_.bits_of(segment.residual);
        end = std::max(end, access(command.extra, false, bits, &extra));  // terms of a query row are read once and broadcast
    }
    end = std::max(end, access(command.target, true, words * output_bits, &output));
    if (sums && run_.functional->floats) {
        finish_floats(run_, command, use, *sums, *output, extra);
    } else if (sums) {
        finish_words(command, *sums, *output, extra);
    }
    return occupy(cycles, end) + latency;
}

Cycle PostUnit::add_relative(const Command& command) {
    const auto& use = program().products[static_cast<std::size_t>(command.product)];
    const auto& node = run_.graph->node(use.node);
    const auto& op = std::get<models::RelativePosition>(node.op);
    const auto words = command.rows.size() * (op.height + op.width);
    run_.count("rescale", run_.plan->contraction(node.name).accumulator_bits, 17, words);
    Tile *query = nullptr, *terms = nullptr;
    auto end = access(command.left, false, words * run_.plan->contraction(node.name).accumulator_bits, &query);
    end = std::max(end, access(command.target, true, words * 32, &terms));
    if (query && run_.functional->floats) {
        relative_float_terms(run_, command, use, *query, *terms);
    } else if (query) {
        const auto& form = operation<quant::RelativePositionOp>(use.node);
        const auto height = static_cast<std::size_t>(form.height), width = static_cast<std::size_t>(form.width);
        terms->rows = command.rows;
        terms->wide.assign(static_cast<std::size_t>(command.rows.size()) * (height + width), 0);
        for (auto row = command.rows.begin; row < command.rows.end; ++row) {
            const std::span all(terms->wide.data() + static_cast<std::size_t>(row - command.rows.begin) * (height + width), height + width);
            quant::relative_position_terms(form, query->row(row), row / form.width, row % form.width, all.first(height),
                                           all.subspan(height));
        }
    }
    return occupy(post_cycles(run_.hardware->pe, false, command.rows.size(), op.height + op.width), end) + own_latency();
}

Cycle PostUnit::elementwise(const Command& command) {
    const auto& segment = program().segment;
    const auto& node = run_.graph->node(segment.main);
    const auto words = command.rows.size() * command.cols.size();
    const auto lanes = run_.hardware->pe.post_lanes();
    auto cycles = (words + lanes - 1) / lanes;
    auto latency = own_latency();
    const int in_bits = run_.bits_of(node.inputs[0]), out_bits = run_.bits_of(segment.output);
    std::int64_t words_in = words;
    if (std::holds_alternative<models::Add>(node.op)) {
        run_.count("add", in_bits, run_.bits_of(node.inputs[1]), words);
    } else if (std::holds_alternative<models::Requantize>(node.op)) {
        run_.count("requantize", in_bits, 17, words);
        if (const auto conflicts = program().gather_conflicts * command.rows.size(); conflicts > 0) {
            run_.count("gather_conflict", in_bits, out_bits, conflicts);
            cycles += conflicts;
        }
    } else if (segment.kind == SegmentKind::resize) {
        cycles *= kResizeCyclesPerElement;
        words_in = 4 * words;
        run_.count("interpolate", in_bits, quant::kTapBits, 4 * words);
    } else if (segment.kind == SegmentKind::prompt) {
        cycles *= kPromptCyclesPerElement;
        words_in = 3 * command.rows.size();
        run_.count("prompt", in_bits, 24, 2 * words);
    } else {
        run_.count("lookup", in_bits, out_bits, words);
        cycles = std::max(cycles, table_cycles(words));
        latency += table_latency();
    }
    Tile *input = nullptr, *second = nullptr, *output = nullptr;
    auto end = access(command.left, false, words_in * in_bits, &input);
    if (command.right.index >= 0) end = std::max(end, access(command.right, false, words * run_.bits_of(node.inputs[1]), &second));
    end = std::max(end, access(command.target, true, words * out_bits, &output));
    if (input && run_.functional->floats) {
        elementwise_floats(run_, command, *input, second, *output);
    } else if (input) {
        elementwise_words(command, *input, second, *output);
    }
    return occupy(cycles, end) + latency;
}

}  // namespace prelude::sim
