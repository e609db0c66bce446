// SPDX-License-Identifier: Apache-2.0
#pragma once

// LayerNorm of whole rows: statistics and normalisation as two pipeline stages over `lanes` words a cycle.
//
//   activation buffer ──► [ sum, sum of squares ] ─► [ reciprocal root ] ─► [ (D x - S) y, M t + B, clamp ] ──► activation buffer
//
// Timing      rows of D words, W = ceil(D / lanes): W + root + S + (rows - 1) x max(S, interval of the root), S = W + conflicts: two stages of W, one
//             row in each, the root between them. By table and products the root takes 14 cycles, a row every cycle. By division it has one
//             sequential divider, a bit of the quotient a cycle: 2 to normalise, 33 for each step (divide, add and halve), 32 for the reciprocal;
//             the next row waits for that, and steps count as many as the longest row needs, so that no time depends on data: 232 and 364 cycles.
//             Words that leave in channel groups are gathered: bank conflicts hold the second stage (sim/mapping/channel_gather.hpp)
// Counters    operations (one per word), gather_conflict (cycles); by division root_divide (cycles of the divider), root_wait (cycles more than by table)

#include "quant/arithmetic/layernorm.hpp"
#include "sim/datapath/unit.hpp"

namespace prelude::sim {

class LayerNormUnit final : public Unit {
  public:
    LayerNormUnit(const sc_core::sc_module_name& name, Run& run) : Unit(name, UnitId::layernorm_unit, run) {}

    /// Cycles until a row's root is there, and until the next row's may begin.
    struct RootTiming {
        Cycle latency = 0, interval = 1;
    };
    [[nodiscard]] static constexpr RootTiming timing(quant::Root form) noexcept {
        constexpr Cycle kNormalise = 2, kDivide = quant::kRootDividendBits;
        const auto divided = [&](Cycle steps) { return RootTiming{kNormalise + steps * (kDivide + 1) + kDivide, kNormalise + steps * (kDivide + 1) + kDivide}; };
        if (form == quant::Root::newton) return divided(quant::kNewtonDivisions);
        return form == quant::Root::repeated ? divided(quant::kRepeatedDivisions) : RootTiming{14, 1};
    }
    [[nodiscard]] static constexpr Cycle cycles(std::int64_t rows, std::int64_t channels, int lanes, RootTiming root, std::int64_t conflicts = 0) noexcept {
        const auto words = (channels + lanes - 1) / lanes, stage = words + conflicts;
        return words + root.latency + stage + (rows - 1) * std::max(stage, root.interval);
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
        auto end = access(command.left, false, 2 * words * in_bits, &input);
        end = std::max(end, access(command.target, true, words * out_bits, &output));
        if (input) {
            output->resize(command.rows, command.cols.end);
            for (auto row = command.rows.begin; row < command.rows.end; ++row) {
                quant::layer_norm_row(operation<quant::LayerNormOp>(segment.main), input->row(row).data(), output->row(row).data(), 1);
            }
        }
        const auto form = run_.plan->root;
        const auto taken = [&](quant::Root root) {
            return cycles(command.rows.size(), command.cols.size(), run_.hardware->layernorm_lanes, timing(root), conflicts);
        };
        if (form != quant::Root::seeded) {
            run_.count("root_divide", in_bits, out_bits, command.rows.size() * timing(form).interval);
            run_.count("root_wait", in_bits, out_bits, taken(form) - taken(quant::Root::seeded));
        }
        return occupy(taken(form), end);
    }
};

}  // namespace prelude::sim
