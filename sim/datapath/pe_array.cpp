// SPDX-License-Identifier: Apache-2.0
#include "sim/datapath/pe_array.hpp"

#include <algorithm>
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
    if (command.pass > 0 && command.product == 0) macs.recompute += useful, useful = 0;  // scores made again
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
    count_toggles(command, use, left, right);
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

namespace {

/// The registers of one operand in front of the array: `lanes` rows of `depth` words, which hold a block of a tile after the other.
class OperandRegisters {
  public:
    struct Block {
        std::int64_t tile = 0, index = 0;  ///< of rows, of depth
    };
    OperandRegisters(Tile& words, Range rows, Range depth, std::int64_t lanes, std::int64_t width, int bits)
        : words_(words), rows_(rows), depth_(depth), lanes_(lanes), width_(width), bits_(bits), mask_(bits >= 32 ? ~0u : (1u << bits) - 1) {}

    [[nodiscard]] std::int64_t tiles() const noexcept { return (rows_.size() + lanes_ - 1) / lanes_; }
    [[nodiscard]] std::int64_t blocks() const noexcept { return (depth_.size() + width_ - 1) / width_; }
    /// `times` changes from one block to another; lanes that have no row in either rest.
    void change(Block from, Block to, std::int64_t times) {
        if (times == 0) return;
        const auto first = rows_.begin + from.tile * lanes_, second = rows_.begin + to.tile * lanes_;
        const auto used = std::min({lanes_, rows_.end - first, rows_.end - second});
        std::int64_t changed = 0;
        for (std::int64_t lane = 0; lane < used; ++lane) {
            const auto before = words_.row(first + lane), after = words_.row(second + lane);
            for (std::int64_t d = 0; d < width_; ++d) changed += std::popcount((word(before, from.index, d) ^ word(after, to.index, d)) & mask_);
        }
        toggles += times * changed;
        bits += times * used * width_ * bits_;
    }
    /// The blocks `order` names, one after the other, `times` over.
    void repeat(std::span<const Block> order, std::int64_t times) {
        for (std::size_t i = 1; i < order.size(); ++i) change(order[i - 1], order[i], times);
        change(order.back(), order.front(), times - 1);
    }
    std::int64_t toggles = 0, bits = 0;

  private:
    [[nodiscard]] std::uint32_t word(std::span<const std::int32_t> row, std::int64_t block, std::int64_t d) const {
        const auto k = depth_.begin + block * width_ + d;
        return k < depth_.end ? static_cast<std::uint32_t>(row[static_cast<std::size_t>(k)]) : 0;
    }
    Tile& words_;
    Range rows_, depth_;
    std::int64_t lanes_, width_;
    int bits_;
    std::uint32_t mask_;
};

}  // namespace

void PeArrayUnit::count_toggles(const Command& command, const ProductUse& use, Tile& left, Tile& right) {
    const auto& pe = run_.hardware->pe;
    const auto width = use.form.float_block > 0 ? float_timing::lanes_used(pe.depth, use.form.float_block) : pe.depth;
    OperandRegisters l(left, command.rows, command.depth, use.swap ? pe.cols : pe.rows, width, use.form.left_word_bits);
    OperandRegisters r(right, command.cols, command.depth, use.swap ? pe.rows : pe.cols, width, use.form.right_bits);
    auto &along = use.swap ? r : l, &across = use.swap ? l : r;  // on the rows of the array, on its columns
    using Block = OperandRegisters::Block;
    std::vector<Block> order;
    if (use.weight_stationary) {  // for columns, for blocks: hold the weights, pass all rows
        for (std::int64_t b = 0; b < along.blocks(); ++b)
            for (std::int64_t t = 0; t < along.tiles(); ++t) order.push_back({t, b});
        along.repeat(order, across.tiles());
        order.clear();
        for (std::int64_t t = 0; t < across.tiles(); ++t)
            for (std::int64_t b = 0; b < across.blocks(); ++b) order.push_back({t, b});
        across.repeat(order, 1);
    } else {  // for columns, for rows, for blocks
        for (std::int64_t t = 0; t < along.tiles(); ++t)
            for (std::int64_t b = 0; b < along.blocks(); ++b) order.push_back({t, b});
        along.repeat(order, across.tiles());
        for (std::int64_t t = 0; t < across.tiles(); ++t) {
            order.clear();
            for (std::int64_t b = 0; b < across.blocks(); ++b) order.push_back({t, b});
            across.repeat(order, along.tiles());
            if (t > 0) across.change({t - 1, across.blocks() - 1}, {t, 0}, 1);
        }
    }
    auto& toggles = run_.stats->toggles;
    toggles.activation_toggles += l.toggles, toggles.activation_bits += l.bits;
    toggles.weight_toggles += r.toggles, toggles.weight_bits += r.bits;

    if (command.cols.begin != 0) return;
    const auto codes = left.row(command.rows.begin);
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
