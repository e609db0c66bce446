// SPDX-License-Identifier: Apache-2.0
#pragma once

// LayerNorm of whole rows: statistics and normalisation as two pipeline stages over `lanes` words a cycle.
//
//   activation buffer ──► [ sum, sum of squares ] ─► [ reciprocal root ] ─► [ (D x - S) y, M t + B, clamp ] ──► activation buffer
//
// Timing      rows of D words: (rows + 1) x ceil(D / lanes) + rows x conflicts + 14: two stages of ceil(D / lanes), one row in each; the root takes 14.
//             Words that leave in channel groups are gathered: bank conflicts hold the second stage (sim/mapping/channel_gather.hpp)
// Counters    operations (one per word), gather_conflict (cycles)

#include "quant/arithmetic/layernorm.hpp"
#include "sim/datapath/unit.hpp"

namespace prelude::sim {

class LayerNormUnit final : public Unit {
  public:
    static constexpr Cycle kRootCycles = 14;
    LayerNormUnit(const sc_core::sc_module_name& name, Run& run) : Unit(name, UnitId::layernorm_unit, run) {}

    [[nodiscard]] static constexpr Cycle cycles(std::int64_t rows, std::int64_t channels, int lanes, std::int64_t conflicts = 0) noexcept {
        return (rows + 1) * ((channels + lanes - 1) / lanes) + rows * conflicts + kRootCycles;
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
        return occupy(cycles(command.rows.size(), command.cols.size(), run_.hardware->layernorm_lanes, conflicts), end);
    }
};

}  // namespace prelude::sim
