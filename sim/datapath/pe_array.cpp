// SPDX-License-Identifier: Apache-2.0
#include "sim/datapath/pe_array.hpp"

#include <bit>

#include "sim/datapath/float_words.hpp"
#include "sim/datapath/payloads.hpp"

namespace prelude::sim {

Cycle PeArrayUnit::execute(const Command& command) {
    const auto& use = program().products[static_cast<std::size_t>(command.product)];
    const auto& pe = run_.hardware->pe;
    const auto busy = pe_occupancy(pe, use.form, use.weight_stationary, use.swap, command.rows.size(), command.cols.size(),
                                   command.depth.begin, command.depth.end);
    count(command, use, busy);

    Tile *left = nullptr, *right = nullptr, *sums = nullptr;
    auto end = access(command.left, false, busy.left_reads * use.form.left_word_bits, &left);
    end = std::max(end, access(command.right, false, busy.right_reads * use.form.right_bits, &right));
    const auto sum_bits = run_.plan->contraction(run_.graph->node(use.node).name).accumulator_bits;
    const auto outputs = command.rows.size() * command.cols.size() * use.form.num_sums();
    const auto writes = std::max<std::int64_t>(busy.sum_rounds, 1), reads = writes - (command.first ? 1 : 0);
    if (reads > 0) end = std::max(end, access(command.target, false, reads * outputs * sum_bits));
    end = std::max(end, access(command.target, true, writes * outputs * sum_bits, &sums));
    if (left && command.opcode == Opcode::multiply) multiply(command, use, *left, *right, *sums);
    if (left && command.opcode == Opcode::relative) {  // the query words go with the sums; the post unit finishes them
        sums->words = left->words;
        sums->rows = left->rows, sums->stride = left->stride;
    }
    return occupy(busy.cycles, end) + pe_latency(pe, use.form);
}

void PeArrayUnit::count(const Command& command, const ProductUse& use, const PeOccupancy& busy) {
    auto& macs = run_.stats->macs;
    auto macs_here = command.rows.size() * command.cols.size() * command.depth.size();
    std::int64_t useful = macs_here;
    if (command.opcode == Opcode::relative) {  // of 2H-1 and 2W-1 table rows a query needs H and W
        const auto& op = std::get<models::RelativePosition>(run_.graph->node(use.node).op);
        useful = command.rows.size() * (op.height + op.width) * command.depth.size();
        macs.recompute += macs_here - useful;
    }
    macs.useful += useful;
    macs.padding += busy.slots - macs_here;
    macs.idle += busy.idle_slots;
    if (use.form.left_is_log && run_.hardware->pe.shift_lanes > 0) {
        run_.stats->shift_cycles += busy.cycles;
        if (!use.form.has_steps) run_.stats->shift_only_cycles += busy.cycles;
    }
    if (use.form.left_is_log) run_.count("shift", use.form.log_shift + 1, use.form.right_bits, macs_here);
    if (!use.form.left_is_log || use.form.has_steps) run_.count("multiply", use.form.left_bits, use.form.right_bits, macs_here);
    if (use.form.prescaled) run_.count("prescale", use.form.left_bits, 16, command.rows.size() * command.depth.size());
    if (busy.flushes > 0) run_.count("flush", run_.plan->contraction(run_.graph->node(use.node).name).product_bits, 16, busy.flushes);
}

void PeArrayUnit::multiply(const Command& command, const ProductUse& use, Tile& left, Tile& right, Tile& sums) {
    const auto rows = static_cast<std::size_t>(command.rows.size()), cols = static_cast<std::size_t>(command.cols.size());
    sample_toggles(command, use, left, right);
    if (run_.functional->floats) return multiply_floats(run_, command, use, left, right, sums);
    if (const auto* contraction = contraction_of(run_, use.node)) {
        if (order_of_ != contraction) {
            order_of_ = contraction;
            order_ = quant::term_order(*contraction);
        }
        if (command.first) sums.sums.assign(rows * cols, {});
        for (std::size_t r = 0; r < rows; ++r) {
            const auto codes = left.row(command.rows.begin + static_cast<std::int64_t>(r));
            for (std::size_t c = 0; c < cols; ++c) {
                quant::accumulate(*contraction, order_, codes, right.row(command.cols.begin + static_cast<std::int64_t>(c)),
                                  command.depth.begin, command.depth.end, sums.sums[r * cols + c]);
            }
        }
        return;
    }
    const auto& product = operation<quant::Product>(use.node);
    if (command.first) sums.products.assign(rows * cols, {});
    for (std::size_t r = 0; r < rows; ++r) {
        const auto codes = left.row(command.rows.begin + static_cast<std::int64_t>(r));
        for (std::size_t c = 0; c < cols; ++c) {
            quant::accumulate(product, codes, right.row(command.cols.begin + static_cast<std::int64_t>(c)).data(), 1, command.depth.begin,
                              command.depth.end, sums.products[r * cols + c]);
        }
    }
    if (product.row_normalised) keep_codes(command, left, sums);
}

void PeArrayUnit::sample_toggles(const Command& command, const ProductUse& use, Tile& left, Tile& right) {
    // Lane (0, 0, 0) of the first sub-tile: every depth-th operand of the first row and column, as the sequence enters the port.
    constexpr std::int64_t kSamples = 64;
    auto& toggles = run_.stats->toggles;
    const auto step = run_.hardware->pe.depth;
    const auto codes = left.row(command.rows.begin), weights = right.row(command.cols.begin);
    const auto mask = [](int bits) { return bits >= 32 ? ~0u : (1u << bits) - 1; };
    std::int64_t samples = 0;
    for (auto k = command.depth.begin + step; k < command.depth.end && samples < kSamples; k += step, ++samples) {
        const auto at = static_cast<std::size_t>(k), before = static_cast<std::size_t>(k - step);
        toggles.activation_toggles += std::popcount(static_cast<std::uint32_t>(codes[at] ^ codes[before]) & mask(use.form.left_word_bits));
        toggles.weight_toggles += std::popcount(static_cast<std::uint32_t>(weights[at] ^ weights[before]) & mask(use.form.right_bits));
    }
    toggles.activation_bits += samples * use.form.left_word_bits;
    toggles.weight_bits += samples * use.form.right_bits;

    if (command.cols.begin != 0) return;
    if (run_.functional->floats) {
        for (auto k = command.depth.begin; k < command.depth.end; ++k) toggles.zero_codes += codes[static_cast<std::size_t>(k)] == 0;
        toggles.codes += command.depth.size();
        return;
    }
    const auto* contraction = contraction_of(run_, use.node);
    const auto* product = contraction ? nullptr : &operation<quant::Product>(use.node);
    for (auto k = command.depth.begin; k < command.depth.end; ++k) {
        const auto i = static_cast<std::size_t>(k);
        bool zero = false;
        if (product) {
            zero = quant::decode_left(*product, codes[i])[0].factor == 0;
        } else if (contraction->code.kind != quant::OperandKind::uniform) {
            zero = quant::decode(contraction->code, codes[i])[0].factor == 0;
        } else {
            const auto term = contraction->term_of.empty() ? 0 : static_cast<std::size_t>(contraction->term_of[i]);
            zero = codes[i] == contraction->terms[term].zero_point;
        }
        toggles.zero_codes += zero;
    }
    toggles.codes += command.depth.size();
}

}  // namespace prelude::sim
