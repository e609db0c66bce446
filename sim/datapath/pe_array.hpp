// SPDX-License-Identifier: Apache-2.0
#pragma once

// The array of multiply-accumulate lanes: rows x cols dot products of `depth` per cycle.
//
//   activation / score buffer ──left──►┐
//                                      ├─► rows x cols x depth lanes ─► sums (two banks) ─► partial-sum buffer
//   weight buffer ─────────────right──►┘       (multipliers; shift-add lanes for log codes; row and column sums for zero points)
//
// Parameters  PeShape; occupancy of a tile: pe_occupancy(), latency: pe_latency() (mapping/pe_timing.hpp)
// Ports       buffers as every unit
// Counters    multiply-accumulate slots (useful, padding, recompute, idle), operations by width, operand toggles (functional)

#include "sim/datapath/unit.hpp"

namespace prelude::sim {

class PeArrayUnit final : public Unit {
  public:
    PeArrayUnit(const sc_core::sc_module_name& name, Run& run) : Unit(name, UnitId::pe_array, run) {}

  protected:
    Cycle execute(const Command& command) override;

  private:
    void count(const Command& command, const ProductUse& use, const PeOccupancy& busy);
    void multiply(const Command& command, const ProductUse& use, Tile& left, Tile& right, Tile& sums);
    /// Bits that change at the operand registers as a tile passes, in the order of the dataflow; codes that contribute nothing.
    void count_toggles(const Command& command, const ProductUse& use, Tile& left, Tile& right);

    const quant::Contraction* order_of_ = nullptr;
    quant::TermOrder order_;  ///< positions of its K, kept while it runs
};

}  // namespace prelude::sim
