// SPDX-License-Identifier: Apache-2.0
#pragma once

// Behind the sums: rescale, bias, relative positions, residual addition, requantization. A lane per column and drained row of the array.
//
//   partial-sum buffer ──sums──► [ x M + B, shift, clamp ] ─► [ + rel-pos | + residual | table (activation unit) ] ──► output slot
//   activation buffer ──rows──► [ add | requantize | table | resize | prompt ] ──► activation buffer
//
// Timing      sums: post_cycles() (mapping/pe_timing.hpp); a table stage makes it the slower of both
//             stand-alone: ceil(words / lanes) x cycles per word (resize 4, prompt 2, else 1)
//             latency 6 cycles: multiply 3, add, shift, clamp; floating point: float_timing::kPost, GELU kGelu
// Counters    operations by kind and width

#include "quant/arithmetic/elementwise.hpp"
#include "sim/datapath/unit.hpp"

namespace prelude::sim {

class PostUnit final : public Unit {
  public:
    static constexpr Cycle kLatency = 6;
    tlm_utils::simple_initiator_socket<PostUnit> words_out{"words_out"};  ///< activation unit

    PostUnit(const sc_core::sc_module_name& name, Run& run) : Unit(name, UnitId::post_unit, run) {}

  protected:
    Cycle execute(const Command& command) override;

  private:
    Cycle rescale(const Command& command);
    Cycle add_relative(const Command& command);
    Cycle elementwise(const Command& command);
    Cycle table_cycles(std::int64_t words);
    [[nodiscard]] Cycle own_latency() const;
    [[nodiscard]] Cycle table_latency() const;

    // Functional mode.
    void finish_words(const Command& command, Tile& sums, Tile& output, Tile* extra);
    void elementwise_words(const Command& command, Tile& input, Tile* second, Tile& output);
    void resize_words(const Command& command, Tile& input, Tile& output);

    tlm::tlm_generic_payload words_;
};

}  // namespace prelude::sim
