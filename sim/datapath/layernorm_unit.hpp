// SPDX-License-Identifier: Apache-2.0
#pragma once

// LayerNorm of whole rows: statistics and normalisation as two pipeline stages over `lanes` words a cycle.
//
//   activation buffer ──► [ sum, sum of squares ] ─► [ reciprocal root ] ─► [ (D x - S) y, M t + B, clamp ] ──► activation buffer
//
// Timing      rows of D words, W = ceil(D / lanes): W + 5 + root + S + 11 + (rows - 1) x max(S, interval of the root), S = W + conflicts: two stages of W,
//             one row in each, the root between them; 5 cycles from the last word to the sums, 11 from a word to its code. By table and products the root takes 14 cycles, a row every cycle. By division it takes 2 to
//             normalise, 33 for each step (divide, a bit of the quotient a cycle; add and halve) and 32 for the reciprocal, in one of several
//             sequential dividers; the interval is that over their number. Steps count as many as the longest row needs: 232 and 364 cycles
//             whatever the data.
//             Words that leave in channel groups are gathered: bank conflicts hold the second stage (sim/mapping/channel_gather.hpp)
//             Floating point: float_timing::layer_norm_cycles (sim/mapping/float_timing.hpp), three reads of a row
// Source      tests/rtl/units/layernorm.sv, cycle by cycle (tests/rtl/test_layernorm.cpp)
// Counters    operations (one per word), gather_conflict (cycles); by division root_divide (cycles of all dividers), root_wait (cycles more than by table)

#include "quant/arithmetic/layernorm.hpp"
#include "sim/datapath/float_words.hpp"
#include "sim/datapath/unit.hpp"

namespace prelude::sim {

class LayerNormUnit final : public Unit {
  public:
    LayerNormUnit(const sc_core::sc_module_name& name, Run& run) : Unit(name, UnitId::layernorm_unit, run) {}

    static constexpr Cycle kSums = 5;  ///< square, three levels of adders, D sum x^2 - (sum x)^2
    static constexpr Cycle kLane = 11; ///< (D x - S) y in five, rescale in six
    /// Cycles until a row's root is there, and until the next row's may begin.
    struct RootTiming {
        Cycle latency = 0, interval = 1;
    };
    [[nodiscard]] static constexpr RootTiming timing(quant::Root form, int dividers) noexcept {
        constexpr Cycle kNormalise = 2, kDivide = quant::kRootDividendBits;
        const auto divided = [&](Cycle steps) {
            const auto latency = kNormalise + steps * (kDivide + 1) + kDivide;
            return RootTiming{latency, (latency + dividers - 1) / dividers};
        };
        if (form == quant::Root::newton) return divided(quant::kNewtonDivisions);
        return form == quant::Root::repeated ? divided(quant::kRepeatedDivisions) : RootTiming{14, 1};
    }
    [[nodiscard]] static constexpr Cycle cycles(std::int64_t rows, std::int64_t channels, int lanes, RootTiming root, std::int64_t conflicts = 0) noexcept {
        const auto words = (channels + lanes - 1) / lanes, stage = words + conflicts;
        return words + kSums + root.latency + stage + kLane + (rows - 1) * std::max(stage, root.interval);
    }

  protected:
    Cycle execute(const Command& command) override {
        const auto& segment = program().segment;
        const auto words = command.rows.size() * command.cols.size();
        const int in_bits = run_.bits_of(run_.graph->node(segment.main).inputs[0]), out_bits = run_.bits_of(segment.output);
        run_.count("layer_norm", in_bits, out_bits, words);
        const auto conflicts = program().gather_conflicts;
        if (conflicts > 0) run_.count("gather_conflict", in_bits, out_bits, conflicts * command.rows.size());
        Tile *input = nullptr, *output = nullptr;
        auto end = access(command.left, false, (run_.plan->is_floating() ? 3 : 2) * words * in_bits, &input);
        end = std::max(end, access(command.target, true, words * out_bits, &output));
        if (run_.plan->is_floating()) {
            if (input) layer_norm_floats(run_, command, *input, *output);
            return occupy(float_timing::layer_norm_cycles(command.rows.size(), command.cols.size(), run_.hardware->layernorm_lanes, run_.plan->float_block), end);
        }
        if (input) {
            output->resize(command.rows, command.cols.end);
            for (auto row = command.rows.begin; row < command.rows.end; ++row) {
                quant::layer_norm_row(operation<quant::LayerNormOp>(segment.main), input->row(row).data(), output->row(row).data(), 1);
            }
        }
        const auto taken = [&](const RootTiming& root) {
            return cycles(command.rows.size(), command.cols.size(), run_.hardware->layernorm_lanes, root, conflicts);
        };
        const auto root = timing(run_.plan->root, run_.hardware->layernorm_dividers);
        if (run_.plan->root != quant::Root::seeded) {
            run_.count("root_divide", in_bits, out_bits, command.rows.size() * root.interval);
            run_.count("root_wait", in_bits, out_bits, taken(root) - taken(timing(quant::Root::seeded, 1)));
        }
        return occupy(taken(root), end);
    }
};

}  // namespace prelude::sim
