// SPDX-License-Identifier: Apache-2.0
#pragma once

// Softmax of whole rows: maximum, (exponentials and their sum,) codes, each a pipeline stage over `lanes` words a cycle.
//
//   score buffer ──scores──► [ maximum ] ─► [ EXP, sum ] ─► [ compare, code ] ──codes──► score buffer
//
// Timing      rows of N scores, W = ceil(N / lanes): (rows + stages - 1) x W + latency; two stages for logarithmic codes in row scale
//             (no EXP, no sum), else three. Latency of two stages 8. Of three 19: reading a row, subtracting, aligning, a table's entry and its
//             product of three cycles, the sum, and a cycle for each of the up to 8 bits of the search among thresholds; 3 more for a
//             polynomial (two products and the sum between), 3 less for a subtraction.
//             Thresholds times the row's sum (no row scale) are made by a multiplier for each level of the search: T = 2^(b-1) cycles for codes of b
//             bits. Rows then come no closer than T, and the first codes wait T + 4 more.
//             Floating point: float_timing::softmax_cycles (sim/mapping/float_timing.hpp)
//             Scores in pieces (attention that makes them again) pass one stage at a time: rows x W of the piece + latency, in the last stage
//             rows x max(W, T)
// Source      tests/rtl/units/softmax.sv, cycle by cycle (tests/rtl/test_softmax.cpp)
// Counters    operations (one per word)

#include "quant/arithmetic/softmax.hpp"
#include "sim/datapath/float_words.hpp"
#include "sim/datapath/payloads.hpp"
#include "sim/datapath/unit.hpp"

namespace prelude::sim {

class SoftmaxUnit final : public Unit {
  public:
    SoftmaxUnit(const sc_core::sc_module_name& name, Run& run) : Unit(name, UnitId::softmax_unit, run) {}

    [[nodiscard]] static constexpr Cycle latency(quant::Exponential form, const SoftmaxStages& stages) noexcept {
        constexpr int kWithoutExponential = 2;
        constexpr Cycle kSum = 4;  // through the adder and to the multipliers
        if (stages.count == kWithoutExponential) return 8;
        const Cycle exponential = form == quant::Exponential::table ? 0 : form == quant::Exponential::polynomial ? 3 : -3;
        return 11 + quant::kMaxComparedBits + exponential + (stages.threshold_cycles > 0 ? stages.threshold_cycles + kSum : 0);
    }
    [[nodiscard]] static constexpr Cycle cycles(std::int64_t rows, std::int64_t scores, const SoftmaxStages& stages, int lanes, quant::Exponential form) noexcept {
        const auto words = (scores + lanes - 1) / lanes;
        return stages.count * words + (rows - 1) * std::max(words, stages.threshold_cycles) + latency(form, stages);
    }
    /// One stage over a piece of the rows.
    [[nodiscard]] static constexpr Cycle piece_cycles(std::int64_t rows, std::int64_t scores, const SoftmaxStages& stages, bool is_last, int lanes,
                                                      quant::Exponential form) noexcept {
        const auto words = (scores + lanes - 1) / lanes;
        return rows * (is_last ? std::max(words, stages.threshold_cycles) : words) + latency(form, stages);
    }

  protected:
    Cycle execute(const Command& command) override {
        if (command.opcode == Opcode::row_statistics || command.pass > 0) return execute_piece(command);
        const auto& segment = program().segment;
        const auto id = segment.kind == SegmentKind::attention ? segment.softmax : segment.main;
        const auto& node = run_.graph->node(id);
        const auto words = command.rows.size() * command.cols.size();
        const int in_bits = run_.bits_of(node.inputs[0]), out_bits = run_.bits_of(node.output);
        const auto& stages = program().softmax;
        run_.count("softmax", in_bits, out_bits, words);
        Tile *scores = nullptr, *codes = nullptr;
        auto end = access(command.left, false, stages.count * words * in_bits, &scores);
        end = std::max(end, access(command.target, true, words * out_bits, &codes));
        if (scores && run_.functional->floats) {
            softmax_floats(run_, command, id, *scores, *codes);
        } else if (scores) {
            std::vector<std::int32_t> row_codes(static_cast<std::size_t>(command.cols.size()));
            if (codes != scores) codes->resize(command.rows, command.cols.end);
            const bool keep = id != segment.main && is_wanted(run_, node.output);
            for (auto row = command.rows.begin; row < command.rows.end; ++row) {
                quant::softmax_row(operation<quant::SoftmaxOp>(id), scores->row(row), row_codes);
                std::ranges::copy(row_codes, codes->row(row).begin());
                if (keep) keep_codes(command, node.output, row, row_codes);
            }
        }
        const auto lanes = run_.hardware->softmax_lanes;
        const auto taken = run_.plan->is_floating() ? float_timing::softmax_cycles(command.rows.size(), command.cols.size(), lanes, run_.plan->float_block)
                                                    : cycles(command.rows.size(), command.cols.size(), stages, lanes, run_.plan->exponential);
        return occupy(taken, end);
    }

  private:
    /// A stage of the softmax over some columns; what it knows of the rows stays from stage to stage.
    Cycle execute_piece(const Command& command) {
        const auto id = program().segment.softmax;
        const auto& node = run_.graph->node(id);
        const bool is_last = command.opcode == Opcode::softmax;
        const auto words = command.rows.size() * command.cols.size();
        const int in_bits = run_.bits_of(node.inputs[0]), out_bits = run_.bits_of(node.output);
        run_.count(is_last ? "softmax" : "row_statistics", in_bits, out_bits, words);
        Tile *scores = nullptr, *codes = nullptr;
        auto end = access(command.left, false, words * in_bits, &scores);
        if (is_last) end = std::max(end, access(command.target, true, words * out_bits, &codes));
        if (scores) {
            const auto& form = operation<quant::SoftmaxOp>(id);
            if (command.first) rows_.assign(static_cast<std::size_t>(command.rows.size()), {});
            std::vector<std::int32_t> piece_codes(static_cast<std::size_t>(command.cols.size()));
            for (auto row = command.rows.begin; row < command.rows.end; ++row) {
                auto& known = rows_[static_cast<std::size_t>(row - command.rows.begin)];
                const auto piece = scores->row(row).subspan(static_cast<std::size_t>(command.cols.begin), piece_codes.size());
                if (is_last) {
                    quant::softmax_piece(form, known, piece, piece_codes);
                    std::ranges::copy(piece_codes, codes->row(row).begin() + command.cols.begin);
                    if (is_wanted(run_, node.output)) keep_codes(command, node.output, row, piece_codes);
                } else if (command.pass == 0) {
                    known.add_maximum(piece);
                } else {
                    known.add_exponentials(form, piece);
                }
            }
        }
        return occupy(piece_cycles(command.rows.size(), command.cols.size(), program().softmax, is_last, run_.hardware->softmax_lanes, run_.plan->exponential), end);
    }

    void keep_codes(const Command& command, models::ValueId value, std::int64_t row, std::span<const std::int32_t> codes) {
        const auto& shape = run_.graph->value(value).shape;
        const auto first = (command.batch * shape[1] + row) * shape[2] + command.cols.begin;
        for (std::size_t k = 0; k < codes.size(); ++k) capture(run_, value, first + static_cast<std::int64_t>(k), codes[k]);
    }

    std::vector<quant::RowStatistics> rows_;
};

}  // namespace prelude::sim
